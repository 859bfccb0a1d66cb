"""The first process inside the test kernel: makes it a place where programs feel at home, runs one job, powers off.

boot.py starts it, with the directory it shares with the host as the one argument; there it finds `job.json` and leaves
`status`. It runs on the root that the kernel has mounted: the host's files, read-only. What the job sees is an overlay
of them: every write goes to memory and is gone afterwards, except below the shared directory.

The job's output goes to the first serial line, which boot.py shows; the console is for the kernel, and for a traceback
of this file. Only the standard library is used; what needs root here must not be asked of the host's user.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys
import tempfile
import termios
import time
import tty
from pathlib import Path
from typing import NoReturn

# linux/mount.h, linux/reboot.h, linux/sockios.h, linux/if.h; the system call's number is that of x86_64, the only
# architecture that User Mode Linux is built for here
MNT_DETACH = 2
RB_POWER_OFF = 0x4321FEDC
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
SYS_PIVOT_ROOT = 155

OUTPUT = "/dev/ttyS0"
POLL_S = 0.05
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Everything, in order."""
    share = sys.argv[1]
    make_writable()
    mount_kernel_file_systems()
    # The same path as on the host; what is written here is on the host when the file is closed.
    mount("none", share, "hostfs", share)
    job = json.loads(Path(share, "job.json").read_text(encoding="utf-8"))
    loopback_up()
    # The host's /tmp may hold directories of root's that the user who started this kernel must not enter.
    scratch = tempfile.mkdtemp(prefix="inside-")
    os.chmod(scratch, 0o1777)
    environment = {**job["environment"], "TMPDIR": scratch, "HOME": scratch}
    status = run(job["command"], job["directory"], environment)
    Path(share, "status").write_text(str(status), encoding="ascii")


def make_writable() -> None:
    """Put a tmpfs over the root as an overlay, and make that the root."""
    mount("tmpfs", "/tmp", "tmpfs", "mode=0755,size=75%")
    for name in ("root", "upper", "work"):
        Path("/tmp", name).mkdir()
    mount("overlay", "/tmp/root", "overlay", "lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work")
    # Not chroot: whoever enters a mount namespace (ip netns exec) gets that namespace's root.
    os.chdir("/tmp/root")
    checked("pivot_root", _libc.syscall(SYS_PIVOT_ROOT, b".", b"."))
    checked("umount the host's root", _libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def mount_kernel_file_systems() -> None:
    """What an init system mounts."""
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("configfs", "/sys/kernel/config", "configfs")
    mount("debugfs", "/sys/kernel/debug", "debugfs")
    mount("devtmpfs", "/dev", "devtmpfs", "mode=0755")
    for name in ("pts", "shm"):
        Path("/dev", name).mkdir()
    mount("devpts", "/dev/pts", "devpts", "mode=0620,ptmxmode=0666")
    mount("tmpfs", "/dev/shm", "tmpfs", "mode=1777")
    mount("tmpfs", "/run", "tmpfs", "mode=0755")
    for name, target in {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        with contextlib.suppress(FileExistsError):
            Path("/dev", name).symlink_to(f"/proc/self/{target}")
    Path("/dev/net/tun").chmod(0o666)  # as udev does


def run(command: list[str], directory: str, environment: dict[str, str]) -> int:
    """Run the job, pass on what it prints, and return its exit status as a shell would."""
    serial = os.open(OUTPUT, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(serial)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(command, directory, environment, writing)
    os.close(writing)
    while True:
        # A process that outlives the job may hold the pipe open, and the job may have closed it.
        pass_on(reading, serial, POLL_S)
        ended, status = os.waitpid(-1, os.WNOHANG)  # the first process inherits every orphan
        if ended == pid:
            while pass_on(reading, serial, 0):
                pass
            termios.tcdrain(serial)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def become(command: list[str], directory: str, environment: dict[str, str], output: int) -> NoReturn:
    """Turn this process into the job: a session of its own, nothing to read, and a pipe to print to."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(directory)
        os.execvpe(command[0], command, environment)
    except OSError as err:
        os.write(output, f"cannot run {command[0]} in {directory}: {err.strerror}\n".encode())
    finally:
        os._exit(127)


def pass_on(reading: int, serial: int, patience_s: float) -> bool:
    """Copy one piece of output, waiting for it so long; False if there was none, or never will be."""
    if not select.select([reading], [], [], patience_s)[0]:
        return False
    piece = rest = os.read(reading, 1 << 16)
    while rest:
        rest = rest[os.write(serial, rest) :]
    if not piece:
        time.sleep(patience_s)
    return bool(piece)


def loopback_up() -> None:
    """Bring `lo` up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def mount(source: str, target: str, kind: str, options: str = "") -> None:
    """See mount(2).

    Raises:
        OSError: the kernel refuses.
    """
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode())
    checked(f"mount {kind} on {target}", result)


def checked(what: str, result: int) -> None:
    """Turn a system call's refusal into an exception."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        main()
    finally:
        os.sync()
        _libc.reboot(RB_POWER_OFF)
