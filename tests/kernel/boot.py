"""Boots the test kernel, runs one command inside, and returns its exit status; `make test-kernel` calls this.

    python -m tests.kernel.boot [--parameter null_modem.multiple=0] [--device-tree FILE.dts] [COMMAND...]

The kernel is a process like any other (build.py), started by whoever calls; no root. Inside, the command is root, in
the same directory and with the same files as here, all of them read-only with an overlay in memory on top: nothing it
writes is on the host, except in the directory that the environment variable GPIOMUX_SHARE names. Its standard output
and error, in one stream, are printed as they come; the kernel's console is shown when the command fails. Without a
command it is `pytest -m kernel`. A kernel that cannot be built, does not come up, crashes or takes too long is an
error, never a success.

Measured on two busy cores: 0.5-0.8 s from start to power-off with nothing to do; the 42 tests of this directory 17-28
s; tests/kernel/far_end.py echoes 6,500 words of 8 bits in a second, 2,900 where lines go one by one.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernel.cache import Kernel, get_kernel
from tests.kernel.failure import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BOARD = Path(__file__).with_name("board.dts")
INIT = Path(__file__).with_name("init.py")
INSIDE = "GPIOMUX_TEST_KERNEL"
"""The environment variable by which tests know that they are inside."""
SHARE = "GPIOMUX_SHARE"
"""The environment variable that names the directory which both sides see."""

PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "CI", "PYTEST_ADDOPTS", "CYCLES")
MEMORY_MIB = 1024
TIMEOUT_S = 3600.0
CONSOLE_LINES = 60
FAREWELL = "reboot: Power down"
ST_NOEXEC = 8  # statvfs(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has run inside."""

    status: int
    """Its exit status; 128 + N if signal N ended it."""
    console: str
    """What the kernel had to say meanwhile: its warnings, the last lines of them."""


def boot(
    kernel: Kernel,
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    show: Callable[[bytes], object],
    parameters: Sequence[str] = (),
    device_tree: Path | None = BOARD,
    memory_mib: int = MEMORY_MIB,
    timeout_s: float = TIMEOUT_S,
) -> Ended:
    """Boot, run a command, power off.

    Args:
        kernel: see build.get_kernel.
        command: program and arguments, as the host's files have it.
        directory: where it runs.
        environment: all of its environment but INSIDE, SHARE, TMPDIR and HOME.
        show: is called with what it prints, piece by piece.
        parameters: more for the kernel's command line.
        device_tree: source of it; None: the machine has none.
        memory_mib: of the machine.
        timeout_s: for all of it.

    Returns:
        What came of the command. Whatever it is, nothing is left running.

    Raises:
        KernelError: the command has not been run to its end; the hint is the end of the console.
    """
    with tempfile.TemporaryDirectory(prefix="gpiomux-kernel-") as name:
        share = Path(name).resolve()
        job = {
            "command": list(command),
            "directory": str(directory),
            "environment": {**environment, INSIDE: "1", SHARE: str(share)},
        }
        (share / "job.json").write_text(json.dumps(job), encoding="utf-8")
        words = [str(kernel.linux), *_words(share, memory_mib), *parameters]
        if device_tree:
            words.append(f"dtb={_compile(kernel, device_tree, share)}")
        # Everything behind `--` is for the first process.
        words += [f"init={sys.executable}", "--", "-I", str(INIT), str(share)]
        console = bytearray()
        try:
            _run(words, share, {"serial": show, "console": console.extend}, timeout_s)
            status = int((share / "status").read_text(encoding="ascii"))
        except (FileNotFoundError, TimeoutError) as err:
            what = f"did not end within {timeout_s:g} s" if isinstance(err, TimeoutError) else "ended without a result"
            raise KernelError(f"the test kernel {what}", hint=_last_lines(console) or "its console is empty") from err
        return Ended(status=status, console=_last_lines(console))


def _words(share: Path, memory_mib: int) -> list[str]:
    """The kernel's command line."""
    return [
        f"mem={memory_mib}M",
        # Two ends of a link poll at the same time; more than one processor needs seccomp=on, which is faster as well.
        f"ncpus={max(2, min(4, os.cpu_count() or 1))}",
        "seccomp=on",
        *("root=none", "rootfstype=hostfs", "rootflags=/", "ro"),
        *("con=null", "con0=null,fd:2", "ssl=null", "quiet", "panic=-1"),
        *(f"uml_dir={share}", "umid=machine"),
    ]


