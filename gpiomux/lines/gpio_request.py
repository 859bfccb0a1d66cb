"""Real lines, the privileged half: requests them through gpiod, and hands the descriptor of the request on.

Permission is checked only when the node of a chip is opened; whoever holds the descriptor of a request may move its
lines. One request holds all lines of a link: inputs, then outputs, in the order of `backends.chip_offsets`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import gpiod
from gpiod.line import Bias as GpiodBias
from gpiod.line import Direction, Value
from gpiod.line import Drive as GpiodDrive

from gpiomux.config.model import Bias, Drive, PulseLines
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gpiomux.config.model import Lines

BIAS = {
    Bias.AS_IS: GpiodBias.AS_IS,
    Bias.DISABLED: GpiodBias.DISABLED,
    Bias.PULL_UP: GpiodBias.PULL_UP,
    Bias.PULL_DOWN: GpiodBias.PULL_DOWN,
}
DRIVE = {
    Drive.PUSH_PULL: GpiodDrive.PUSH_PULL,
    Drive.OPEN_DRAIN: GpiodDrive.OPEN_DRAIN,
    Drive.OPEN_SOURCE: GpiodDrive.OPEN_SOURCE,
}

EVENT_QUEUE = 1024
"""Of each request: the most that the kernel grants. The pulse code needs it, the handshake hardly ever queues one."""

Settings = dict["Iterable[int | str] | int | str", "gpiod.LineSettings | None"]


def request(
    node: Path, lines: Lines, inputs: Sequence[int], outputs: Sequence[int], low: frozenset[int], consumer: str
) -> int:
    """Request lines of a chip: outputs keep the level that they have, those of the pulse code are low; edges are off.

    Args:
        node: of the chip.
        lines: tells bias and drive.
        inputs: offsets on that chip, in the order of the request; `outputs` follow.
        outputs: see `inputs`.
        low: those of both that are active low.
        consumer: what the kernel shows as the user of the lines, up to 31 characters.

    Returns:
        A descriptor that does not block; the caller closes it, and the lines are released with its last copy.

    Raises:
        MachineError: the kernel refuses; errno is EBUSY if somebody else has a line.
    """
    as_is: Settings = {offset: gpiod.LineSettings(active_low=offset in low) for offset in (*inputs, *outputs)}
    try:
        with gpiod.request_lines(str(node), as_is, consumer=consumer, event_buffer_size=EVENT_QUEUE) as held:
            if isinstance(lines.out, PulseLines):  # what was left high falls, and gpiosk boards count no falling edge
                levels = dict.fromkeys(outputs, Value.INACTIVE)
            else:  # what stands on the outputs is read before they are driven, so that the peer sees no level change
                levels = dict(zip(outputs, held.get_values(list(outputs)), strict=True))
            held.reconfigure_lines(_settings(lines, inputs, levels, low))
            fd = os.dup(held.fd)
            os.set_blocking(fd, False)  # a reader that sleeps in read(2) keeps its chip from being removed
            return fd
    except (OSError, ValueError) as err:
        raise refused(node, err) from err


def rest(node: Path, offsets: Sequence[int], consumer: str) -> None:
    """Make lines inputs and release them.

    Raises:
        MachineError: the kernel refuses.
    """
    settings: Settings = {tuple(offsets): gpiod.LineSettings(direction=Direction.INPUT)}
    try:
        gpiod.request_lines(str(node), settings, consumer=consumer).release()
    except (OSError, ValueError) as err:
        raise refused(node, err) from err


def _settings(lines: Lines, inputs: Sequence[int], levels: dict[int, Value], low: frozenset[int]) -> Settings:
    settings: Settings = {
        offset: gpiod.LineSettings(direction=Direction.INPUT, bias=BIAS[lines.bias], active_low=offset in low)
        for offset in inputs
    }
    for offset, level in levels.items():
        settings[offset] = gpiod.LineSettings(
            direction=Direction.OUTPUT, drive=DRIVE[lines.drive], active_low=offset in low, output_value=level
        )
    return settings


def refused(node: Path, err: OSError | ValueError) -> MachineError:
    """What gpiod raises, as an error of ours; it tells EINVAL in ways of its own."""
    # gpiod turns EINVAL into a ValueError that has the number as its first argument, and an offset that is too high
    # into one without.
    number = err.errno or 0 if isinstance(err, OSError) else next((it for it in err.args if isinstance(it, int)), 22)
    text = os.strerror(number) if isinstance(err, OSError) or len(err.args) == 2 else str(err)
    return MachineError(f"{node}: cannot request the lines of the link: {text}", errno=number)
