"""The verbs that ask something of one running link which no configuration holds: its datapath answers them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpiomux.apply.datapaths import Datapaths
from gpiomux.config.edit import require_link

if TYPE_CHECKING:
    from gpiomux.config.model import Config
    from gpiomux.control.messages import Request
    from gpiomux.rundir import RunDir


class Running:
    """Answers `RUNNING_VERBS`.

    *Threads and processes:* each call stands for itself, any number of threads at once.
    """

    def __init__(self, rundir: RunDir) -> None:
        self._datapaths = Datapaths(rundir)

    def answer(self, request: Request, config: Config) -> dict[str, Any]:
        """Hand a request to the datapath of its link, and its answer back.

        Raises:
            UsageError: there is no such link.
            MachineError: its datapath does not run, does not answer, or refuses.
        """
        args = dict(request.args)
        link = args.pop("link")
        require_link(config, link)
        return self._datapaths.ask(link, {"do": request.verb, **args})
