"""Every counter there is: its name, what it tells, and its unit; and which tell of something wrong. Pure.

Whoever shows counters takes words and units from here: `stats`, gpiomux-counters(7), metrics. A test holds the table
against what the datapaths count, on all media.
"""

from __future__ import annotations

from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COUNTER, GAUGE = "counter", "gauge"
"""What only grows, and what is as it is at the moment."""


class Counter(Frozen):
    """One number that a link tells."""

    part: str
    """Under which name the answer to `stats` holds it; `protocols` stands within `interfaces`, `rings` in `info`."""
    name: str
    unit: str
    """What is counted, in the plural; empty for a state, which is 0 or 1."""
    help: str
    """One sentence, in words that hold for every medium."""
    kind: str = COUNTER


_LINK = (
    ("rx_packets", "packets", "Packets that have come from the peer, whole."),
    ("rx_bytes", "bytes", "Bytes of these packets."),
    ("tx_packets", "packets", "Packets that have arrived at the peer; where it does not tell: that have gone out."),
    ("tx_bytes", "bytes", "Bytes of these packets."),
    ("rx_frames", "frames", "Frames of every kind with a right check sequence."),
    ("tx_frames", "frames", "Frames of every kind that went out, resent ones included."),
    ("tx_resent", "frames", "Data frames that were sent again, because they were lost."),
    ("tx_dropped", "packets", "Packets given up: there was, or ceased to be, no carrier, or they were too long."),
    ("tx_ring_full", "packets", "Packets dropped because too many waited; each was the oldest of its flow."),
    ("rx_crc_errors", "frames", "Frames with a wrong check sequence."),
    ("rx_framing_errors", "frames", "Frames whose beginning, stuffing or end is broken."),
    ("rx_length_errors", "frames", "Frames, packets or elements longer or shorter than they may be."),
    ("rx_sequence_errors", "times", "What came out of order: frames outside the window, pieces without a beginning, "
     "gaps in the numbers of edges."),
    ("rx_type_errors", "frames", "Ethernet frames whose length field says more than has come (code gpiosk)."),
    ("rx_unknown", "frames", "Frames of a kind that this version does not know."),
    ("rx_duplicates", "frames", "Data frames that had arrived before."),
    ("rx_overruns", "times", "Times that the peer came round in its channel before it was read: all that waited is "
     "lost (medium shm)."),
    ("rx_incompatible", "streams", "Streams in the channel that could not be read (medium shm)."),
    ("rx_checksums_completed", "packets", "TCP and UDP checksums that the board had left out (code gpiosk)."),
    ("carrier_changes", "times", "Times that the carrier came or went."),
    ("peer_restarts", "times", "Times that a peer which was heard before began anew."),
    ("peer_stops", "times", "Times that the peer stopped writing its channel (medium shm)."),
)  # fmt: skip

_LINE = (
    ("words_in", "words", "Words that have come in."),
    ("words_out", "words", "Words that have gone out."),
    ("edges_in", "edges", "Edges that the kernel noted on the in lines, while the datapath watched for them."),
    ("edges_out", "edges", "Rising edges that were driven (code gpiosk)."),
    ("interrupts", "times", "Times that edges, or the bell of a channel, called the datapath."),
    ("polls", "times", "Times that the lines, or the channel, were looked at."),
    ("sleeps", "times", "Times that the datapath went to sleep."),
)
_SLEEPING = ("sleeping", "", "Whether the datapath sleeps until something happens.")

_INTERFACES = (
    ("rx_packets", "packets", "Packets from the wire that the kernel has taken."),
    ("rx_bytes", "bytes", "Bytes of these packets."),
    ("rx_dropped", "packets", "Packets that the kernel did not take: the interface is down or gone, or it is no packet "
     "of the link's mode."),
    ("rx_ring_full", "packets", "Datagrams dropped because too many waited for interfaces (rx_ring)."),
    ("rx_xdp", "packets", "Packets of rx_packets that an XDP program kept from the network stack."),
    ("tx_packets", "packets", "Packets that were taken from the kernel."),
    ("tx_bytes", "bytes", "Bytes of these packets."),
    ("tx_dropped", "packets", "Packets taken from the kernel that are none of the link's mode."),
    ("tx_fragmented", "packets", "Packets of tx_packets that were cut into fragments, as the MTU of their path is "
     "less."),
    ("tx_too_big", "packets", "Packets of tx_packets that were dropped for the same reason; their senders were told."),
)  # fmt: skip

_PROTOCOLS = (
    ("arp", "ARP packets."),
    ("ipv4", "IPv4 packets, whatever is in them."),
    ("ipv6", "IPv6 packets, whatever is in them."),
    ("icmp", "ICMP and ICMPv6 packets."),
    ("tcp", "TCP packets, over IPv4 or IPv6."),
    ("udp", "UDP packets, over IPv4 or IPv6."),
    ("other", "Packets that are neither ARP, ICMP, TCP, UDP nor raw."),
    ("raw", "Packets of a link in mode raw, whatever is in them."),
)

_RINGS = (
    ("tx_ring", "packets", "Packets that wait for the wire."),
    ("rx_ring", "packets", "Packets that wait for interfaces (rx_ring)."),
    ("window", "bytes", "Bytes that are on their way to the peer, or about to go."),
    ("in", "elements", "Elements in the channel that were not read yet (medium shm)."),
    ("out", "elements", "Elements in the channel to the peer that it has not read yet, as far as it tells "
     "(medium shm)."),
)  # fmt: skip

_CHANNEL = tuple(counter for counter in _LINE if counter[0] in ("interrupts", "polls", "sleeps"))

COUNTERS: tuple[Counter, ...] = (
    *(Counter("counters", *told) for told in _LINK),
    *(Counter("line", *told) for told in _LINE),
    Counter("line", *_SLEEPING, kind=GAUGE),
    *(Counter("channel", *told) for told in _CHANNEL),
    Counter("channel", *_SLEEPING, kind=GAUGE),
    *(Counter("interfaces", *told) for told in _INTERFACES),
    *(Counter("protocols", f"{way}_{name}", "packets", told) for way in ("rx", "tx") for name, told in _PROTOCOLS),
    *(Counter("rings", *told, kind=GAUGE) for told in _RINGS),
)
"""In the order in which people read them."""

_ERRORS = ("_errors", "_unknown", "_overruns", "_incompatible")
_DROPPED = ("_dropped", "_full", "_too_big")


def errors(counted: Mapping[str, Any]) -> int:
    """All that came damaged, or could not be understood, of the counters of a link or of an interface."""
    return _ending(counted, _ERRORS)


def dropped(counted: Mapping[str, Any]) -> int:
    """All packets that were given up, of the counters of a link or of an interface."""
    return _ending(counted, _DROPPED)


def _ending(counted: Mapping[str, Any], endings: tuple[str, ...]) -> int:
    return sum(value for name, value in counted.items() if name.endswith(endings))
