"""Configurations that keep every rule, for hypothesis."""

from __future__ import annotations

import string
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from gpiomux.config.defaults import SIM_LINES, SIM_PULSE_LINES, netdev_of
from gpiomux.config.model import (
    GPIOSK_MTU,
    Bias,
    Bundle,
    Child,
    Config,
    Delivery,
    Drive,
    Faults,
    GpioMedium,
    GpioskCode,
    Idle,
    Lines,
    LineSource,
    Link,
    Mode,
    Netdev,
    Poll,
    PollMode,
    ProtocolIds,
    PulseLines,
    Route,
    ShmMedium,
    SimMedium,
    Transport,
    Xdp,
    XdpMode,
)
from gpiomux.config.names import RESERVED_NAMES

NAME_STARTS = string.ascii_letters + string.digits + "_"


def names(longest: int = 15) -> st.SearchStrategy[str]:
    """Names of interfaces; with `longest` 64 of wires and namespaces."""
    rest = st.text(NAME_STARTS + ".-", max_size=longest - 1)
    return st.builds(str.__add__, st.sampled_from(NAME_STARTS), rest).filter(lambda name: name not in RESERVED_NAMES)


U64 = st.integers(1, 2**64 - 1)
PROTOCOLS = st.builds(ProtocolIds, reader=U64, writer=U64)
DELIVERIES = st.fixed_dictionaries(
    {
        "delivery": st.sampled_from(Delivery),
        "tx_ring": st.integers(1, 4096),
        "rx_ring": st.none() | st.integers(1, 4096),
    }
)
BUDGETS = st.none() | st.integers(1, 65536)
POLLS = st.one_of(
    st.builds(Poll, mode=st.sampled_from(PollMode), budget=BUDGETS),
    st.builds(Poll, idle_us=st.integers(1, 1_000_000), budget=BUDGETS),
)
PMTUS = st.dictionaries(st.integers(1, 2**32 - 1), st.integers(68, 65535), max_size=3).map(
    lambda pmtu: tuple(sorted(pmtu.items()))
)
PRINTABLE = st.text(string.ascii_letters + string.digits + "-_:#'\"\\%", min_size=1, max_size=63)
PATHS = st.text(min_size=1, max_size=60).map(lambda text: "/" + text).filter(lambda text: text.isprintable())


@st.composite
def faults(draw: st.DrawFn, lines: Lines) -> Faults:
    """What a wire does wrong to an end with these lines; what needs words, only to one that has them."""
    stuck = draw(st.dictionaries(st.sampled_from(lines.inputs), st.integers(0, 1), max_size=3))
    words = isinstance(lines.out, Bundle)
    return Faults(
        flip_rate=draw(st.floats(0, 1, allow_subnormal=False)),
        stuck=tuple(sorted(stuck.items())),
        cut=draw(st.booleans()),
        delay_us=draw(st.integers(0, 10_000_000)),
        loss_rate=draw(st.floats(0, 1, allow_subnormal=False)) if words else 0.0,
        double_rate=draw(st.floats(0, 1, allow_subnormal=False)) if words else 0.0,
        reorder_rate=draw(st.floats(0, 1, allow_subnormal=False)) if words else 0.0,
        seed=draw(st.integers(0, 2**64 - 1)),
    )


@st.composite
def sim_lines(draw: st.DrawFn) -> Lines:
    """Lines of one end of a wire."""
    if draw(st.booleans()):
        return SIM_LINES
    outputs, inputs = draw(st.permutations(range(16))), draw(st.permutations(range(16, 32)))
    out_width, in_width = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from([1, 2, 4, 8]))
    return Lines(
        out=Bundle(data=tuple(outputs[:out_width]), req=outputs[8], ack=inputs[8]),
        into=Bundle(data=tuple(inputs[:in_width]), req=inputs[9], ack=outputs[9]),
    )


def other_end(lines: Lines) -> Lines:
    """The lines that fit these at the other end of the wire."""

    def across(bundle: Bundle | PulseLines) -> Bundle | PulseLines:
        if isinstance(bundle, PulseLines):
            return PulseLines(ctl=(bundle.ctl + 16) % 32, data=(bundle.data + 16) % 32)
        data = tuple((offset + 16) % 32 for offset in bundle.data)
        return Bundle(data=data, req=(bundle.req + 16) % 32, ack=(bundle.ack + 16) % 32)

    return replace(lines, out=across(lines.into), into=across(lines.out))


