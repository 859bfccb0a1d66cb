"""What one end of a link has to tell the program around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpiomux.wire.frame import Hello
    from gpiomux.wire.packet import Packet


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Both ends fit and hear each other: there is a carrier."""

    peer: Hello


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The carrier is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """A whole packet has come, in order."""

    packet: Packet


Event = LinkUp | LinkDown | PacketReceived
