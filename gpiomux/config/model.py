"""What is wanted, as frozen data: the configuration after every check.

The words are those of the file format, gpiomux.yaml(5). A value here is valid by itself; what concerns several values
at once is checked in `gpiomux.config.rules` before a model is handed to anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TX_RING = 256
"""Default of `Transport.tx_ring`."""
CHANNEL_ELEMENTS = 1024
"""Default of `ShmMedium.elements`."""
POLL_MS = 5
"""Default of `ShmMedium.poll_ms`."""
GPIOSK_MTU = 1486
"""Default and highest MTU of `GpioskCode`: gpiosk has room for frames of 1500 bytes, and overruns with longer ones."""


class Delivery(StrEnum):
    """What happens to packets that the lines lose."""

    RELIABLE = "reliable"
    """They are sent again until they have arrived."""
    DATAGRAM = "datagram"
    """They are lost, and none that follows waits for them."""


class Mode(StrEnum):
    """What a link carries; the terms and the wire header are muennet's."""

    ETH = "eth"
    """Ethernet frames without check sequence, from a TAP device."""
    NET_HDR = "net_hdr"
    """IPv4 and IPv6 packets, from a TUN device."""
    RAW = "raw"
    """Any payload with a 16-bit protocol number, from a TUN device through a packet socket."""


class PollMode(StrEnum):
    """What a datapath does while nothing comes."""

    AUTO = "auto"
    """It goes on looking for a while if that pays off, which it learns, and then sleeps until it is woken."""
    IRQ = "irq"
    """It sleeps at once."""
    BUSY = "busy"
    """It looks all the time, and so takes a CPU whether anybody sends or not."""


class Bias(StrEnum):
    """What pulls an input that nobody drives."""

    AS_IS = "as-is"
    DISABLED = "disabled"
    PULL_UP = "pull-up"
    PULL_DOWN = "pull-down"


class Drive(StrEnum):
    """How an output drives its levels."""

    PUSH_PULL = "push-pull"
    OPEN_DRAIN = "open-drain"
    OPEN_SOURCE = "open-source"


