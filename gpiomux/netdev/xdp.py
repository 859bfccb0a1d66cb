"""XDP programs: how rtnetlink names them, and how ours are opened, the two that are built in or one of an ELF object.

XDP sees a packet before the rest of the network stack does. A TAP runs a program *native*, while a written frame is
still bare memory (tun_build_skb in drivers/net/tun.c); *generic*, the stack runs it on the finished packet
(do_xdp_generic in net/core/dev.c), on every kind of interface. Numbers are from linux/if_link.h and linux/bpf.h.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass

from gpiomux.errors import MachineError
from gpiomux.netdev import bpf_objects
from gpiomux.netdev.bpf_assembler import Assembler
from gpiomux.netdev.bpf_objects import OpenProgram
from gpiomux.netdev.netlink import attributes

NO_PROGRAM = -1
"""In place of a descriptor of a program."""

_VERDICTS = {"drop": 1, "pass": 2}  # XDP_DROP, XDP_PASS
_ATTACHED, _PROG_ID = 2, 4  # IFLA_XDP_ATTACHED, IFLA_XDP_PROG_ID
_MODES = {1: "native", 2: "generic", 3: "offloaded", 4: "several"}  # XDP_ATTACHED_DRV and so on
_MODE_FLAGS = {"native": 4, "generic": 2}  # XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
_UNLESS_THERE, _REPLACE = 1, 16  # XDP_FLAGS_UPDATE_IF_NOEXIST, XDP_FLAGS_REPLACE (since 5.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class XdpInfo:
    """The XDP program of an interface."""

    id: int
    """The kernel's number of the program."""
    mode: str
    """`native` or `generic`; of programs of others also `offloaded`, or `several` at once."""


def xdp_info(value: bytes) -> XdpInfo | None:
    """What the attribute IFLA_XDP of an interface says; None if it has no program."""
    told = attributes(value)
    mode = _MODES.get(int.from_bytes(told.get(_ATTACHED, b""), sys.byteorder))
    return None if mode is None else XdpInfo(id=int.from_bytes(told.get(_PROG_ID, b""), sys.byteorder), mode=mode)


def xdp_attributes(mode: str, new_fd: int, old_fd: int) -> list[tuple[str, int]]:
    """What to tell rtnetlink so that one program takes the place of another, or of none, and of no third one."""
    flags = _MODE_FLAGS[mode] | (_UNLESS_THERE if old_fd == NO_PROGRAM else _REPLACE)
    expected = [] if old_fd == NO_PROGRAM else [("IFLA_XDP_EXPECTED_FD", old_fd)]
    return [("IFLA_XDP_FD", new_fd), ("IFLA_XDP_FLAGS", flags), *expected]


def open_program(program: str, name: str | None) -> OpenProgram:
    """Load a program.

    Args:
        program: `pass` or `drop`, or the path of an ELF object.
        name: of the program in the object; None: the only one that it has.

    Raises:
        UnsupportedError: libbpf is not installed, or this process may not load programs.
        MachineError: the object cannot be read or has no such program, or the kernel refuses it.
    """
    verdict = _VERDICTS.get(program)
    if verdict is None:
        from gpiomux.netdev.xdp_object import load_object

        return load_object(program, name)
    code = Assembler()
    code.finish(verdict)
    try:
        fd = bpf_objects.load_program(f"gpiomux_{program}", code.assemble(), bpf_objects.XDP)
    except OSError as err:
        hint = "XDP needs CAP_BPF and CAP_NET_ADMIN on the machine itself" if err.errno == errno.EPERM else ""
        message = f"cannot load the XDP program {program}: {err.strerror}"
        raise MachineError(message, errno=err.errno or 0, hint=hint) from err
    return OpenProgram(fd=fd, digest="")


def describe_program(number: int) -> bpf_objects.ProgramInfo:
    """Name and tag of a program, as far as this process may know them."""
    try:
        fd = bpf_objects.program_by_id(number)
    except OSError:  # gone this moment, or not ours to look at (EPERM)
        return bpf_objects.ProgramInfo(id=number, name="", tag="")
    try:
        return bpf_objects.program_info(fd)
    finally:
        os.close(fd)
