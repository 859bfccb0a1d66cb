"""Configurations made up for tests: small, valid as far as plans care, and close enough to each other to overlap."""

from __future__ import annotations

from hypothesis import strategies as st

from gpiomux.config.model import (
    Bundle,
    Child,
    Config,
    Lines,
    Link,
    Mode,
    Netdev,
    Poll,
    PollMode,
    ProtocolIds,
    Route,
    SimMedium,
    Transport,
    Xdp,
    XdpMode,
)

LINES = Lines(out=Bundle(data=tuple(range(8)), req=8, ack=25), into=Bundle(data=tuple(range(16, 24)), req=24, ack=9))

_NETNS = st.sampled_from((None, "far", "near"))
_MTUS = st.sampled_from((600, 1280, 1500))
_IPV4 = st.lists(st.sampled_from(("10.0.0.1/24", "10.0.0.2/24", "10.1.0.1/16")), unique=True)
_IPV6 = st.lists(st.sampled_from(("fd00::1/64", "fd01::1/64")), unique=True)
_ROUTES4 = st.lists(
    st.sampled_from(
        (Route(to="10.9.0.0/16", via="10.0.0.9"), Route(to="0.0.0.0/0"), Route(to="10.9.0.0/16", metric=7))
    ),
    unique=True,
)
_ROUTES6 = st.lists(st.sampled_from((Route(to="fd09::/64"), Route(to="::/0", metric=1024))), unique=True)
_MACS = st.sampled_from((None, "02:00:00:00:00:01", "02:00:00:00:00:02"))
_XDPS = st.sampled_from(
    (None, Xdp(program="pass"), Xdp(program="drop"), Xdp(program="/f.o", name="x", mode=XdpMode.GENERIC))
)
_PMTUS = st.sampled_from(((), ((7, 1280),), ((7, 600), (9, 1280))))
_POLLS = st.sampled_from((Poll(), Poll(mode=PollMode.BUSY), Poll(idle_us=50), Poll(idle_us=50, budget=64)))
_WIRES = {"geth0": ("cable0", "a"), "geth1": ("cable0", "b"), "geth2": ("cable1", "a")}


def transport(mode: Mode = Mode.NET_HDR, *, wire: str = "cable0", end: str = "a", reader: int = 1) -> Transport:
    """A transport over simulated lines."""
    return Transport(
        mode=mode,
        protocol=ProtocolIds(reader=reader, writer=2),
        medium=SimMedium(wire=wire, end=end),
        lines=LINES,
    )


@st.composite
def netdevs(draw: st.DrawFn, mode: Mode) -> Netdev:
    """An interface; IPv6 only where the MTU allows it."""
    mtu = draw(_MTUS)
    ipv6 = mtu >= 1280
    return Netdev(
        mtu=mtu,
        mac=draw(_MACS) if mode is Mode.ETH else None,
        netns=draw(_NETNS),
        up=draw(st.booleans()),
        xdp=draw(_XDPS),
        addresses=(*draw(_IPV4), *(draw(_IPV6) if ipv6 else ())),
        routes=(*draw(_ROUTES4), *(draw(_ROUTES6) if ipv6 else ())),
    )


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Up to three links, with up to three children between them; marks are bound once for each link."""
    names = draw(st.lists(st.sampled_from(sorted(_WIRES)), unique=True, max_size=3))
    homes = {child: draw(st.sampled_from((None, *names))) for child in ("child1", "child2", "child3")} if names else {}
    links = []
    for name in names:
        mode = draw(st.sampled_from(Mode))
        marks = draw(st.lists(st.sampled_from((7, 8, 70)), unique=True))
        children = []
        for child in (child for child, home in homes.items() if home == name):
            taken = sorted(draw(st.sets(st.sampled_from(marks)))) if marks else []
            marks = [mark for mark in marks if mark not in taken]
            children.append(Child(name=child, marks=tuple(taken), netdev=draw(netdevs(mode))))
        wire, end = _WIRES[name]
        medium = transport(mode, wire=wire, end=end, reader=draw(st.sampled_from((1, 3))))
        links.append(
            Link(
                name=name,
                transport=medium,
                netdev=draw(netdevs(mode)),
                pmtu=draw(_PMTUS),
                poll=draw(_POLLS),
                children=tuple(children),
            )
        )
    return Config(links=tuple(links))
