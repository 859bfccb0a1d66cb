"""Who watches the frames of an endpoint go by: nobody as a rule. The hot path asks `if tap is not None`, no more."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Damage(StrEnum):
    """Why something that came is no frame; each has its counter, `rx_crc_errors` and so on."""

    NONE = ""
    CRC = "crc"
    """The check sequence is wrong."""
    FRAMING = "framing"
    """No start byte, or stuffing that no encoder makes."""
    LENGTH = "length"
    """Longer or shorter than a frame may be."""


class FrameTap(Protocol):
    """Sees every frame of one endpoint."""

    def frame(self, outgoing: bool, data: bytes, damage: Damage) -> None:
        """See one frame, when it begins to go out or has wholly come.

        Args:
            outgoing: towards the peer.
            data: the frame without check sequence. Damaged ones: `CRC`, with the check sequence that came; `LENGTH`,
                the same, or as much of the line bytes as was kept; `FRAMING`, the line bytes as they came, stuffed.
            damage: what is wrong with it; never anything with what goes out.
        """