def _run(words: list[str], share: Path, hear: Mapping[str, Callable[[bytes], object]], timeout_s: float) -> None:
    """Start the kernel and pass on what comes out of its `serial` line and its `console` until it powers off.

    Raises:
        KernelError: it cannot be started.
        TimeoutError: it does not in time.
    """
    give_up_s = time.monotonic() + timeout_s
    with ExitStack() as closing:
        ways = {name: os.pipe() for name in hear}
        for reading, _ in ways.values():
            closing.callback(os.close, reading)
        try:
            machine = subprocess.Popen(
                [*words[:1], f"ssl0=null,fd:{ways['serial'][1]}", *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=ways["console"][1],
                stderr=ways["console"][1],
                pass_fds=[ways["serial"][1]],
                env={"PATH": os.environ["PATH"], "HOME": str(share), "TMPDIR": _memory_directory(share)},
                start_new_session=True,  # also keeps Ctrl-C away from it: it would stop without a word
            )
        except OSError as err:
            raise KernelError(f"{words[0]} cannot be started: {err.strerror}") from err
        finally:
            for _, writing in ways.values():
                os.close(writing)
        closing.callback(_end, machine)
        open_ways = {reading: hear[name] for name, (reading, _) in ways.items()}
        while open_ways:
            ready = select.select(open_ways, [], [], max(0.0, give_up_s - time.monotonic()))[0]
            if not ready:
                raise TimeoutError
            for reading in ready:
                if piece := os.read(reading, 1 << 16):
                    open_ways[reading](piece)
                else:
                    del open_ways[reading]


def _end(machine: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the kernel: each of its programs is a process of the host, in the same process group."""
    if machine.poll() is None:
        os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()


def _memory_directory(share: Path) -> str:
    """Where the file that is the machine's memory can be: a tmpfs, unless it is small or not to execute from.

    Containers often have 64 MB in /dev/shm; the kernel would find out by a bus error.
    """
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).free > 2 * MEMORY_MIB << 20 and not os.statvfs(shm).f_flag & ST_NOEXEC:
        return str(shm)
    return str(share)


def _compile(kernel: Kernel, source: Path, share: Path) -> Path:
    """Compile a device tree with the compiler that came with the kernel."""
    blob = share / "board.dtb"
    command = [str(kernel.dtc), "-q", "-I", "dts", "-O", "dtb", "-o", str(blob), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KernelError(f"{source} is no device tree", hint=done.stderr.strip())
    return blob


def _last_lines(console: bytearray) -> str:
    """The end of what the kernel had to say, but for its farewell; empty if all was well."""
    lines = [line.rstrip() for line in console.decode(errors="replace").splitlines()]
    return "\n".join([line for line in lines if line and not line.endswith(FAREWELL)][-CONSOLE_LINES:])


def _environment() -> dict[str, str]:
    """What a command inside keeps of the caller's environment."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    kept["PATH"] = f"{kept.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    # Inside, standard output is never a terminal; pytest takes our word for it.
    colours = {"PY_COLORS": "1"} if sys.stdout.isatty() else {}
    return {**kept, **colours, "TERM": "dumb", "COLUMNS": str(shutil.get_terminal_size().columns)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.boot", description=f"{__doc__}".splitlines()[0])
    parser.add_argument("--source", type=Path, help="archive of kernel sources to build from, instead of Debian's")
    parser.add_argument("--parameter", action="append", default=[], help="more for the kernel's command line")
    parser.add_argument("--device-tree", type=Path, default=BOARD, help=f"source of it; default {BOARD.name}")
    parser.add_argument("--no-device-tree", dest="device_tree", action="store_const", const=None)
    parser.add_argument("--memory", type=int, default=MEMORY_MIB, metavar="MIB", help=f"default {MEMORY_MIB}")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help=f"default {TIMEOUT_S:g}")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="default: pytest -m kernel")
    return parser.parse_args()


def main() -> int:
    """Build the kernel if need be, boot it, run the command."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the kernel ends as well

    def show(piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

    try:
        ended = boot(
            get_kernel(arguments.source),
            [word for number, word in enumerate(arguments.command) if (number, word) != (0, "--")]
            or [sys.executable, "-m", "pytest", "-m", "kernel"],
            directory=Path.cwd(),
            environment=_environment(),
            show=show,
            parameters=arguments.parameter,
            device_tree=arguments.device_tree,
            memory_mib=arguments.memory,
            timeout_s=arguments.timeout,
        )
    except KernelError as err:
        print(err.report(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if ended.status != 0 and ended.console:
        print(f"the console of the test kernel:\n{ended.console}", file=sys.stderr)
    return ended.status


if __name__ == "__main__":
    sys.exit(main())