class Idle(StrEnum):
    """What becomes of the outputs of a link that runs no more."""

    INPUT = "input"
    KEEP = "keep"
    """The kernel and its driver decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolIds:
    """Must match the peer's crosswise: our reader its writer, our writer its reader. Each 1..2^64-1."""

    reader: int
    writer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The lines of one direction, as offsets in the link's own chip (bundled data: two-phase handshake)."""

    data: tuple[int, ...]
    """1, 2, 4 or 8 offsets, least significant bit first."""
    req: int
    """Toggled by the sender when a word stands on `data`."""
    ack: int
    """Toggled by the receiver when it has taken the word; runs against the direction of `data`."""

    @property
    def forward(self) -> tuple[int, ...]:
        """What the sender of this direction drives."""
        return (*self.data, self.req)

    @property
    def backward(self) -> tuple[int, ...]:
        """What the receiver of this direction drives."""
        return (self.ack,)

    def parts(self) -> dict[str, tuple[int, ...]]:
        """The offsets by their key in the file."""
        return {"data": self.data, "req": (self.req,), "ack": (self.ack,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseLines:
    """The lines of one direction of gpiosk's pulse code, as offsets in the link's own chip."""

    ctl: int
    """One pulse inverts the value of what follows on `data`, three announce the start or end of a frame."""
    data: int
    """One pulse is one bit, or the end of a delimiter."""

    @property
    def forward(self) -> tuple[int, ...]:
        """What the sender of this direction drives."""
        return (self.ctl, self.data)

    @property
    def backward(self) -> tuple[int, ...]:
        """What the receiver of this direction drives: nothing."""
        return ()

    def parts(self) -> dict[str, tuple[int, ...]]:
        """The offsets by their key in the file."""
        return {"ctl": (self.ctl,), "data": (self.data,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSource:
    """Where lines of the link's chip come from: offsets of a chip, or one line by its name."""

    chip: str | None = None
    """Label of the source chip; None for a line by name."""
    offsets: tuple[int, ...] = ()
    """Offsets on that chip, in the order in which they are gathered."""
    name: str | None = None
    """Name of a single line; None where `chip` is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The lines of a link by role, and for real chips where they come from."""

    out: Bundle | PulseLines
    into: Bundle | PulseLines
    """`in` in the file; of the same kind as `out`, which is that of the line code."""
    sources: tuple[LineSource, ...] = ()
    """`from` in the file: gathered into one chip in this order; empty for simulated lines, and with `device`."""
    device: str | None = None
    """A platform device that has the lines already, bound to the aggregator driver; instead of `sources`."""
    aggregate: bool = True
    """False: the link runs on its source chip itself, without an aggregator chip."""
    bias: Bias = Bias.AS_IS
    """Of the inputs."""
    drive: Drive = Drive.PUSH_PULL
    """Of the outputs."""
    active_low: tuple[int, ...] = ()
    """Offsets of the lines that carry 1 as the low level, ascending."""
    idle: Idle = Idle.INPUT

    @property
    def inputs(self) -> tuple[int, ...]:
        """The offsets that this end reads, in the order in which they are requested."""
        return (*self.into.forward, *self.out.backward)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The offsets that this end drives, in the order in which they are requested."""
        return (*self.out.forward, *self.into.backward)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a simulated wire does wrong on the way to this end; all off by default."""

    flip_rate: float = 0.0
    """Probability, 0..1, that a data line arrives inverted, drawn for each line at each change of levels."""
    stuck: tuple[tuple[int, int], ...] = ()
    """Pairs (offset, level): this line of this end always reads so."""
    cut: bool = False
    """Every input of this end reads inactive."""
    delay_us: int = 0
    """Time that each change of levels takes to reach this end; the setter waits for it."""
    loss_rate: float = 0.0
    """Probability that a word does not come, though the sender hears it answered."""
    double_rate: float = 0.0
    """Probability that a word comes twice, though the sender hears one answer."""
    reorder_rate: float = 0.0
    """Probability that `req` comes before the data that it tells of."""
    seed: int = 0
    """Of the random numbers behind the rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimMedium:
    """Simulated lines: an end of a wire between two chips, line i of one at line (i + 16) mod 32 of the other."""

    wire: str
    """Name of the wire; both ends name the same."""
    end: str
    """`a` or `b`."""
    external: bool = False
    """The other end is not in this configuration: another gpiomux on the same run directory holds it."""
    faults: Faults = Faults()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpioMedium:
    """Real GPIO lines, gathered into one aggregator chip; access to its device node."""

    owner: str | None = None
    group: str | None = None
    mode: int | None = None
    """Permission bits, for example 0o660."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShmMedium:
    """A pair of SHMStream version 2 channels."""

    out: str
    """Path of the channel that we write."""
    into: str
    """`in` in the file: path of the channel that we read."""
    elements: int = CHANNEL_ELEMENTS
    """Packets that a channel holds, 2..65536, if we make its file; one that is there is as long as it is."""
    poll_ms: int = POLL_MS
    """Pause between two looks at a quiet channel whose writer does not ring, 1..10000."""


Medium = SimMedium | GpioMedium | ShmMedium


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeCode:
    """Bundled data with request and acknowledgement: how words move over lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpioskCode:
    """The pulses of gpiosk, without acknowledgement and without our wire protocol."""

    interval_us: int = 64
    """From one rising edge to the next, on either line, 1..1000."""


Code = HandshakeCode | GpioskCode
"""The line code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """All that a datapath is started with; a change of any of it restarts that link's datapath."""

    mode: Mode
    protocol: ProtocolIds | None
    """None for the code `gpiosk`, which has none."""
    medium: Medium
    lines: Lines | None
    """None for `shm`, which has no lines."""
    code: Code = HandshakeCode()
    delivery: Delivery = Delivery.RELIABLE
    """Must be the same at both ends."""
    tx_ring: int = TX_RING
    """Packets that may wait for the wire, 1..4096; of more, the flow that holds most loses its oldest."""
    rx_ring: int | None = None
    """Packets that an interface may hold, and as many that may wait for it, 1..4096; None: it takes all it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route through an interface."""

    to: str
    """Destination with prefix length, host bits zero, canonical text; a default route is 0.0.0.0/0 or ::/0."""
    via: str | None = None
    """Gateway address, canonical text."""
    metric: int | None = None
    """None: the kernel's default."""


class XdpMode(StrEnum):
    """Where an XDP program runs."""

    NATIVE = "native"
    """In the driver, before a frame becomes a packet of the kernel."""
    GENERIC = "generic"
    """In the network stack, on the finished packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Xdp:
    """A program that sees each packet before the network stack does."""

    program: str
    """`pass` or `drop`, which are built in, or the absolute path of an ELF object."""
    name: str | None = None
    """Of the program in the object; None: the only XDP program that it has."""
    mode: XdpMode | None = None
    """None: native where the interface really can, else generic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Netdev:
    """A network interface as the configuration wants it."""

    mtu: int = 1500
    hwid: int | None = None
    """1..9: the address 46:45:54:48:30:3N, our unicast variant of gpiosk's rule; mode `eth` only."""
    mac: str | None = None
    """Ethernet address, lower case with colons; mode `eth` only, and not together with `hwid`."""
    netns: str | None = None
    """Name of a network namespace; None: the namespace of the daemon."""
    up: bool = True
    addresses: tuple[str, ...] = ()
    """Canonical text with prefix length, for example `10.10.0.1/24`."""
    routes: tuple[Route, ...] = ()
    xdp: Xdp | None = None

    @property
    def hardware_address(self) -> str | None:
        """`mac`, or the address that `hwid` stands for, or None where the kernel may choose."""
        if self.hwid is not None:
            return f"46:45:54:48:30:3{self.hwid}"
        return self.mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """An interface that shares a link and receives the packets whose mark is bound to it."""

    name: str
    marks: tuple[int, ...] = ()
    """Netfilter marks, 1..2^32-1, ascending."""
    netdev: Netdev = Netdev()


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How a datapath waits for its lines, or for its channel; the words are those of NAPI."""

    mode: PollMode = PollMode.AUTO
    idle_us: int | None = None
    """How long `auto` goes on looking after the last word, 1..1000000, at most; None: as long as 400 looks at the lines
    take, or 200 for `shm`."""
    budget: int | None = None
    """Words, or elements of a channel, after which interfaces and the daemon get their turn, 1..65536; None: 4096, or
    64 for `shm`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: its interface, what drives it, and its children. The interface bears the link's name."""

    name: str
    transport: Transport
    netdev: Netdev = Netdev()
    pmtu: tuple[tuple[int, int], ...] = ()
    """Pairs (mark 1..2^32-1, bytes 68..65535), ascending: an IP packet that leaves with the mark is no longer."""
    poll: Poll = Poll()
    """Not with the code `gpiosk`."""
    children: tuple[Child, ...] = ()

    @property
    def netdevs(self) -> dict[str, Netdev]:
        """The interfaces by name: the link's own, then those of its children."""
        return {self.name: self.netdev, **{child.name: child.netdev for child in self.children}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything one configuration file wants."""

    links: tuple[Link, ...] = ()
