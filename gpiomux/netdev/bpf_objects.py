"""BPF maps, programs and links by bpf(2): each function gives one descriptor. Needs CAP_BPF and CAP_NET_ADMIN.

Numbers from linux/bpf.h. OSError of the kernel goes through to the caller, who knows what it was for.
"""

from __future__ import annotations

import errno
import struct

from gpiomux.netdev.syscalls import Buffer, bpf

INGRESS, EGRESS = 46, 47
"""Attach types of TCX."""

_MAP_CREATE, _PROG_LOAD, _LINK_CREATE = 0, 5, 28
_HASH, _ARRAY = 1, 2
_NO_PREALLOC, _MMAPABLE = 1, 0x400
_SCHED_CLS = 3
_LOG_BYTES = 1 << 16
_BEFORE, _AFTER = 8, 16


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


def load_program(name: str, code: bytes) -> int:
    """A tc program; its name (15 characters at most) is what tc and bpftool show.

    Raises:
        OSError: the kernel refused; `strerror` ends with the verifier's reason.
    """
    instructions, licence, log = Buffer(code), Buffer(b"GPL\0"), Buffer(bytes(_LOG_BYTES))
    what = struct.pack("=IIQQ", _SCHED_CLS, len(code) // 8, instructions.address, licence.address)
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


def link_tcx(program_fd: int, index: int, direction: int) -> int:
    """Attach a program to an interface of the calling thread's network namespace, for as long as the link is open.

    Ours is the first on the way in, so that all others see the mark; and the last on the way out, so that it sees
    what mark the others have set.

    Raises:
        OSError: the kernel refused: ENODEV for no such interface, EINVAL if it does not know TCX (before 6.6).
    """
    place = _BEFORE if direction == INGRESS else _AFTER
    return bpf(_LINK_CREATE, struct.pack("=IIIIIIQ", program_fd, index, direction, place, 0, 0, 0))
