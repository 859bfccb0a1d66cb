"""The numbers that one end of a link keeps. They only grow; whoever wants a rate subtracts."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Counted by the wire protocol; `tx` is towards the peer, `rx` from it."""

    tx_packets: int = 0
    """Packets that have wholly arrived; datagrams: have gone out."""
    tx_bytes: int = 0
    """Bytes of these packets."""
    tx_frames: int = 0
    """Frames of every kind, resent ones included."""
    tx_resent: int = 0
    """Data frames sent again."""
    tx_dropped: int = 0
    """Packets given up because there was, or ceased to be, no carrier, or because they were too long."""
    tx_ring_full: int = 0
    """Packets dropped because too many waited: each was the oldest of the flow that held most."""
    rx_packets: int = 0
    """Packets that have wholly arrived."""
    rx_bytes: int = 0
    """Bytes of these packets."""
    rx_frames: int = 0
    """Frames with a right check sequence."""
    rx_crc_errors: int = 0
    """Frames with a wrong check sequence."""
    rx_framing_errors: int = 0
    """No start byte, or stuffing that no encoder makes."""
    rx_length_errors: int = 0
    """Frames or packets longer or shorter than they may be."""
    rx_unknown: int = 0
    """Frames of an unknown kind."""
    rx_duplicates: int = 0
    """Data frames that had arrived before."""
    rx_sequence_errors: int = 0
    """Data frames outside the window, pieces that continue nothing, packets that another one cut short."""
    carrier_changes: int = 0
    """Times that the carrier came or went."""
    peer_restarts: int = 0
    """New epochs of a peer that was heard before."""

    def as_dict(self) -> dict[str, int]:
        """Name to value, in the order above."""
        return asdict(self)
