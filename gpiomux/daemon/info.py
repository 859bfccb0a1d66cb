"""The answer to the verb `info`: what one link is made of, from its configuration and from what its datapath tells.

It holds what `ethtool -i` and the `info` file of muennet (debugfs) give, and what they lack.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gpiomux.apply.chips_report import report_chips
from gpiomux.config.model import GpioMedium, GpioskCode, Mode, ShmMedium, SimMedium
from gpiomux.plan.wanted import KINDS
from gpiomux.version import VERSION

if TYPE_CHECKING:
    from gpiomux.apply.reports import Report
    from gpiomux.config.model import Bundle, Link, PulseLines, Transport
    from gpiomux.rundir import RunDir

DRIVER = "gpiomux"
FLAGS = {Mode.ETH: ["eth_dev"], Mode.NET_HDR: ["net_hdr"], Mode.RAW: []}
"""What muennet's parameter `flags` calls a mode."""


def link_info(rundir: RunDir, link: Link, told: Report, counted: Report) -> dict[str, Any]:
    """What `info` has beyond `status`.

    Args:
        rundir: where chips of ours are recorded.
        link: as it is configured.
        told: the report of its datapath.
        counted: what it has counted since the last reset.

    Raises:
        MachineError: the chips of the machine may not be looked at.
    """
    transport, report = link.transport, told if isinstance(told, dict) else {}
    interfaces = counted["interfaces"] if isinstance(counted, dict) else {}
    return {
        "driver": DRIVER,
        "version": VERSION,
        "kind": KINDS[transport.mode],
        "flags": FLAGS[transport.mode],
        "end": transport.medium.end if isinstance(transport.medium, SimMedium) else None,
        "chip": _chip(rundir, link) if isinstance(transport.medium, GpioMedium) else None,
        "channels": _channels(transport.medium) if isinstance(transport.medium, ShmMedium) else None,
        "lines": _lines(transport),
        "code": _code(transport),
        "delivery": _delivery(transport),
        "protocol": None if transport.protocol is None else asdict(transport.protocol),
        "poll": report.get("poll"),
        "pmtu": report.get("pmtu", []),
        "rings": report.get("rings", {}),
        "element_bytes": report.get("element_bytes"),
        "stats": {name: value for name, value in interfaces.get(link.name, {}).items() if isinstance(value, int)},
    }


def _chip(rundir: RunDir, link: Link) -> dict[str, str] | None:
    """The chip whose lines a link drives; None if there is none now.

    Without an aggregator chip it is the one that has its lines; with one, that is where they were gathered from.
    """
    gathered = link.transport.lines is not None and link.transport.lines.aggregate
    for chip in report_chips(rundir, [link.name])["chips"]:
        users = [chip["link"]] if gathered else [line["link"] for line in chip["lines"]]
        if link.name in users:
            return {"node": chip["node"], "label": chip["label"]}
    return None


def _channels(medium: ShmMedium) -> dict[str, str]:
    return {"out": medium.out, "in": medium.into}


def _lines(transport: Transport) -> dict[str, dict[str, list[int]]] | None:
    """The lines of each direction by their role, as offsets in the link's chip."""
    lines = transport.lines
    return None if lines is None else {"out": _parts(lines.out), "in": _parts(lines.into)}


def _parts(bundle: Bundle | PulseLines) -> dict[str, list[int]]:
    return {role: list(offsets) for role, offsets in bundle.parts().items()}


def _delivery(transport: Transport) -> str | None:
    """What becomes of packets that the lines lose; None without our wire protocol, which alone has a choice."""
    return None if transport.lines is None or transport.protocol is None else transport.delivery.value


def _code(transport: Transport) -> dict[str, Any] | None:
    """The line code and its options; None where there are no lines."""
    if transport.lines is None:
        return None
    name = "gpiosk" if isinstance(transport.code, GpioskCode) else "handshake"
    return {"name": name, **asdict(transport.code)}
