"""Real lines, the unprivileged half: a line driver over the descriptor of a request of lines (gpio_request.py).

Structures and numbers are those of linux/gpio.h, version 2 of the interface; the hot path goes straight to ioctl(2),
with buffers that are made once.
"""

from __future__ import annotations

import os
import struct
from fcntl import ioctl
from typing import TYPE_CHECKING

from gpiomux.config.model import Bias, Drive
from gpiomux.lines.driver import EdgeEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

SET_CONFIG = 0xC110B40D
GET_VALUES = 0xC010B40E
SET_VALUES = 0xC010B40F
"""_IOWR(0xB4, 0x0D..0x0F); so encoded on all architectures but powerpc, mips and sparc."""

ACTIVE_LOW, INPUT, OUTPUT, RISING_EDGE, BOTH_EDGES = 0x2, 0x4, 0x8, 0x10, 0x30
_BIAS = {Bias.AS_IS: 0, Bias.PULL_UP: 0x100, Bias.PULL_DOWN: 0x200, Bias.DISABLED: 0x400}
_DRIVE = {Drive.PUSH_PULL: 0, Drive.OPEN_DRAIN: 0x40, Drive.OPEN_SOURCE: 0x80}

CONFIG_BYTES = 272
_ATTRIBUTES_AT, _ATTRIBUTE_BYTES = 32, 24
_FLAGS, _LEVELS = 1, 2
_ATTRIBUTE = struct.Struct("=IIQQ")
_EVENT = struct.Struct("=QIIII24x")
_RISING = 1
_MOST_EVENTS = 1024
"""The kernel's limit for a queue."""


