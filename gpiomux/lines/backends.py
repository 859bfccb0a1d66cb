"""From a transport to its lines: chosen by the medium's name, imported late, never guessed.

Opening has two halves. `open_driver_fds` runs with privilege, in the daemon: it opens whatever the medium needs and
returns descriptors. `open_driver` runs in the datapath, which holds no privilege, and makes a driver of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.gathered import gathered
from gpiomux.config.model import Bundle, GpioMedium, GpioskCode, SimMedium
from gpiomux.lines.faults import set_faults
from gpiomux.lines.gpiochip import GpioLines
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import open_wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gpiomux.config.model import Lines, Transport
    from gpiomux.lines.driver import LineDriver
    from gpiomux.rundir import RunDir


def open_driver_fds(transport: Transport, rundir: RunDir, *, node: Path | None = None, consumer: str = "") -> list[int]:
    """Open what the medium of `transport` needs; the caller hands the descriptors on and closes its own.

    Args:
        transport: of the link.
        rundir: where simulated wires are.
        node: of the chip of real lines.
        consumer: what the kernel shows as the user of real lines.

    Raises:
        MachineError: a file of the medium cannot be opened.
    """
    medium, lines = transport.medium, transport.lines
    assert lines is not None
    if isinstance(medium, GpioMedium):
        from gpiomux.lines.gpio_request import request  # late: a machine without real lines needs no gpiod

        assert node is not None
        inputs, outputs = chip_offsets(lines)
        return [request(node, lines, inputs, outputs, low_offsets(lines, inputs, outputs), consumer)]
    assert isinstance(medium, SimMedium)
    set_faults(rundir.wire(medium.wire), medium.end, medium.faults, lines.into)
    return open_wire(rundir.wire(medium.wire), medium.end)


def open_driver(transport: Transport, fds: list[int]) -> LineDriver:
    """A driver over descriptors from `open_driver_fds`, which it owns from now on.

    Raises:
        ProtocolError: the descriptors are not those of a simulated wire.
        OSError: the chip is gone.
    """
    medium, lines = transport.medium, transport.lines
    assert lines is not None
    if isinstance(medium, GpioMedium):
        return _gpio_lines(lines, fds)
    assert isinstance(medium, SimMedium)
    rising_only = isinstance(transport.code, GpioskCode)
    return SimulatedLines(fds, medium.end, inputs=lines.inputs, outputs=lines.outputs, rising_only=rising_only)


def _gpio_lines(lines: Lines, fds: list[int]) -> GpioLines:
    inputs, outputs = chip_offsets(lines)
    (fd,) = fds
    return GpioLines(
        fd,
        inputs=inputs,
        outputs=outputs,
        low=low_offsets(lines, inputs, outputs),
        bias=lines.bias,
        drive=lines.drive,
        # The handshake sleeps on what says that something is to be done: the peer's `req`, and the `ack` of ours.
        watched=inputs[len(lines.into.data) :] if isinstance(lines.into, Bundle) else inputs,
        rising_only=not isinstance(lines.into, Bundle),
    )


def chip_offsets(lines: Lines) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inputs and outputs of a link, in the order in which they are requested, as offsets of its chip.

    Bit i of a driver's levels is line i of inputs + outputs. For the handshake: the word of `in`, its `req`, the `ack`
    of `out`; then the word of `out`, its `req`, the `ack` of `in`. For the pulse code: `ctl` and `data` of `in`; then
    of `out`. `gpiomux.lines.handshake` and `gpiomux.datapath.pulse_pump` count on it.
    """
    inputs, outputs = lines.inputs, lines.outputs
    if lines.aggregate:
        return inputs, outputs
    sources = [line.offset for line in gathered("", lines)]
    return _on(sources, inputs), _on(sources, outputs)


def _on(sources: list[int | None], offsets: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(source for offset in offsets if (source := sources[offset]) is not None)


def low_offsets(lines: Lines, inputs: Sequence[int], outputs: Sequence[int]) -> frozenset[int]:
    """Those of `chip_offsets` that are active low."""
    own = (*lines.inputs, *lines.outputs)
    return frozenset(offset for offset, name in zip((*inputs, *outputs), own, strict=True) if name in lines.active_low)
