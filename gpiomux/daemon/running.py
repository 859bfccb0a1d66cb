"""The verbs that ask something of one running link which no configuration holds.

Its datapath answers them itself, but for `generate`: packets need the daemon's privilege.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gpiomux.apply.datapaths import Datapaths
from gpiomux.apply.generator import Order, generate
from gpiomux.config.edit import require_interface, require_link

if TYPE_CHECKING:
    from gpiomux.config.model import Config
    from gpiomux.control.messages import Request
    from gpiomux.rundir import RunDir


class Running:
    """Answers `RUNNING_VERBS`.

    *Threads and processes:* each call stands for itself, any number of threads at once.
    """

    def __init__(self, rundir: RunDir) -> None:
        self._rundir = rundir
        self._datapaths = Datapaths(rundir)

    def answer(self, request: Request, config: Config) -> dict[str, Any]:
        """Hand a request to the datapath of its link, and its answer back.

        Raises:
            UsageError: there is no such link.
            MachineError: its datapath does not run, does not answer, or refuses.
            GpiomuxError: what is asked to be generated cannot be.
        """
        args = dict(request.args)
        if request.verb == "generate":
            return self._generate(Order(**args), config)
        link = args.pop("link")
        require_link(config, link)
        ask = self._datapaths.ask_counters if request.verb == "reset-stats" else self._datapaths.ask
        return ask(link, {"do": request.verb, **args})

    def _generate(self, order: Order, config: Config) -> dict[str, Any]:
        link, _ = require_interface(config, order.interface)
        return asdict(generate(order, link, link.netdevs[order.interface].netns, self._rundir.owner))
