"""Where the test kernel comes from: it is built once, and then taken from

    ${XDG_CACHE_HOME:-~/.cache}/gpiomux/test-kernel/KEY/{linux,dtc,version}

KEY is a hash of the version of its sources, of `config`, `null_modem.c` and build.py. As long as there is a kernel
that was made from those files as they are now, it is taken as it is and nobody asks the network whether there are
newer sources; to get a newer kernel, remove the directory. The newest few kernels stay, the rest is removed, and so
is what a build needs while it runs; its log is `build.log` in the same place.

`make test-kernel` calls this; `python -m tests.kernel.cache` builds without booting and prints where the kernel is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.kernel import build, debian
from tests.kernel.failure import KernelError, say

INPUTS = (build.CONFIG, build.DRIVER, Path(build.__file__))
DISK_BYTES = 3 << 30
KEPT = 3
"""Kernels that stay: somebody who goes back and forth between branches builds each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel that is ready to boot."""

    linux: Path
    dtc: Path
    """Device tree compiler."""
    version: str
    """Of the sources."""


def get_kernel(source: Path | None = None) -> Kernel:
    """The test kernel: from the cache if it is there, else newly built, with the progress on stderr.

    Args:
        source: archive of kernel sources to use instead of Debian's.

    Raises:
        KernelError: something is missing on this machine, or the build fails.
    """
    cache = directory()
    try:
        version = f"{source.name} {_digest(source.read_bytes())}" if source else None
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise KernelError(f"{err.filename}: {err.strerror}") from err
    if kernel := find(cache, version):
        return kernel
    if missing := build.missing_packages():
        raise KernelError(
            f"the build of the test kernel needs what is not installed here: {' '.join(missing)}",
            hint=f"sudo apt-get install --no-install-recommends {' '.join(missing)}",
        )
    with open(cache / "lock", "w", encoding="ascii") as lock:
        _wait_for(lock.fileno())
        # Another build may have ended while this one waited.
        return find(cache, version) or _build(cache, source, version)


def directory() -> Path:
    """Where kernels are kept, see the head of this file."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gpiomux" / "test-kernel"


def key(version: str) -> str:
    """The name of a kernel in the cache: a hash of all that goes into it."""
    return _digest(version.encode(), *(path.read_bytes() for path in INPUTS))


def find(cache: Path, version: str | None) -> Kernel | None:
    """The newest kernel that was made from today's inputs, and from sources of that version if one is given."""
    found = []
    for note in cache.glob("*/version"):
        noted = note.read_text(encoding="utf-8")
        if note.parent.name == key(noted) and version in (None, noted):
            found.append((note.stat().st_mtime, note.parent, noted))
    if not found:
        return None
    _, place, noted = max(found)
    return Kernel(linux=place / "linux", dtc=place / "dtc", version=noted)


def keep(made: Path, place: Path, version: str) -> Kernel:
    """Move what a build has made into its place in the cache, and drop the oldest kernels."""
    (made / "version").write_text(version, encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)  # its `version` is missing, else it would have been found
    made.rename(place)
    by_age = sorted(place.parent.glob("*/version"), key=lambda note: note.stat().st_mtime, reverse=True)
    for note in by_age[KEPT:]:
        shutil.rmtree(note.parent)
    return Kernel(linux=place / "linux", dtc=place / "dtc", version=version)


def _build(cache: Path, source: Path | None, version: str | None) -> Kernel:
    """Fetch the sources unless they are given, build, clear away."""
    if (free_bytes := shutil.disk_usage(cache).free) < DISK_BYTES:
        raise KernelError(
            f"{cache} has {free_bytes / 2**30:.1f} GB free, the build of the test kernel needs {DISK_BYTES >> 30}",
            hint="set XDG_CACHE_HOME to a directory on a larger disk",
        )
    scratch = cache / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # of a build that was killed
    scratch.mkdir()
    begun_s = time.monotonic()
    try:
        if source is None or version is None:
            say("asking a mirror of Debian for kernel sources")
            packages = debian.open_packages(scratch)
            name, version = packages.newest()
            say(f"fetching {name} {version}, about 170 MB")
            source = packages.unpack(name, version)
        place = cache / key(version)  # now: somebody may edit the inputs before the build is through
        kernel = keep(build.build(source, scratch, cache / "build.log"), place, version)
    finally:
        shutil.rmtree(scratch)
    say(f"built from {version} in {(time.monotonic() - begun_s) / 60:.1f} min: {kernel.linux}")
    return kernel


def _wait_for(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("somebody else is building one; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]


def main() -> int:
    """Build the kernel if need be, and print its path."""
    try:
        print(get_kernel().linux)
    except KernelError as err:
        print(err.report(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
