"""Consistent overhead byte stuffing: bytes without a zero byte, at most one byte longer in 254.

Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999. A zero byte
can then mean "end of frame" and nothing else, so a receiver finds the next frame whatever it has missed.
"""

from __future__ import annotations

GROUP = 254
"""Data bytes that one code byte can announce."""


def encode(data: bytes) -> bytes:
    """Stuff `data`; the result holds no zero byte."""
    out = bytearray()
    for run in data.split(b"\0"):
        whole, rest = divmod(len(run), GROUP)
        for start in range(0, whole * GROUP, GROUP):
            out.append(GROUP + 1)
            out += run[start : start + GROUP]
        out.append(rest + 1)
        out += run[whole * GROUP :]
    return bytes(out)


def decode(stuffed: bytes) -> bytes | None:
    """Undo `encode`; None if a code byte points beyond the end, or a zero byte is among them."""
    if not stuffed or 0 in stuffed:
        return None
    out = bytearray()
    position, end = 0, len(stuffed)
    while position < end:
        code = stuffed[position]
        following = position + code
        if following > end:
            return None
        out += stuffed[position + 1 : following]
        if code <= GROUP and following < end:  # a full group stands for no zero
            out.append(0)
        position = following
    return bytes(out)
