"""Logging of the two programs that run in the background: gpiomuxd and the datapath.

Everything goes to standard error: a terminal, the run directory's log file, or the journal, whoever holds the other
end. Lines about one link carry its name first, so that one link can be followed through the log.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class LinkLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that puts the name of a link in front of every message."""

    def __init__(self, logger: logging.Logger, link: str) -> None:
        super().__init__(logger, {"link": link})
        self.link = link

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The message with the link's name; called by the logging module."""
        return f"{self.link}: {msg}", kwargs


def of_link(name: str, link: str) -> LinkLog:
    """The logger of module `name` for one link."""
    return LinkLog(logging.getLogger(name), link)


def set_up(program: str, *, level: int = logging.INFO) -> None:
    """Send this process's log to standard error, once, at the start of a `main` function.

    Under systemd the time is left out: the journal has its own (systemd.exec(5), JOURNAL_STREAM).
    """
    time = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{time}{program}[%(process)d]: %(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
