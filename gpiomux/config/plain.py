"""The model <-> plain data in the shape of the file: `show`, the daemon's state and the datapath's start use it.

What equals its default is left out. As JSON it is also a file that `gpiomux.config.load` reads, if it is written with
`ensure_ascii=False`: YAML knows no surrogate pairs. Reading trusts its input: a file has passed `gpiomux.config.load`,
and what the daemon writes for itself came from a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpiomux.config import offsets
from gpiomux.config.addresses import canonical_address, canonical_destination, canonical_gateway
from gpiomux.config.defaults import idle_of, netdev_of, sim_lines, wire_ends
from gpiomux.config.model import (
    CHANNEL_ELEMENTS,
    POLL_MS,
    TX_RING,
    Bias,
    Bundle,
    Child,
    Code,
    Config,
    Delivery,
    Drive,
    Faults,
    GpioMedium,
    GpioskCode,
    HandshakeCode,
    Idle,
    Lines,
    LineSource,
    Link,
    Medium,
    Mode,
    Netdev,
    Poll,
    ProtocolIds,
    PulseLines,
    Route,
    ShmMedium,
    SimMedium,
    Transport,
)
from gpiomux.config.tuning import pmtu_from_plain, pmtu_to_plain, poll_from_plain, poll_to_plain
from gpiomux.config.xdp import xdp_from_plain, xdp_to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

Plain = dict[str, Any]


def config_from_plain(plain: Mapping[str, Any]) -> Config:
    """The model of a document that has passed every check."""
    links = plain["links"]
    ends = wire_ends([stated_end(link.get("wire")) for link in links])
    return Config(links=tuple(_link_from(_with_end(link, end)) for link, end in zip(links, ends, strict=True)))


def config_to_plain(config: Config) -> Plain:
    """The document that `config_from_plain` turns into `config`, without what is default."""
    links = [_link_to(link) for link in config.links]
    silent = wire_ends([(stated_end(link.get("wire"))[0], None) for link in links])
    for link, end in zip(links, silent, strict=True):
        if "wire" in link and link["wire"]["end"] == end:
            del link["wire"]["end"]
            link["wire"] = link["wire"] if "external" in link["wire"] else link["wire"]["name"]
    return {"links": links}


def transport_from_plain(plain: Mapping[str, Any]) -> Transport:
    """The transport that `transport_to_plain` wrote."""
    code = code_from_plain(plain.get("code", "handshake"))
    ids = None if isinstance(code, GpioskCode) else plain["protocol"]
    return Transport(
        mode=Mode(plain["mode"]),
        protocol=None if ids is None else ProtocolIds(reader=ids["reader"], writer=ids["writer"]),
        medium=_medium_from(plain),
        lines=_lines_from(plain, code),
        code=code,
        delivery=Delivery(plain.get("delivery", Delivery.RELIABLE)),
        tx_ring=plain.get("tx_ring", TX_RING),
        rx_ring=plain.get("rx_ring"),
    )


def transport_to_plain(transport: Transport) -> Plain:
    """A transport as a link of the file states it; the end of a simulated wire is always named."""
    medium, code = transport.medium, transport.code
    plain: Plain = {"mode": transport.mode.value, **_medium_to(medium)}
    if transport.lines is not None and not (isinstance(medium, SimMedium) and transport.lines == sim_lines(code)):
        plain["lines"] = _lines_to(transport.lines, code)
    if isinstance(code, GpioskCode):
        plain["code"] = {"name": "gpiosk", "interval_us": code.interval_us}
    if transport.delivery is not Delivery.RELIABLE:
        plain["delivery"] = transport.delivery.value
    if transport.tx_ring != TX_RING:
        plain["tx_ring"] = transport.tx_ring
    if transport.rx_ring is not None:
        plain["rx_ring"] = transport.rx_ring
    if transport.protocol is not None:
        plain["protocol"] = {"reader": transport.protocol.reader, "writer": transport.protocol.writer}
    return plain


def stated_end(wire: object) -> tuple[str | None, str | None]:
    """Name and end of a wire as a link states them: of a name, of a mapping, or of no wire."""
    if isinstance(wire, dict):
        return wire.get("name"), wire.get("end")
    return (wire, None) if isinstance(wire, str) else (None, None)


def code_from_plain(plain: str | Mapping[str, Any]) -> Code:
    """The line code, by name or with its options."""
    options = {} if isinstance(plain, str) else {key: value for key, value in plain.items() if key != "name"}
    name = plain if isinstance(plain, str) else plain["name"]
    return GpioskCode(**options) if name == "gpiosk" else HandshakeCode(**options)


def bundle_from_plain(plain: Mapping[str, Any], code: Code) -> Bundle | PulseLines:
    """The lines of one direction."""
    if isinstance(code, GpioskCode):
        return PulseLines(ctl=plain["ctl"], data=plain["data"])
    return Bundle(data=offsets.parse(plain["data"]), req=plain["req"], ack=plain["ack"])


# ---- links and children


def _with_end(plain: Mapping[str, Any], end: str | None) -> Mapping[str, Any]:
    """A link of the file with its wire written out, the end named; any other link as it is."""
    if end is None:
        return plain
    wire = plain["wire"]
    return {**plain, "wire": {**({"name": wire} if isinstance(wire, str) else wire), "end": end}}


def _link_from(plain: Mapping[str, Any]) -> Link:
    transport = transport_from_plain(plain)
    netdev = _netdev_from(plain, netdev_of(transport.code))
    return Link(
        name=plain["name"],
        transport=transport,
        netdev=netdev,
        pmtu=pmtu_from_plain(plain.get("pmtu", {})),
        poll=poll_from_plain(plain.get("poll", {})),
        children=tuple(
            Child(
                name=child["name"],
                marks=tuple(sorted(child.get("marks", ()))),
                netdev=_netdev_from(child, Netdev(mtu=netdev.mtu, netns=netdev.netns)),
            )
            for child in plain.get("children", ())
        ),
    )


def _link_to(link: Link) -> Plain:
    inherited = Netdev(mtu=link.netdev.mtu, netns=link.netdev.netns)
    children = [
        {
            "name": child.name,
            **({"marks": list(child.marks)} if child.marks else {}),
            **_netdev_to(child.netdev, inherited),
        }
        for child in link.children
    ]
    default = netdev_of(link.transport.code)
    plain: Plain = {"name": link.name, **transport_to_plain(link.transport), **_netdev_to(link.netdev, default)}
    if link.pmtu:
        plain["pmtu"] = pmtu_to_plain(link.pmtu)
    if link.poll != Poll():
        plain["poll"] = poll_to_plain(link.poll)
    return {**plain, "children": children} if children else plain


# ---- interfaces


def _netdev_from(plain: Mapping[str, Any], inherited: Netdev) -> Netdev:
    """An interface; what it does not state of mtu and netns is as in `inherited`."""
    mac = plain.get("mac")
    return Netdev(
        mtu=plain.get("mtu", inherited.mtu),
        hwid=plain.get("hwid"),
        mac=None if mac is None else mac.lower(),
        netns=plain.get("netns", inherited.netns),
        up=plain.get("up", True),
        addresses=tuple(canonical_address(address) for address in plain.get("addresses", ())),
        routes=tuple(_route_from(route) for route in plain.get("routes", ())),
        xdp=xdp_from_plain(plain.get("xdp")),
    )


def _netdev_to(netdev: Netdev, inherited: Netdev) -> Plain:
    plain: Plain = {}
    if netdev.mtu != inherited.mtu:
        plain["mtu"] = netdev.mtu
    plain |= {key: value for key in ("hwid", "mac") if (value := getattr(netdev, key)) is not None}
    if netdev.addresses:
        plain["addresses"] = list(netdev.addresses)
    if netdev.routes:
        plain["routes"] = [_route_to(route) for route in netdev.routes]
    if netdev.xdp is not None:
        plain["xdp"] = xdp_to_plain(netdev.xdp)
    if netdev.netns != inherited.netns:
        plain["netns"] = netdev.netns
    if not netdev.up:
        plain["up"] = False
    return plain


def _route_from(plain: Mapping[str, Any]) -> Route:
    via = plain.get("via")
    return Route(
        to=canonical_destination(plain["to"], via),
        via=None if via is None else canonical_gateway(via),
        metric=plain.get("metric"),
    )


def _route_to(route: Route) -> Plain:
    plain = {"to": route.to, "via": route.via, "metric": route.metric}
    return {key: value for key, value in plain.items() if value is not None}


# ---- media


def _medium_from(plain: Mapping[str, Any]) -> Medium:
    match plain["medium"]:
        case "sim":
            wire = plain["wire"]
            return SimMedium(
                wire=wire["name"],
                end=wire["end"],
                external=wire.get("external", False),
                faults=_faults_from(plain.get("faults", {})),
            )
        case "gpio":
            access = plain.get("access", {})
            mode = access.get("mode")
            return GpioMedium(
                owner=access.get("owner"), group=access.get("group"), mode=None if mode is None else int(mode, 8)
            )
        case _:
            channels = plain["channels"]
            return ShmMedium(
                out=channels["out"],
                into=channels["in"],
                elements=channels.get("elements", CHANNEL_ELEMENTS),
                poll_ms=channels.get("poll_ms", POLL_MS),
            )


def _medium_to(medium: Medium) -> Plain:
    """The entry `medium`, and those that describe it."""
    match medium:
        case SimMedium():
            wire: Plain = {"name": medium.wire, "end": medium.end}
            plain: Plain = {"medium": "sim", "wire": {**wire, "external": True} if medium.external else wire}
            return {**plain, "faults": faults} if (faults := _faults_to(medium.faults)) else plain
        case GpioMedium():
            mode = None if medium.mode is None else f"{medium.mode:04o}"
            stated = {"owner": medium.owner, "group": medium.group, "mode": mode}
            access = {key: value for key, value in stated.items() if value is not None}
            return {"medium": "gpio", "access": access} if access else {"medium": "gpio"}
        case ShmMedium():
            channels: Plain = {"out": medium.out, "in": medium.into}
            if medium.elements != CHANNEL_ELEMENTS:
                channels["elements"] = medium.elements
            if medium.poll_ms != POLL_MS:
                channels["poll_ms"] = medium.poll_ms
            return {"medium": "shm", "channels": channels}


def _faults_from(plain: Mapping[str, Any]) -> Faults:
    return Faults(
        flip_rate=float(plain.get("flip_rate", 0)),
        stuck=tuple(sorted((int(offset), level) for offset, level in plain.get("stuck", {}).items())),
        cut=plain.get("cut", False),
        delay_us=plain.get("delay_us", 0),
        loss_rate=float(plain.get("loss_rate", 0)),
        double_rate=float(plain.get("double_rate", 0)),
        reorder_rate=float(plain.get("reorder_rate", 0)),
        seed=plain.get("seed", 0),
    )


def _faults_to(faults: Faults) -> Plain:
    plain = {
        "flip_rate": faults.flip_rate,
        "stuck": {str(offset): level for offset, level in faults.stuck},
        "cut": faults.cut,
        "delay_us": faults.delay_us,
        "loss_rate": faults.loss_rate,
        "double_rate": faults.double_rate,
        "reorder_rate": faults.reorder_rate,
        "seed": faults.seed,
    }
    return {key: value for key, value in plain.items() if value}


# ---- lines


def _lines_from(plain: Mapping[str, Any], code: Code) -> Lines | None:
    if plain["medium"] == "shm":
        return None
    if "lines" not in plain:
        return sim_lines(code)
    lines = plain["lines"]
    return Lines(
        out=bundle_from_plain(lines["out"], code),
        into=bundle_from_plain(lines["in"], code),
        sources=tuple(_source_from(source) for source in lines.get("from", ())),
        device=lines.get("device"),
        aggregate=lines.get("aggregate", True),
        bias=Bias(lines.get("bias", Bias.AS_IS)),
        drive=Drive(lines.get("drive", Drive.PUSH_PULL)),
        active_low=tuple(sorted(offsets.parse(lines.get("active_low", [])))),
        idle=Idle(lines.get("idle", idle_of(code))),
    )


def _lines_to(lines: Lines, code: Code) -> Plain:
    plain: Plain = {}
    if lines.sources:
        plain["from"] = [_source_to(source) for source in lines.sources]
    if lines.device is not None:
        plain["device"] = lines.device
    plain |= {"out": _bundle_to(lines.out), "in": _bundle_to(lines.into)}
    stated = {
        "aggregate": (lines.aggregate, True),
        "bias": (lines.bias.value, Bias.AS_IS),
        "drive": (lines.drive.value, Drive.PUSH_PULL),
        "active_low": (offsets.write(lines.active_low), []),
        "idle": (lines.idle.value, idle_of(code)),
    }
    return {**plain, **{key: value for key, (value, default) in stated.items() if value != default}}


def _source_from(plain: str | Mapping[str, Any]) -> LineSource:
    if isinstance(plain, str):
        return LineSource(name=plain)
    return LineSource(chip=plain["chip"], offsets=offsets.parse(plain["offsets"]))


def _source_to(source: LineSource) -> str | Plain:
    if source.name is not None:
        return source.name
    return {"chip": source.chip, "offsets": offsets.write(source.offsets)}


def _bundle_to(bundle: Bundle | PulseLines) -> Plain:
    if isinstance(bundle, PulseLines):
        return {"ctl": bundle.ctl, "data": bundle.data}
    return {"data": offsets.write(bundle.data), "req": bundle.req, "ack": bundle.ack}