class GpioLines:
    """Lines of one chip; keeps the promises of `gpiomux.lines.driver.LineDriver`.

    `atomic` is False, because nothing tells whether a chip is (drivers/gpio/gpiolib.c of Linux 7.3, gpio-mmio.c):

    - Without `set_multiple` and `get_multiple`, as pinctrl-bcm2835 and pinctrl-rp1 are, gpiolib sets and reads the
      lines of one ioctl(2) one after another in ascending offset of the chip, whatever their order in the request
      (gpiochip_set_multiple, gpio_chip_get_multiple).
    - With `set_multiple` they need not change together either: a chip with one register that sets and another that
      clears writes the first before the second (bgpio_set_multiple_with_clear). A `req` that rises then overtakes
      data that falls, so not even offsets in the right order allow both in one ioctl.
    - An aggregator always has both, and passes the lines on in runs of neighbours on the same chip beneath, each run
      in one of the two ways above (gpio_fwd_set_multiple in gpio-aggregator.c). Open drain and open source lines go
      singly, before the others (gpiod_set_array_value_complex).

    *Threads and processes:* one thread; the chip may be anyone's. Owns its descriptor.
    """

    atomic = False

    def __init__(
        self,
        fd: int,
        *,
        inputs: Sequence[int],
        outputs: Sequence[int],
        low: Collection[int] = (),
        bias: Bias = Bias.AS_IS,
        drive: Drive = Drive.PUSH_PULL,
        watched: Sequence[int] | None = None,
        rising_only: bool = False,
    ) -> None:
        """Take over the descriptor of a request of `inputs` + `outputs`, which are offsets of the chip.

        Args:
            fd: from `gpio_request.request`.
            inputs: bit i of all levels is line i of `inputs` + `outputs`.
            outputs: see `inputs`.
            low: offsets that are active low.
            bias: as requested, of all inputs.
            drive: as requested, of all outputs.
            watched: inputs whose edges are told; None for all. Each costs time whenever edges are switched.
            rising_only: falling edges are not told, so that a pulse is one event however short it is.

        Raises:
            OSError: the chip is gone.
        """
        self._fd = fd
        self._bits = {offset: bit for bit, offset in enumerate((*inputs, *outputs))}
        self._in_mask = (1 << len(inputs)) - 1
        self._out_mask = (1 << len(inputs) + len(outputs)) - 1 & ~self._in_mask
        low_bits = sum(1 << bit for offset, bit in self._bits.items() if offset in low)
        watched_bits = sum(1 << self._bits[offset] for offset in (inputs if watched is None else watched))
        told = RISING_EDGE if rising_only else BOTH_EDGES
        self._on, self._off = (
            _config(watched_bits, edges, self._out_mask, low_bits, bias, drive) for edges in (told, 0)
        )
        self._repeats_levels = drive is not Drive.PUSH_PULL
        self._reading = memoryview(bytearray(16)).cast("Q")
        self._writing = memoryview(bytearray(16)).cast("Q")
        self._reading[1] = self._in_mask | self._out_mask
        ioctl(fd, GET_VALUES, self._reading)
        self._driven = self._reading[0] & self._out_mask

    def get(self, inputs: int | None = None) -> int:
        """See LineDriver."""
        reading = self._reading
        reading[1] = self._in_mask if inputs is None else inputs
        ioctl(self._fd, GET_VALUES, reading)
        return reading[0] | self._driven

    def set(self, bits: int) -> None:
        """See LineDriver. Only lines that change are set, as each may cost; all of them if none does."""
        bits &= self._out_mask
        writing = self._writing
        writing[0] = bits
        writing[1] = bits ^ self._driven or self._out_mask
        self._driven = bits
        ioctl(self._fd, SET_VALUES, writing)

    def set_edges(self, on: bool) -> None:
        """See LineDriver."""
        config = self._on if on else self._off
        if self._repeats_levels:
            _ATTRIBUTE.pack_into(config, _place(0), _LEVELS, 0, self._driven, self._out_mask)
        ioctl(self._fd, SET_CONFIG, config)

    def fileno(self) -> int:
        """See LineDriver."""
        return self._fd

    def read_events(self) -> list[EdgeEvent]:
        """See LineDriver."""
        try:
            records = os.read(self._fd, _MOST_EVENTS * _EVENT.size)
        except BlockingIOError:
            return []
        events = [
            EdgeEvent(timestamp_ns, kind == _RISING, self._bits[offset], seqno, line_seqno)
            for timestamp_ns, kind, offset, seqno, line_seqno in _EVENT.iter_unpack(records)
        ]
        # Each line has an interrupt thread of its own, and they queue events as they are scheduled. Numbers wrap.
        if len(events) > 1:
            first = events[0].seqno
            events.sort(key=lambda event: (event.seqno - first + 0x80000000) & 0xFFFFFFFF)
        return events

    def close(self) -> None:
        """See LineDriver. What becomes of the levels is up to the kernel's driver."""
        if self._fd >= 0:
            self._reading.release()
            self._writing.release()
            os.close(self._fd)
            self._fd = -1


def _place(index: int) -> int:
    return _ATTRIBUTES_AT + index * _ATTRIBUTE_BYTES


def _config(watched: int, edges: int, outputs: int, low: int, bias: Bias, drive: Drive) -> bytearray:
    """A `struct gpio_v2_line_config` that switches the edges of the inputs `watched`, and leaves all else as it is.

    Lines without a direction are left alone from Linux 6.10 on; before that they lost all flags but those stated, so
    active low is stated, and open drain or source, which must not be stated without the direction, with it and with
    the levels (attribute 0, which `set_edges` fills in).
    """
    watching = INPUT | edges | _BIAS[bias]
    output = OUTPUT | _DRIVE[drive] if _DRIVE[drive] else 0
    attributes = [
        (_FLAGS, watching, watched & ~low),
        (_FLAGS, watching | ACTIVE_LOW, watched & low),
        (_FLAGS, output, outputs & ~low if output else 0),
        (_FLAGS, output | ACTIVE_LOW, outputs & low),
        (_FLAGS, ACTIVE_LOW, low & ~watched & ~outputs),
    ]
    used = [(kind, value, mask) for kind, value, mask in attributes if mask]
    if output:
        used.insert(0, (_LEVELS, 0, outputs))
    config = bytearray(CONFIG_BYTES)
    struct.pack_into("=QI", config, 0, 0, len(used))
    for index, (kind, value, mask) in enumerate(used):
        _ATTRIBUTE.pack_into(config, _place(index), kind, 0, value, mask)
    return config