@st.composite
def pulsed(draw: st.DrawFn, number: int) -> Transport:
    """A transport with the pulse code of gpiosk."""
    medium: SimMedium | GpioMedium = GpioMedium()
    if draw(st.booleans()):
        out, into = draw(st.permutations(range(16))), draw(st.permutations(range(16, 32)))
        stated = Lines(
            out=PulseLines(ctl=out[0], data=out[1]), into=PulseLines(ctl=into[0], data=into[1]), idle=Idle.KEEP
        )
        lines = draw(st.sampled_from([SIM_PULSE_LINES, stated]))
        medium = SimMedium(
            wire=f"w{number}", end=draw(st.sampled_from("ab")), external=True, faults=draw(faults(lines))
        )
    else:
        own = draw(st.permutations(range(6)))
        source = LineSource(chip=f"chip {number}", offsets=tuple(range(6)))
        lines = Lines(
            out=PulseLines(ctl=own[0], data=own[1]),
            into=PulseLines(ctl=own[2], data=own[3]),
            sources=(source,),
            aggregate=draw(st.booleans()),
            idle=draw(st.sampled_from(Idle)),
        )
    return Transport(
        mode=Mode.ETH,
        protocol=None,
        medium=medium,
        lines=lines,
        code=GpioskCode(interval_us=draw(st.integers(1, 1000))),
        tx_ring=draw(st.integers(1, 4096)),
    )


@st.composite
def gpio_lines(draw: st.DrawFn, number: int) -> Lines:
    """Lines of a chip gathered from chips of this link alone."""
    offsets = draw(st.lists(st.integers(0, 9999), min_size=6, max_size=20, unique=True))
    sources = (
        LineSource(chip=f"chip {number}", offsets=tuple(offsets)),
        LineSource(chip=f"more {number}", offsets=tuple(range(14))),
        LineSource(name=f"{number}{draw(PRINTABLE)}"[:63]),
    )
    origin = draw(st.sampled_from(["device", "one chip", "chips"]))
    own = draw(st.permutations(range(6 if origin == "one chip" else 20)))
    width = 1 if origin == "one chip" else draw(st.sampled_from([1, 2, 4, 8]))
    req, ack, width_in = own[-1], own[-2], 1 if origin == "one chip" else width
    out, into = own[:width], own[width : width + width_in]
    return Lines(
        out=Bundle(data=tuple(out), req=req, ack=ack),
        into=Bundle(data=tuple(into), req=own[-3], ack=own[-4]),
        sources={"device": (), "one chip": sources[:1], "chips": sources}[origin],
        device=f"device-{number}" if origin == "device" else None,
        aggregate=origin != "one chip",
        bias=draw(st.sampled_from(Bias)),
        drive=draw(st.sampled_from(Drive)),
        active_low=tuple(sorted(draw(st.sets(st.sampled_from([*out, *into, req, ack]))))),
        idle=draw(st.sampled_from(Idle)),
    )


@st.composite
def netdevs(draw: st.DrawFn, mode: Mode, number: int, highest_mtu: int = 65517) -> Netdev:
    """An interface; its number keeps its addresses apart from those of others."""
    addresses = [f"{IPv4Address((10 << 24) + (number << 8) + 1)}/{draw(st.integers(0, 32))}"]
    addresses += [f"{IPv6Address((0xFD00 << 112) + (number << 16) + 1)}/{draw(st.integers(0, 128))}"]
    wanted = tuple(draw(st.lists(st.sampled_from(addresses), unique=True)))
    routes = [
        Route(to=f"10.{100 + number}.0.0/16", metric=draw(st.none() | st.integers(0, 2**32 - 1))),
        Route(to=f"fd01:{number}::/32" if number else "fd01::/32", via="fe80::1"),
    ]
    programs = [Xdp(program="pass"), Xdp(program="drop", mode=XdpMode.GENERIC), Xdp(program="/a b/c.o", name="x.y")]
    mac = draw(st.none() | st.just(f"02:00:00:00:{number:02x}:ff")) if mode is Mode.ETH else None
    return Netdev(
        mtu=draw(st.integers(1280, highest_mtu)),
        hwid=1 if mac is None and mode is Mode.ETH and number == 0 else None,
        mac=mac,
        netns=draw(st.none() | names(64)),
        up=draw(st.booleans()),
        addresses=wanted,
        routes=tuple(draw(st.lists(st.sampled_from(routes), unique=True))),
        xdp=draw(st.none() | st.sampled_from(programs)),
    )


