"""Fetches Debian's kernel source through apt, next to the machine's own apt set-up and without touching it.

The mirror comes from the machine's apt configuration, proxies and certificates as well; the suite and the directories
for lists and packages are ours, so this needs no root, and apt checks the signatures with Debian's own keys.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernel.failure import KernelError

if TYPE_CHECKING:
    from collections.abc import Iterable

OLDEST = (6, 16)
"""The first kernel whose gpio-aggregator can be set up through configfs."""

BACKPORTS_SUITE = "trixie-backports"
NEWER_RELEASES = {"forky", "duke", "sid"}
"""Releases of Debian that have such a kernel themselves.

Everything else takes the backports: a source package fits every release, it needs nothing of it but the compiler.
"""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class SourcePackages:
    """The kernel source packages of one mirror and suite, seen through apt with lists of our own in `directory`."""

    def __init__(self, directory: Path, mirror: str, suite: str) -> None:
        """Read the mirror's lists.

        Raises:
            KernelError: the mirror cannot be reached, has no such suite, or is not signed by Debian.
        """
        self._directory = directory
        for name in ("lists/partial", "cache/archives/partial"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        sources = directory / "debian.sources"
        sources.write_text(
            f"Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n", encoding="ascii"
        )
        self._options = [
            *("-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null"),
            *("-o", "Dir::Etc::Preferences=/dev/null", "-o", "Dir::Etc::PreferencesParts=/dev/null"),
            *("-o", f"Dir::State::Lists={directory}/lists", "-o", f"Dir::Cache={directory}/cache"),
            *("-o", "APT::Sandbox::User=", "-o", "APT::Update::Error-Mode=any", "-o", "Acquire::Languages=none"),
        ]
        _output(["apt-get", *self._options, "update"])

    def newest(self) -> tuple[str, str]:
        """Name and version of the newest kernel source package.

        Raises:
            KernelError: there is none that is new enough.
        """
        names = _output(["apt-cache", *self._options, "search", "--names-only", "^linux-source-[0-9]"])
        name = newest_name(line.split()[0] for line in names.splitlines() if line)
        shown = _output(["apt-cache", *self._options, "show", "--no-all-versions", name])
        version = re.search(r"^Version: (\S+)$", shown, re.MULTILINE)
        assert version, shown
        return name, version[1]

    def unpack(self, name: str, version: str) -> Path:
        """Download the package; return the archive of sources that is in it.

        Raises:
            KernelError: apt or dpkg fails.
        """
        _output(["apt-get", *self._options, "download", f"{name}={version}"], cwd=self._directory)
        (package,) = self._directory.glob("*.deb")
        _output(["dpkg", "--extract", str(package), str(self._directory / "package")])
        package.unlink()
        (archive,) = self._directory.glob("package/usr/src/linux-source-*.tar.*")
        return archive


def open_packages(directory: Path) -> SourcePackages:
    """The kernel source packages of the first of this machine's mirrors that has them.

    Raises:
        KernelError: this machine's apt knows no such mirror; every mirror's answer is in the text.
    """
    if not KEYRING.exists():
        raise KernelError(
            f"{KEYRING} is missing: the sources of the test kernel come from Debian",
            hint="sudo apt-get install debian-archive-keyring, or give the sources with --source",
        )
    suite = suite_for(_codename())
    answers = []
    for mirror in mirrors(_output(["apt-get", "--print-uris", "update"]), _codename()):
        try:
            return SourcePackages(directory, mirror, suite)
        except KernelError as err:
            answers.append(f"{mirror}: {err.hint or err}")
    raise KernelError(
        f"no mirror in this machine's apt configuration has Debian's {suite}",
        hint="\n".join(answers) or "give the sources with --source",
    )


def suite_for(codename: str) -> str:
    """The suite to take kernel sources from on a release of Debian."""
    return codename if codename in NEWER_RELEASES else BACKPORTS_SUITE


def mirrors(uris: str, codename: str) -> list[str]:
    """Roots of archives in the output of `apt-get --print-uris update`, the one of the release itself first."""
    found = re.findall(r"^'(.+?)/dists/([^/']+)[^']*'", uris, re.MULTILINE)
    found.sort(key=lambda pair: pair[1] != codename)
    return list(dict.fromkeys(root for root, _ in found))


def newest_name(names: Iterable[str]) -> str:
    """The newest of packages like `linux-source-6.16`.

    Raises:
        KernelError: none is at least OLDEST.
    """
    versions = {}
    for name in names:
        if match := re.fullmatch(r"linux-source-(\d+)\.(\d+)", name):
            versions[int(match[1]), int(match[2])] = name
    newest = max(versions, default=(0, 0))
    if newest < OLDEST:
        raise KernelError(
            f"Debian's kernel sources here end at {newest[0]}.{newest[1]}",
            hint=f"the test kernel needs {OLDEST[0]}.{OLDEST[1]}; give newer sources with --source",
        )
    return versions[newest]


def _codename() -> str:
    release = Path("/etc/os-release")
    text = release.read_text(encoding="utf-8") if release.exists() else ""
    match = re.search(r"^VERSION_CODENAME=\"?(\w+)", text, re.MULTILINE)
    return match[1] if match else "sid"


def _output(command: list[str], cwd: Path | None = None) -> str:
    """What a command prints; its complaints, last lines first of all, become the error."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        raise KernelError(
            f"there is no {command[0]} here: the sources of the test kernel come as a package of Debian",
            hint="give the sources with --source",
        ) from err
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines()
        raise KernelError(f"{command[0]} failed", hint="\n".join(complaint[-5:]))
    return done.stdout
