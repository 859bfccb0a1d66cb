"""Rules of SHMStream channels: one writer each, and marks only where there is a place for them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from gpiomux.config.model import Mode
from gpiomux.config.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.config.spot import Spot
    from gpiomux.errors import Fault


def channel_faults(links: list[Spot]) -> Iterator[Fault]:
    """Everything about channels that breaks a rule."""
    return chain(_writer_faults(links), _mark_faults(links))


def _writer_faults(links: list[Spot]) -> Iterator[Fault]:
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


def _mark_faults(links: list[Spot]) -> Iterator[Fault]:
    """Children, which are told apart by marks, on a link whose elements have no place for a mark."""
    for link in links:
        mode, children = link.get("mode"), link.below("children")
        if link.get("medium") == "shm" and mode in (Mode.ETH, Mode.RAW) and children is not None and children.value:
            message = f"a channel carries no marks in mode {mode}, so that no packet could reach a child"
            yield children.fault(message, "remove the children, or use `mode: net_hdr`")
