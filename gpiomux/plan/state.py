"""What a machine holds of ours, or shall hold: a set of frozen resources.

The wanted state is derived from a configuration, the observed one is read from the machine, and a plan is the
difference. Each resource has a `key` (what it is), may need others to stand first (`requires`), and belongs to a
floor (`FLOORS`): lower floors are made first and removed last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpiomux.config.model import GpioMedium, PollMode, ShmMedium, SimMedium, Transport

if TYPE_CHECKING:
    from gpiomux.config.gathered import Gathered

Key = tuple[str, ...]
"""Kind, then what tells one of that kind from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Netns:
    """A named network namespace of ours."""

    name: str

    @property
    def key(self) -> Key:
        return ("netns", self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A simulated wire: its directory under the run directory."""

    name: str

    @property
    def key(self) -> Key:
        return ("wire", self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """The chip of a link with real lines; `owner`, `group` and `mode` of its node can change while it stands."""

    link: str
    lines: tuple[Gathered, ...]
    """What it is gathered from, in order; empty for a device."""
    device: str | None = None
    """A device of the machine that is bound to the aggregator driver."""
    owner: str | None = None
    """Wanted: None leaves it as the system makes it; so for the next two."""
    group: str | None = None
    mode: int | None = None
    owner_id: int | None = None
    """Found: the number of the owner, which is wanted by name or by number; None in what is wanted. So for the next."""
    group_id: int | None = None

    @property
    def key(self) -> Key:
        return ("chip", self.link)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """An SHMStream channel that is in use, by whoever writes or reads it."""

    path: str
    size_bytes: int = field(compare=False)
    """Of the file, if there is none yet and we make it; one that is there is as long as it is."""

    @property
    def key(self) -> Key:
        return ("channel", self.path)

    @property
    def requires(self) -> tuple[Key, ...]:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A TUN or TAP device, tagged in its ifalias; all but `name`, `link` and `kind` can change while it stands."""

    name: str
    link: str
    """The link it serves; differs from `name` for a child."""
    kind: str
    """`tap` (mode eth), `tun` (net_hdr), or `tun-pi` (raw: with protocol information)."""
    netns: str | None
    mtu: int
    mac: str | None
    """Wanted: None leaves the choice to the kernel."""
    up: bool
    renamed: str | None = None
    """Found: what somebody has renamed it to; None in what is wanted."""
    rps: str | None = None
    """Found: the mask of CPUs to which packets that arrive are handed, so that their marks get lost; None where they
    are not, and in what is wanted."""

    @property
    def device(self) -> str:
        """The name that the kernel knows it by."""
        return self.name if self.renamed is None else self.renamed

    @property
    def key(self) -> Key:
        return ("interface", self.name)

    @property
    def requires(self) -> tuple[Key, ...]:
        return () if self.netns is None else (("netns", self.netns),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xdp:
    """An XDP program of ours on an interface of ours; another of the same mode can take its place in one step."""

    interface: str
    netns: str | None
    program: str
    """`pass`, `drop`, or the path of an ELF object."""
    name: str | None
    """Of the program in the object; None: the only one."""
    mode: str
    """`native` or `generic`."""
    stale: bool = False
    """Found: the object says something else by now than when it was loaded. Never wanted."""
    why: str = field(default="", compare=False)
    """Wanted: why this mode, where nobody has asked for one."""
    program_id: int | None = field(default=None, compare=False)
    """Found: the kernel's number of the program, by which undoing finds the very same again."""

    @property
    def key(self) -> Key:
        return ("xdp", self.interface)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("interface", self.interface),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address on an interface of ours, tagged by its IFA_PROTO."""

    interface: str
    netns: str | None
    address: str
    """With prefix length, canonical text."""

    @property
    def key(self) -> Key:
        return ("address", self.interface, self.address)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("interface", self.interface),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route through an interface of ours, tagged by its routing protocol number."""

    interface: str
    netns: str | None
    to: str
    via: str | None
    metric: int | None

    @property
    def key(self) -> Key:
        return ("route", self.interface, self.to, self.via or "", str(self.metric or 0))

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("interface", self.interface),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapath:
    """The process that runs a link."""

    link: str
    transport: Transport

    @property
    def key(self) -> Key:
        return ("datapath", self.link)

    @property
    def requires(self) -> tuple[Key, ...]:
        medium, lines = self.transport.medium, self.transport.lines
        interface = ("interface", self.link)
        if isinstance(medium, SimMedium):
            return (interface, ("wire", medium.wire))
        if isinstance(medium, GpioMedium) and lines is not None and lines.aggregate:
            return (interface, ("chip", self.link))
        if isinstance(medium, ShmMedium):
            return (interface, ("channel", medium.out), ("channel", medium.into))
        return (interface,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How a datapath waits, where it is not the default; can change while it stands. `gpiomux.config.model.Poll`."""

    link: str
    mode: PollMode
    idle_us: int | None
    budget: int | None

    @property
    def key(self) -> Key:
        return ("poll", self.link)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("datapath", self.link),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pmtu:
    """What the packets of one mark may have at most that leave through a link; `limit_bytes` can change."""

    link: str
    mark: int
    limit_bytes: int

    @property
    def key(self) -> Key:
        return ("pmtu", self.link, str(self.mark))

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("datapath", self.link),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A child interface in the hands of its link's datapath."""

    link: str
    child: str

    @property
    def key(self) -> Key:
        return ("child", self.child)

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("datapath", self.link), ("interface", self.child))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark bound to a child."""

    link: str
    child: str
    mark: int

    @property
    def key(self) -> Key:
        return ("mark", self.link, str(self.mark))

    @property
    def requires(self) -> tuple[Key, ...]:
        return (("child", self.child),)


Held = Poll | Pmtu | Attachment | Mark
"""What lives in the process of a datapath, is asked of it, and goes with it."""

Resource = Netns | Wire | Chip | Channel | Interface | Xdp | Address | Route | Datapath | Held

FLOORS: tuple[type[Resource], ...] = (
    Netns,
    Wire,
    Chip,
    Channel,
    Interface,
    Xdp,
    Address,
    Route,
    Datapath,
    Poll,
    Pmtu,
    Attachment,
    Mark,
)
"""The order in which resources are made."""

State = frozenset[Resource]
