"""The kernel takes our maps and programs, and says why it does not take a wrong one."""

from __future__ import annotations

import errno
import mmap
import os

import pytest

from gpiomux.netdev import bpf, bpf_objects
from gpiomux.netdev.bpf_assembler import Assembler, Reg
from tests.netdev.ends import need

pytestmark = pytest.mark.netns


@pytest.fixture(autouse=True)
def granted() -> None:
    need("bpf-tcx")


def test_memory_is_shared_and_empty() -> None:
    fd = bpf_objects.create_memory(bpf.MEMORY_BYTES)
    with mmap.mmap(fd, bpf.MEMORY_BYTES) as one, mmap.mmap(fd, bpf.MEMORY_BYTES) as other:
        assert one[:] == bytes(bpf.MEMORY_BYTES)
        one[100] = 7
        assert other[100] == 7
    os.close(fd)


def test_programs_pass_the_verifier() -> None:
    memory, dictionary = bpf_objects.create_memory(bpf.MEMORY_BYTES), bpf_objects.create_dictionary(16)
    fds = [
        memory,
        dictionary,
        bpf_objects.load_program("in", bpf.ingress_program(memory)),
        bpf_objects.load_program("out", bpf.egress_program(memory, dictionary)),
    ]
    assert not any(os.get_inheritable(fd) for fd in fds)
    for fd in fds:
        os.close(fd)


def test_the_verifier_gives_its_reason() -> None:
    code = Assembler()
    code.move(Reg.R0, Reg.R5)  # never set
    code.finish(0)
    with pytest.raises(OSError, match="R5 !read_ok") as caught:
        bpf_objects.load_program("wrong", code.assemble())
    assert caught.value.errno == errno.EACCES


def test_no_interface_to_attach_to() -> None:
    memory = bpf_objects.create_memory(bpf.MEMORY_BYTES)
    program = bpf_objects.load_program("in", bpf.ingress_program(memory))
    with pytest.raises(OSError) as caught:
        bpf_objects.link_tcx(program, 0x7FFFFFFF, bpf_objects.INGRESS)
    assert caught.value.errno == errno.ENODEV
    for fd in (memory, program):
        os.close(fd)