@st.composite
def links(draw: st.DrawFn, name: str, number: int, children: list[str]) -> Link:
    """A link on lines of its own or on channels; the wire of a simulated one is external."""
    mode = draw(st.sampled_from(Mode))
    protocol = draw(PROTOCOLS)
    kind = draw(st.sampled_from(["sim", "gpio", "shm", "pulses"]))
    if kind == "pulses":
        transport = draw(pulsed(number))
        return Link(
            name=name, transport=transport, netdev=draw(netdevs(Mode.ETH, number * 8, GPIOSK_MTU)), pmtu=draw(PMTUS)
        )
    if kind == "sim":
        lines = draw(sim_lines())
        medium = SimMedium(
            wire=f"w{number}", end=draw(st.sampled_from("ab")), external=True, faults=draw(faults(lines))
        )
        transport = Transport(mode=mode, protocol=protocol, medium=medium, lines=lines, **draw(DELIVERIES))
    elif kind == "gpio":
        lines = draw(gpio_lines(number))
        owner, permissions = draw(st.none() | st.just("root")), draw(st.none() | st.integers(0, 0o777))
        chip = GpioMedium(owner=owner, mode=permissions) if lines.aggregate else GpioMedium()
        transport = Transport(mode=mode, protocol=protocol, medium=chip, lines=lines, **draw(DELIVERIES))
    else:
        channels = ShmMedium(
            out=f"/dev/shm/out{number}",
            into=draw(PATHS),
            elements=draw(st.integers(2, 65536)),
            poll_ms=draw(st.integers(1, 10000)),
        )
        mode = Mode.NET_HDR if children else mode
        transport = Transport(mode=mode, protocol=protocol, medium=channels, lines=None)
    netdev = draw(netdevs(mode, number * 8))
    return Link(
        name=name,
        transport=transport,
        netdev=netdev,
        pmtu=draw(PMTUS),
        poll=draw(POLLS),
        children=tuple(
            Child(
                name=child,
                marks=tuple(sorted(draw(st.sets(st.integers(index << 24 | 1, (index + 1) << 24), max_size=3)))),
                netdev=draw(netdevs(mode, number * 8 + 1 + index, netdev.mtu)),
            )
            for index, child in enumerate(children)
        ),
    )


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any configuration that keeps every rule: some links of all kinds, perhaps the two ends of a wire."""
    taken = iter(draw(st.lists(names(), min_size=12, max_size=12, unique=True)))
    made = [
        draw(links(next(taken), number, [next(taken) for _ in range(draw(st.integers(0, 2)))]))
        for number in range(draw(st.integers(0, 3)))
    ]
    pairs = [link for link in made if isinstance(link.transport.medium, SimMedium)]
    paired = draw(st.booleans())
    if pairs and paired:
        made = _with_other_end(made, pairs[0], next(taken))
    order = draw(st.permutations(range(len(made))))
    return Config(links=tuple(made[index] for index in order))


def _with_other_end(made: list[Link], link: Link, name: str) -> list[Link]:
    """The links with the wire of one no longer external, and its other end among them."""
    medium, lines = link.transport.medium, link.transport.lines
    assert isinstance(medium, SimMedium)
    assert lines is not None
    near = replace(link, transport=replace(link.transport, medium=replace(medium, external=False)))
    far_medium = SimMedium(wire=medium.wire, end="b" if medium.end == "a" else "a")
    transport = replace(link.transport, medium=far_medium, lines=other_end(lines))
    far = Link(name=name, transport=transport, netdev=netdev_of(transport.code))
    return [far, near, *(each for each in made if each is not link)]
