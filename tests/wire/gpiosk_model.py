"""gpiosk as its source has it: the transmitter and the receiver of the kernel module, in Python, faults and all.

Written from the C semantics alone (gpio_tx and the interrupt handlers of gpiosk.c), to hold ours against.
"""

from __future__ import annotations


def transmit(frame: bytes) -> str:
    """The pulses of a frame, `c` and `d`."""
    pulses, mode = "cccd", 0
    for byte in frame + bytes(max(0, 60 - len(frame))):
        for place in range(8):
            bit = byte >> place & 1
            if bit != mode:
                pulses += "c"
                mode = bit
            pulses += "d"
    return pulses + "cccd"


class Receiver:
    """What the module has in its static variables."""

    def __init__(self) -> None:
        self.ctl_count = self.mode = 0
        self.bits: list[int] = []
        self.packets: list[bytes] = []

    @property
    def wedged(self) -> bool:
        return self.ctl_count > 3

    def hear(self, pulses: str) -> None:
        for pulse in pulses:
            if pulse == "c":
                self.ctl_count += 1
                continue
            if self.ctl_count == 3:
                self.ctl_count = 0
                if self.bits:
                    whole = len(self.bits) // 8
                    octets = (self.bits[8 * index : 8 * index + 8] for index in range(whole))
                    self.packets.append(bytes(sum(bit << place for place, bit in enumerate(octet)) for octet in octets))
                    self.bits, self.mode = [], 0
                continue
            if self.ctl_count == 1:
                self.ctl_count = 0
                self.mode ^= 1
            self.bits.append(self.mode)
