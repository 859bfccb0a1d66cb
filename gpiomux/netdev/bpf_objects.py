"""BPF maps, programs and links by bpf(2): each function gives one descriptor. Needs CAP_BPF and CAP_NET_ADMIN.

Numbers from linux/bpf.h. OSError of the kernel goes through to the caller, who knows what it was for.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

from gpiomux.netdev.syscalls import Buffer, bpf

INGRESS, EGRESS = 46, 47
"""Attach types of TCX."""

_MAP_CREATE, _PROG_LOAD, _PROG_GET_FD_BY_ID, _OBJECT_INFO, _LINK_CREATE = 0, 5, 13, 15, 28
_HASH, _ARRAY = 1, 2
_NO_PREALLOC, _MMAPABLE = 1, 0x400
SCHED_CLS, XDP = 3, 6
"""Program types: of tc, and of XDP."""
_LOG_BYTES = 1 << 16
_BEFORE, _AFTER = 8, 16
_INFO = struct.Struct("=II8s48x16s")
"""The beginning of struct bpf_prog_info: type, id, tag; name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramInfo:
    """What the kernel tells of a program."""

    id: int
    name: str
    """As its loader called it, 15 characters at most; may be empty."""
    tag: str
    """Eight bytes of a hash of its instructions, in hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProgram:
    """A loaded program; whoever holds this closes `fd`."""

    fd: int
    digest: str
    """SHA-256 of the object that it was loaded from, in hexadecimal; empty for a built-in one."""


def create_memory(size_bytes: int) -> int:
    """An array map with one value, which whoever has the descriptor can mmap.

    Raises:
        OSError: the kernel refused.
    """
    return bpf(_MAP_CREATE, struct.pack("=IIIII", _ARRAY, 4, size_bytes, 1, _MMAPABLE))


def create_dictionary(entries: int) -> int:
    """A hash map from 32 bits to 32 bits, which takes memory only for what is in it.

    Raises:
        OSError: the kernel refused.
    """
    return bpf(_MAP_CREATE, struct.pack("=IIIII", _HASH, 4, 4, entries, _NO_PREALLOC))


def load_program(name: str, code: bytes, kind: int = SCHED_CLS) -> int:
    """A program; its name (15 characters at most) is what tc, ip and bpftool show.

    Raises:
        OSError: the kernel refused; `strerror` ends with the verifier's reason.
    """
    instructions, licence, log = Buffer(code), Buffer(b"GPL\0"), Buffer(bytes(_LOG_BYTES))
    what = struct.pack("=IIQQ", kind, len(code) // 8, instructions.address, licence.address)
    try:
        return bpf(_PROG_LOAD, what + struct.pack("=IIQII16s", 0, 0, 0, 0, 0, name.encode()))
    except OSError as err:
        if err.errno == errno.EPERM:  # not ours to load; EACCES is the verifier's word
            raise
        # Once more, now for the reason: with a log the kernel works longer.
        try:
            return bpf(_PROG_LOAD, what + struct.pack("=IIQII16s", 1, _LOG_BYTES, log.address, 0, 0, name.encode()))
        except OSError as again:
            # The last line but for the statistics.
            # After the reason newer kernels say what to do about it, older ones what they counted.
            asides = ("processed ", "Suggestion:", "Verification failed")
            reason = [line for line in log.text().splitlines() if line.strip() and not line.startswith(asides)][-1:]
            raise OSError(again.errno, ": ".join([again.strerror or "", *reason])) from again


def program_info(program_fd: int) -> ProgramInfo:
    """What a program is.

    Raises:
        OSError: the descriptor is of no program.
    """
    info = Buffer(bytes(_INFO.size))
    bpf(_OBJECT_INFO, struct.pack("=IIQ", program_fd, _INFO.size, info.address))
    _, number, tag, name = _INFO.unpack_from(bytes(info))
    return ProgramInfo(id=number, name=name.rstrip(b"\0").decode(errors="replace"), tag=tag.hex())


def program_by_id(number: int) -> int:
    """A descriptor of a program that somebody has loaded; needs CAP_SYS_ADMIN.

    Raises:
        OSError: there is none of this number any more (ENOENT), or permission lacks (EPERM).
    """
    return bpf(_PROG_GET_FD_BY_ID, struct.pack("=III", number, 0, 0))


def link_tcx(program_fd: int, index: int, direction: int) -> int:
    """Attach a program to an interface of the calling thread's network namespace, for as long as the link is open.

    Ours is the first on the way in, so that all others see the mark; and the last on the way out, so that it sees
    what mark the others have set.

    Raises:
        OSError: the kernel refused: ENODEV for no such interface, EINVAL if it does not know TCX (before 6.6).
    """
    place = _BEFORE if direction == INGRESS else _AFTER
    return bpf(_LINK_CREATE, struct.pack("=IIIIIIQ", program_fd, index, direction, place, 0, 0, 0))
