"""Links on the null modem as tests write them down, and what is to be seen of their chips."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gpiomux.aggregator.chip import Chips
from gpiomux.aggregator.inventory import Chip, read_chips
from gpiomux.aggregator.node import Access
from gpiomux.aggregator.roots import Roots
from gpiomux.config.gathered import Gathered
from gpiomux.config.model import Bundle, Lines
from gpiomux.lines.gpio_request import request
from gpiomux.lines.gpiochip import GpioLines
from tests.kernel import modem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpiomux.lines.driver import LineDriver

DEV = Path("/dev")
DEVICES = Path("/sys/bus/platform/devices")
ROLES = Lines(out=Bundle(data=tuple(range(8)), req=8, ack=19), into=Bundle(data=tuple(range(10, 18)), req=18, ack=9))
"""A link of 8 bits on a chip of the offsets 0-9 and 16-25."""
OUTPUTS, INPUTS = tuple(range(10)), tuple(range(10, 20))
GATHERED = (*range(10), *range(16, 26))


@contextmanager
def made(run: Path, door: str, end: int, offsets: Sequence[int] = GATHERED) -> Iterator[Path]:
    """Inside the block there is an aggregator of lines of one end of the null modem."""
    chips = Chips(Roots(run=run), door)
    lines = tuple(Gathered(key=modem.LABELS[end], offset=offset) for offset in offsets)
    yield chips.make(f"end{end}", lines, None, Access())
    chips.remove(f"end{end}")


def driver(node: Path, inputs: Sequence[int], outputs: Sequence[int]) -> LineDriver:
    """Both halves of the road to real lines."""
    fd = request(node, ROLES, inputs, outputs, frozenset(), "gpiomux-test")
    return GpioLines(fd, inputs=inputs, outputs=outputs)


def chip(label: str) -> Chip:
    """The one chip of that label."""
    (found,) = (chip for chip in read_chips(DEV) if chip.label == label)
    return found


def consumers(label: str) -> set[str]:
    """Who holds lines of a chip."""
    return {line.consumer for line in chip(label).lines if line.used}


def aggregators() -> list[str]:
    """Devices of the aggregator driver, and groups of its other door."""
    groups = Path("/sys/kernel/config/gpio-aggregator")
    return sorted(path.name for path in (*DEVICES.glob("gpio-aggregator.*"), *groups.iterdir()))


def two_links(
    *,
    mode: str = "net_hdr",
    width: int = 8,
    aggregate: bool = True,
    near: str = "",
    far: str = "",
    settings: str = "",
) -> str:
    """Two links, one on each end of the null modem, geth1 in the namespace `far`.

    Args:
        mode: of both links.
        width: data lines each way.
        aggregate: false: on the chips of the null modem themselves.
        near: more properties of geth0, in flow style, with a comma in front.
        far: more properties of geth1.
        settings: more properties of the lines of both.
    """
    out = f"{{data: {list(range(width))}, req: 8, ack: 19}}"
    into = f"{{data: {list(range(10, 10 + width))}, req: 18, ack: 9}}"
    bare = "" if aggregate else ", aggregate: false"

    def link(name: str, label: str, reader: int, writer: int, rest: str) -> str:
        origin = f'from: [{{chip: {label}, offsets: "0-9,16-25"}}]{bare}{settings}'
        return (
            f"  - {{name: {name}, mode: {mode}, medium: gpio, protocol: {{reader: {reader}, writer: {writer}}},\n"
            f"     lines: {{{origin}, out: {out}, in: {into}}},\n"
            f"     {rest}}}\n"
        )

    return (
        "links:\n"
        + link("geth0", modem.LABELS[0], 1, 2, f"addresses: [10.10.0.1/24]{near}")
        + link("geth1", modem.LABELS[1], 2, 1, f"addresses: [10.10.0.2/24], netns: far{far}")
    )
