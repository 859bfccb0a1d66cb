"""A terminal of its own for a program: what is typed into it, and what it then shows, by tmux."""

from __future__ import annotations

import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

KEPT_LINES = 5000
PATIENCE_S = 120.0
"""How long a command may take; only one that hangs ever needs so long."""
POLL_S = 0.05


class TerminalError(Exception):
    """The terminal does not show what was waited for; the text says what it shows."""


class Terminal:
    """A terminal with a program in it; used as a context manager, which ends both."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, *, columns: int, rows: int
    ) -> None:
        self._command = list(command)
        self._environment = {name: text for name, text in environment.items() if name not in ("TMUX", "NO_COLOR")}
        self._environment["LC_ALL"] = "C.UTF-8"
        self._directory = directory
        self._size = ["-x", str(columns), "-y", str(rows)]
        # The path of a socket has 107 characters at most (unix(7)), and tests have longer directories than that.
        self._place = tempfile.TemporaryDirectory(prefix="gpiomux-terminal-")

    def __enter__(self) -> Self:
        settings = [("status", "off"), ("history-limit", str(KEPT_LINES)), ("default-terminal", "tmux-256color")]
        words = [word for name, value in settings for word in ("set-option", "-g", name, value, ";")]
        self._tmux("start-server", ";", *words, "new-session", "-d", *self._size, "--", *self._command)
        return self

    def __exit__(self, *_: object) -> None:
        # The program may have ended by itself, and the server with it.
        subprocess.run([*self._prefix(), "kill-server"], stderr=subprocess.DEVNULL, check=False)
        self._place.cleanup()

    def type(self, text: str) -> None:
        """Type a line, and the Enter key after it."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def lines(self) -> list[str]:
        """All that was shown, from the first line on, as plain text without blanks at the ends of lines."""
        text = self._tmux("capture-pane", "-p", "-J", "-S", "-")
        return [line.rstrip() for line in text.rstrip().splitlines()]

    def coloured(self) -> str:
        """What the screen shows now, with escape sequences for colours and styles."""
        return self._tmux("capture-pane", "-p", "-e").rstrip()

    def wait_for(self, condition: Callable[[list[str]], object], what: str) -> list[str]:
        """Wait until what is shown fulfils a condition; the lines.

        Raises:
            TerminalError: it never does.
        """
        give_up = time.monotonic() + PATIENCE_S
        while not condition(lines := self.lines()):
            if time.monotonic() > give_up:
                raise TerminalError(f"{what}: this is shown:\n" + "\n".join(lines))
            time.sleep(POLL_S)
        return lines

    def _prefix(self) -> list[str]:
        return ["tmux", "-u", "-f", "/dev/null", "-S", f"{self._place.name}/socket"]

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            [*self._prefix(), *words],
            env=self._environment,
            cwd=self._directory,
            encoding="utf-8",
            capture_output=True,
        )
        if done.returncode:
            raise TerminalError(f"tmux {words[0]}: {done.stderr.strip()}")
        return done.stdout
