"""Runs a command for which one system call fails, or one ioctl(2): what a sandbox, or a poorer kernel, would say.

python tests/kernel/forbid.py bpf|gpio-edges COMMAND...

Standard library only, and imported by nobody: the command must find the filter in its place when it starts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

# linux/prctl.h, linux/seccomp.h, linux/filter.h, asm/unistd_64.h: the test kernel is x86_64
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
CALL_AT, ARGUMENT_AT = 0, 24
"""In struct seccomp_data: the number of the call, the lower half of its second argument."""
BPF, IOCTL = 321, 16
GPIO_V2_GET_LINE = 0xC250B407

FILTERS = {
    "bpf": [(LOAD, 0, 0, CALL_AT), (EQUAL, 0, 1, BPF), (RETURN, 0, 0, RET_ERRNO | errno.EPERM)],
    # As lines without interrupts answer who wants their edges; gpiomux requests lines for nothing else meanwhile.
    "gpio-edges": [
        (LOAD, 0, 0, CALL_AT),
        (EQUAL, 0, 3, IOCTL),
        (LOAD, 0, 0, ARGUMENT_AT),
        (EQUAL, 0, 1, GPIO_V2_GET_LINE),
        (RETURN, 0, 0, RET_ERRNO | errno.ENXIO),
    ],
}


def forbid(what: str) -> None:
    """Put the filter in its place, for this process and all that it starts.

    Raises:
        OSError: the kernel refuses.
    """
    program = [*FILTERS[what], (RETURN, 0, 0, RET_ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    filter_program = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filter_program))):
        if libc.prctl(*map(ctypes.c_ulong, (*words, 0, 0))) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    forbid(sys.argv[1])
    os.execvp(sys.argv[2], sys.argv[2:])
