"""Instructions come out as the kernel's instruction set says."""

from __future__ import annotations

import struct
import sys

import pytest

from gpiomux.netdev.bpf_assembler import Assembler, Map, Reg, Stack

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the expected bytes are those of little endian")


def decoded(code: Assembler) -> list[tuple[int, int, int, int, int]]:
    """Operation, destination, source, offset and constant of each instruction."""
    found = []
    for operation, registers, offset, constant in struct.iter_unpack("=BBhi", code.assemble()):
        nibbles = (registers & 0xF, registers >> 4)
        found.append((operation, *(nibbles if sys.byteorder == "little" else nibbles[::-1]), offset, constant))
    return found


@little_endian
def test_bytes() -> None:
    code = Assembler()
    code.move(Reg.R6, Reg.R1)
    code.load(Reg.R2, Reg.R6, 20, 4)
    code.finish(-1)
    assert code.assemble() == bytes.fromhex("bf16000000000000 6162140000000000 b7000000ffffffff 9500000000000000")


def test_memory() -> None:
    code = Assembler()
    code.load(Reg.R1, Reg.R10, -8, 1)
    code.load(Reg.R1, Reg.R10, -8, 2)
    code.load(Reg.R1, Reg.R10, -8, 4)
    code.store_word(Reg.R10, -4, Reg.R7)
    code.fetch_add_word(Reg.R9, 4, Reg.R8)
    assert decoded(code) == [
        (0x71, 1, 10, -8, 0),
        (0x69, 1, 10, -8, 0),
        (0x61, 1, 10, -8, 0),
        (0x63, 10, 7, -4, 0),
        (0xC3, 9, 8, 4, 1),
    ]


def test_arithmetic() -> None:
    code = Assembler()
    code.set(Reg.R8, 0xFFFF)
    code.add(Reg.R9, Reg.R2)
    code.add_constant(Reg.R8, 0xF000)
    code.shift_left(Reg.R2, 2)
    assert decoded(code) == [
        (0xB7, 8, 0, 0, 0xFFFF),
        (0x0F, 9, 2, 0, 0),
        (0x07, 8, 0, 0, 0xF000),
        (0x67, 2, 0, 0, 2),
    ]


def test_arguments_of_a_call() -> None:
    code = Assembler()
    code.call(2, Map(5), Stack(-4), Reg.R6, 7)
    assert decoded(code) == [
        (0x18, 1, 1, 0, 5),  # r1 = map of descriptor 5, in two instructions
        (0, 0, 0, 0, 0),
        (0xBF, 2, 10, 0, 0),  # r2 = end of the stack
        (0x07, 2, 0, 0, -4),
        (0xBF, 3, 6, 0, 0),
        (0xB7, 4, 0, 0, 7),
        (0x85, 0, 0, 0, 2),
    ]


def test_address_of_a_map_value() -> None:
    code = Assembler()
    code.map_value(Reg.R2, 9)
    assert decoded(code) == [(0x18, 2, 2, 0, 9), (0, 0, 0, 0, 0)]


def test_jumps_count_instructions_from_the_next_one() -> None:
    code = Assembler()
    code.label("start")
    code.jump_if(Reg.R1, "==", 3, "end")
    code.map_value(Reg.R2, 9)  # counts as two
    code.jump_if(Reg.R1, "!=", 4, "start")
    code.jump_if(Reg.R1, "<", 5, "end")
    code.jump_if(Reg.R1, ">=", 6, "end")
    code.jump("end")
    code.label("end")
    code.finish(2)
    assert [i for i in decoded(code) if i[0] not in (0x18, 0)] == [
        (0x15, 1, 0, 6, 3),
        (0x55, 1, 0, -4, 4),
        (0xA5, 1, 0, 2, 5),
        (0x35, 1, 0, 1, 6),
        (0x05, 0, 0, 0, 0),
        (0xB7, 0, 0, 0, 2),
        (0x95, 0, 0, 0, 0),
    ]


def test_a_jump_to_nowhere_is_a_mistake() -> None:
    code = Assembler()
    code.jump("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        code.assemble()
