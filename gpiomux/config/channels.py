"""Rules of SHMStream channels: one writer each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault


def channel_faults(links: list[Spot]) -> Iterator[Fault]:
    """Channels that two links write, or that a link reads from itself."""
    written: dict[str, int] = {}
    for link in links:
        out, into = link.below("channels", "out"), link.below("channels", "in")
        if out is None:
            continue
        if into is not None and into.value == out.value:
            yield into.fault(f"{quoted(into.value)} is the channel that this link writes", "name the peer's channel")
        if out.value in written:
            message = f"the channel {quoted(out.value)} is written already, in line {written[out.value]}"
            yield out.fault(message, "name another file: a channel has one writer")
        written.setdefault(out.value, out.line)
