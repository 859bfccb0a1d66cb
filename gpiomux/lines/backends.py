"""From a transport to its lines: chosen by the medium's name, imported late, never guessed.

Opening has two halves. `open_driver_fds` runs with privilege, in the daemon: it opens whatever the medium needs and
returns descriptors. `open_driver` runs in the datapath, which holds no privilege, and makes a driver of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.config.model import SimMedium
from gpiomux.errors import UnsupportedError
from gpiomux.lines.faults import set_faults
from gpiomux.lines.simulated import SimulatedLines
from gpiomux.lines.wire_file import open_wire

if TYPE_CHECKING:
    from gpiomux.config.model import Lines, Transport
    from gpiomux.lines.driver import LineDriver
    from gpiomux.rundir import RunDir


def require_supported(transport: Transport) -> None:
    """Say before anything is done that a medium cannot be driven.

    Raises:
        UnsupportedError: names the medium.
    """
    if not isinstance(transport.medium, SimMedium):
        name = {"GpioMedium": "gpio", "ShmMedium": "shm"}[type(transport.medium).__name__]
        raise UnsupportedError(
            f"medium {name} cannot be run by this version of gpiomux", hint="use `medium: sim`, simulated lines"
        )


def open_driver_fds(transport: Transport, rundir: RunDir) -> list[int]:
    """Open what the medium of `transport` needs; the caller hands the descriptors on and closes its own.

    Raises:
        UnsupportedError: this version cannot drive the medium.
        MachineError: a file of the medium cannot be opened.
    """
    require_supported(transport)
    medium, lines = transport.medium, transport.lines
    assert isinstance(medium, SimMedium)
    assert lines is not None
    set_faults(rundir.wire(medium.wire), medium.end, medium.faults, noisy=lines.into.data)
    return open_wire(rundir.wire(medium.wire), medium.end)


def open_driver(transport: Transport, fds: list[int]) -> LineDriver:
    """A driver over descriptors from `open_driver_fds`, which it owns from now on.

    Raises:
        UnsupportedError: this version cannot drive the medium.
        ProtocolError: the descriptors are not those of a simulated wire.
    """
    require_supported(transport)
    medium, lines = transport.medium, transport.lines
    assert isinstance(medium, SimMedium)
    assert lines is not None
    inputs, outputs = request_order(lines)
    return SimulatedLines(fds, medium.end, inputs=inputs, outputs=outputs)


def request_order(lines: Lines) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inputs and outputs of a link as offsets, in the order in which they are requested.

    Bit i of a driver's levels is line i of inputs + outputs: the word of `in`, its `req`, the `ack` of `out`; then
    the word of `out`, its `req`, the `ack` of `in`. `gpiomux.datapath.handshake` counts on it.
    """
    inputs = (*lines.into.data, lines.into.req, lines.out.ack)
    outputs = (*lines.out.data, lines.out.req, lines.into.ack)
    return inputs, outputs
