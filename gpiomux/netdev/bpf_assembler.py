"""An assembler for eBPF, as much of it as our programs need; pure.

Instruction format: Documentation/bpf/standardization/instruction-set.rst in the kernel's source.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from enum import IntEnum


class Reg(IntEnum):
    """R0 takes results, R1..R5 arguments and are lost in a call, R6..R9 keep; R10 is the end of the stack."""

    R0 = 0
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4
    R5 = 5
    R6 = 6
    R7 = 7
    R8 = 8
    R9 = 9
    R10 = 10


@dataclass(frozen=True, slots=True)
class Stack:
    """An argument: the address of a place on the stack."""

    offset_bytes: int
    """From its end, negative."""


@dataclass(frozen=True, slots=True)
class Map:
    """An argument: a map, by a descriptor of the process that will load the program."""

    fd: int


Argument = Reg | Stack | Map | int

_LOAD_ADDRESS = 0x18  # BPF_LD | BPF_DW | BPF_IMM, takes two instructions
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2
_LOADS = {1: 0x71, 2: 0x69, 4: 0x61}  # BPF_LDX | BPF_MEM, by size in bytes
_STORE_WORD = 0x63  # BPF_STX | BPF_MEM | BPF_W
_ADD_CONSTANT, _SET_CONSTANT, _MOVE = 0x07, 0xB7, 0xBF  # BPF_ALU64
_JUMPS = {"==": 0x15, "!=": 0x55, "<": 0xA5, ">=": 0x35}  # BPF_JMP | BPF_K, unsigned
_JUMP, _CALL, _EXIT = 0x05, 0x85, 0x95
_ATOMIC_WORD, _ATOMIC_DOUBLE = 0xC3, 0xDB  # BPF_STX | BPF_ATOMIC | BPF_W or BPF_DW
_ATOMIC_ADD, _FETCH_ADD = 0x00, 0x01  # the latter since 5.12
_SHIFT_LEFT, _ADD = 0x67, 0x0F


class Assembler:
    """Collects instructions; each jump goes to a label, which may come later."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []

    def load(self, to: Reg, base: Reg, offset: int, size_bytes: int) -> None:
        """Read 1, 2 or 4 bytes from memory."""
        self._add(_LOADS[size_bytes], to, base, offset)

    def store_word(self, base: Reg, offset: int, source: Reg) -> None:
        """Write 4 bytes to memory."""
        self._add(_STORE_WORD, base, source, offset)

    def fetch_add_word(self, base: Reg, offset: int, value: Reg) -> None:
        """Add to 4 bytes of memory in one step that no other CPU divides; the register gets what was there before."""
        self._add(_ATOMIC_WORD, base, value, offset, _FETCH_ADD)

    def add_to_double(self, base: Reg, offset: int, value: Reg) -> None:
        """Add to 8 bytes of memory in one step that no other CPU divides."""
        self._add(_ATOMIC_DOUBLE, base, value, offset, _ATOMIC_ADD)

    def add_constant(self, to: Reg, value: int) -> None:
        """Add a constant to a register."""
        self._add(_ADD_CONSTANT, to, constant=value)

    def shift_left(self, to: Reg, bits: int) -> None:
        """Shift a register by a constant."""
        self._add(_SHIFT_LEFT, to, constant=bits)

    def add(self, to: Reg, source: Reg) -> None:
        """Add a register to another."""
        self._add(_ADD, to, source)

    def move(self, to: Reg, source: Reg) -> None:
        """Copy a register."""
        self._add(_MOVE, to, source)

    def set(self, to: Reg, value: int) -> None:
        """Set a register to a constant of 32 bits, its sign extended."""
        self._add(_SET_CONSTANT, to, constant=value)

    def map_value(self, to: Reg, map_fd: int) -> None:
        """Set a register to the address of the value of an array map with one entry."""
        self._address(to, _PSEUDO_MAP_VALUE, map_fd)

    def call(self, helper: int, *arguments: Argument) -> None:
        """Call a helper of the kernel; R0 has its result."""
        for to, argument in zip((Reg.R1, Reg.R2, Reg.R3, Reg.R4, Reg.R5), arguments, strict=False):
            match argument:
                case Reg():
                    self.move(to, argument)
                case Stack(offset):
                    self.move(to, Reg.R10)
                    self.add_constant(to, offset)
                case Map(fd):
                    self._address(to, _PSEUDO_MAP_FD, fd)
                case int():
                    self.set(to, argument)
        self._add(_CALL, constant=helper)

    def jump(self, label: str) -> None:
        """Go on at a label."""
        self._jumps.append((len(self._code), label))
        self._add(_JUMP)

    def jump_if(self, register: Reg, comparison: str, value: int, label: str) -> None:
        """Go on at a label if the register compares so (unsigned) with a constant."""
        self._jumps.append((len(self._code), label))
        self._add(_JUMPS[comparison], register, constant=value)

    def label(self, name: str) -> None:
        """Name the next instruction."""
        self._labels[name] = len(self._code)

    def finish(self, result: int) -> None:
        """Leave the program with a result."""
        self.set(Reg.R0, result)
        self._add(_EXIT)

    def assemble(self) -> bytes:
        """The program as the kernel takes it, in this machine's byte order."""
        code = list(self._code)
        for place, label in self._jumps:
            operation, to, source, _, constant = code[place]
            code[place] = (operation, to, source, self._labels[label] - place - 1, constant)
        little = sys.byteorder == "little"  # two nibbles of one byte, in the order of C's bit fields
        return b"".join(
            struct.pack("=BBhi", operation, to | source << 4 if little else to << 4 | source, offset, constant)
            for operation, to, source, offset, constant in code
        )

    def _address(self, to: Reg, kind: int, fd: int) -> None:
        self._code.append((_LOAD_ADDRESS, to, kind, 0, fd))
        self._code.append((0, 0, 0, 0, 0))

    def _add(self, operation: int, to: int = 0, source: int = 0, offset: int = 0, constant: int = 0) -> None:
        self._code.append((operation, to, source, offset, constant))
