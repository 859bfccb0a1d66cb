"""The shape of the programs; what they do is shown on real interfaces, in test_ports.py and test_port_bpf.py."""

from __future__ import annotations

import struct

from gpiomux.netdev import bpf

EXIT = 0x95
LOAD_ADDRESS = 0x18


def operations(program: bytes) -> list[tuple[int, int]]:
    """Operation and constant of each instruction."""
    return [(operation, constant) for operation, _, _, constant in struct.iter_unpack("=BBhi", program)]


def test_programs_are_whole_instructions_and_end() -> None:
    for program in (bpf.ingress_program(3), bpf.egress_program(3, 4)):
        assert len(program) % 8 == 0
        assert operations(program)[-1][0] == EXIT


def test_programs_refer_to_the_maps_they_were_given() -> None:
    def maps(program: bytes) -> set[int]:
        return {constant for operation, constant in operations(program) if operation == LOAD_ADDRESS}

    assert maps(bpf.ingress_program(33)) == {33}
    assert maps(bpf.egress_program(33, 44)) == {33, 44}


def test_every_learned_mark_has_a_number_below_the_escape() -> None:
    capacity = bpf.MEMORY_BYTES // 4 - bpf.MARKS
    assert bpf.FIRST_LEARNED + capacity - 1 < bpf.ESCAPE
