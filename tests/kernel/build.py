"""The recipe of the test kernel: User Mode Linux, that is Linux as an ordinary program, with the null modem in it.

What the kernel can do stands in `config`, the driver is `null_modem.c`. cache.py calls this, keeps what it makes, and
calls it anew when one of the three files has changed, even in a comment.

Measured with linux-source-7.3 on two cores: unpacking 12 s, compiling 6-8 min (6 min of CPU time, 920 files), 2 GB of
disk while it lasts; the kernel has 9 MB, stripped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernel.failure import KernelError, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

HERE = Path(__file__).parent
CONFIG = HERE / "config"
DRIVER = HERE / "null_modem.c"

COMPILED_FILES = 920
"""About; for the progress only."""
PROGRESS_S = 20.0
LOG_LINES = 30

# The end of drivers/gpio/Kconfig and Makefile. GPIOLIB_IRQCHIP has no prompt: somebody has to select it.
KCONFIG = """
config GPIO_NULL_MODEM
	bool "Two GPIO chips that are wired to each other"
	depends on GPIOLIB
	select GPIOLIB_IRQCHIP
"""
MAKEFILE = "\nobj-$(CONFIG_GPIO_NULL_MODEM) += null_modem.o\n"

# What a user mode kernel does not compile, and what takes long to unpack. Kconfig files are read everywhere.
NOT_UNPACKED = ("*/drivers/gpu/*.[ch]", "*/drivers/net/wireless/*.[ch]", "*/tools/testing/*", "*/Documentation/*.rst")

PROGRAMS = {
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "gcc": "gcc",
    "make": "make",
    "xz": "xz-utils",
}
"""Program the build calls -> the package of Debian that has it."""
HEADERS = {"elf.h": "libc6-dev"}
"""Header the build includes -> the package of Debian that has it.

Unlike other kernels this one needs neither libelf nor OpenSSL: it has no objtool and no signed modules.
"""


def missing_packages() -> list[str]:
    """Packages of Debian that the build needs and this machine lacks, by what it cannot find of them."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if "gcc" in missing:  # nothing can be said about headers
        return [*missing, *HEADERS.values()]
    for header, package in HEADERS.items():
        command = ["gcc", "-E", "-x", "c", "-", "-o", os.devnull]
        done = subprocess.run(command, input=f"#include <{header}>\n", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            missing.append(package)
    return missing


def lost_options(wanted: str, config: str) -> list[str]:
    """Lines of the fragment that did not make it into the kernel's configuration."""
    lines = [line for line in wanted.splitlines() if re.match(r"CONFIG_\w+=|# CONFIG_\w+ is not set$", line)]
    return sorted(set(lines) - set(config.splitlines()))


def build(archive: Path, scratch: Path, log: Path) -> Path:
    """Make a kernel from an archive of sources, with the progress on stderr.

    Args:
        archive: as Debian packs them, or kernel.org.
        scratch: an empty directory for everything that arises.
        log: what the tools say is written here.

    Returns:
        A directory in `scratch` with `linux`, stripped, and `dtc`, the device tree compiler that belongs to it.

    Raises:
        KernelError: a step fails, or the kernel does not take an option of ours.
    """
    say(f"unpacking {archive.name}")
    tree = _unpack(archive, scratch / "tree")
    _add_driver(tree)
    with open(log, "w", encoding="utf-8") as output:
        _configure(tree, output)
        _compile(tree, output)
    made = scratch / "made"
    made.mkdir()
    _run(["strip", "-o", str(made / "linux"), str(tree / "linux")])
    shutil.copy(tree / "scripts" / "dtc" / "dtc", made)
    return made


def _unpack(archive: Path, tree: Path) -> Path:
    tree.mkdir()
    excluded = [f"--exclude={pattern}" for pattern in NOT_UNPACKED]
    _run(["tar", "--extract", f"--file={archive}", f"--directory={tree}", "--strip-components=1", *excluded])
    return tree


def _add_driver(tree: Path) -> None:
    directory = tree / "drivers" / "gpio"
    shutil.copy(DRIVER, directory)
    for name, text in (("Kconfig", KCONFIG), ("Makefile", MAKEFILE)):
        with open(directory / name, "a", encoding="utf-8") as file:
            file.write(text)


def _configure(tree: Path, output: TextIO) -> None:
    """Smallest configuration, ours on top, and a look at what came of it."""
    make = ["make", "ARCH=um"]
    _run([*make, "tinyconfig"], cwd=tree, output=output)
    _run(["scripts/kconfig/merge_config.sh", "-m", ".config", str(CONFIG)], cwd=tree, output=output)
    _run([*make, "olddefconfig"], cwd=tree, output=output)
    lost = lost_options(CONFIG.read_text(encoding="utf-8"), (tree / ".config").read_text(encoding="utf-8"))
    if lost:
        raise KernelError(
            f"this kernel does not take {len(lost)} of the options in {CONFIG}",
            hint="\n".join([*lost, "an option may have been renamed, or need another one that is new"]),
        )


def _compile(tree: Path, output: TextIO) -> None:
    """Run make, and show how far it is."""
    command = ["nice", "-n", "19", "make", "ARCH=um", f"-j{len(os.sched_getaffinity(0))}", "linux"]
    begun_s = shown_s = time.monotonic()
    compiled = 0
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as make:
        assert make.stdout
        for line in make.stdout:
            output.write(line)
            compiled += bool(re.match(r"\s+CC\s", line))
            if time.monotonic() > shown_s + PROGRESS_S:
                shown_s = time.monotonic()
                percent = min(99, compiled * 100 // COMPILED_FILES)
                say(f"compiling: {percent} %, {(shown_s - begun_s) / 60:.1f} min, {line.split()[-1]}")
    output.flush()
    if make.returncode != 0:
        lines = Path(output.name).read_text(encoding="utf-8").splitlines()
        raise KernelError(
            "the test kernel does not compile", hint="\n".join([*lines[-LOG_LINES:], f"all of it: {output.name}"])
        )


def _run(command: Sequence[str], cwd: Path | None = None, output: TextIO | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if output:
        output.write(done.stdout)
    if done.returncode != 0:
        raise KernelError(f"{' '.join(command[:3])} failed", hint="\n".join(done.stdout.splitlines()[-LOG_LINES:]))
