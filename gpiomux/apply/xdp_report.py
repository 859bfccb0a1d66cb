"""Which XDP program each interface of a configuration has, ours or not: for `status`, and the answer to `xdp show`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from gpiomux.apply.xdp_programs import record_of
from gpiomux.config.xdp import native_obstacle
from gpiomux.errors import MachineError
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.xdp import describe_program
from gpiomux.plan.state import Interface

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.config.model import Link
    from gpiomux.netdev.rtnl import LinkInfo
    from gpiomux.plan.observed import Observed
    from gpiomux.rundir import RunDir


def programs_of(rundir: RunDir, links: Iterable[Link], observed: Observed) -> dict[str, dict[str, Any] | None]:
    """The program of each interface of some links, by the name of the interface; None for one that has none.

    Interfaces are looked for where they were seen, which is not where they shall be if somebody has moved them.

    A program is {id, name, tag, mode, ours, program, part, obstacle}: `program` and `part` as the configuration has
    them, empty for one that is not ours; `obstacle` says why one that the kernel calls native runs generically.

    Raises:
        MachineError: the interfaces cannot be looked at.
    """
    names = {name: link for link in links for name in link.netdevs}
    places = [it for it in observed.state if isinstance(it, Interface) and it.name in names]
    seen = {netns: _look(netns) for netns in {it.netns for it in places}}
    found = {it.name: _program(rundir, it.name, seen[it.netns].get(it.device), names[it.name]) for it in places}
    return {name: found.get(name) for name in names}


def _look(netns: str | None) -> dict[str, LinkInfo]:
    try:
        with Rtnl(netns) as rtnl:
            return {info.name: info for info in rtnl.links()}
    except MachineError as err:
        if netns is not None and err.errno in (errno.ENOENT, errno.EINVAL):  # it has been removed
            return {}
        raise


def _program(rundir: RunDir, interface: str, info: LinkInfo | None, link: Link) -> dict[str, Any] | None:
    if info is None or info.xdp is None:
        return None
    about, record = describe_program(info.xdp.id), record_of(rundir, interface, info.xdp.id)
    native = info.xdp.mode == "native"
    return {
        "id": about.id,
        "name": about.name,
        "tag": about.tag,
        "mode": info.xdp.mode,
        "ours": record is not None,
        "program": "" if record is None else record.program,
        "part": "" if record is None else record.name or "",
        "obstacle": native_obstacle(link.transport.mode, link.transport.rx_ring, info.mtu) if native else "",
    }
