"""Which XDP program each interface of a configuration has, ours or not: for `status`, and the answer to `xdp show`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from gpiomux.apply.xdp_programs import record_of
from gpiomux.config.xdp import native_obstacle
from gpiomux.errors import MachineError
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.xdp import describe_program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpiomux.config.model import Link, Netdev
    from gpiomux.netdev.rtnl import LinkInfo
    from gpiomux.rundir import RunDir


def programs_of(rundir: RunDir, links: Iterable[Link]) -> dict[str, dict[str, Any] | None]:
    """The program of each interface of some links, by the name of the interface; None for one that has none.

    A program is {id, name, tag, mode, ours, program, part, obstacle}: `program` and `part` as the configuration has
    them, empty for one that is not ours; `obstacle` says why one that the kernel calls native runs generically.

    Raises:
        MachineError: the interfaces cannot be looked at.
    """
    wanted = [(name, netdev, link) for link in links for name, netdev in _interfaces(link)]
    seen = {netns: _look(netns) for netns in {netdev.netns for _, netdev, _ in wanted}}
    return {name: _program(rundir, seen[netdev.netns].get(name), link) for name, netdev, link in wanted}


def _interfaces(link: Link) -> list[tuple[str, Netdev]]:
    return [(link.name, link.netdev), *((child.name, child.netdev) for child in link.children)]


def _look(netns: str | None) -> dict[str, LinkInfo]:
    try:
        with Rtnl(netns) as rtnl:
            return {info.name: info for info in rtnl.links()}
    except MachineError as err:
        if netns is not None and err.errno in (errno.ENOENT, errno.EINVAL):  # it has been removed
            return {}
        raise


def _program(rundir: RunDir, info: LinkInfo | None, link: Link) -> dict[str, Any] | None:
    if info is None or info.xdp is None:
        return None
    about, record = describe_program(info.xdp.id), record_of(rundir, info.name, info.xdp.id)
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
