"""Which mirror, which suite and which package the sources of the test kernel come from."""

from __future__ import annotations

import pytest

from tests.kernel import debian
from tests.kernel.failure import KernelError

URIS = """\
'https://packages.example/apt/dists/stable/InRelease' packages.example_apt_dists_stable_InRelease 0
'http://mirror.example/debian-security/dists/bookworm-security/InRelease' mirror.example_debian-security 0
'http://mirror.example/debian/dists/bookworm-updates/InRelease' mirror.example_debian_dists_bookworm-updates 0
'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_debian_dists_bookworm_InRelease 0
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror.example_debian_dists_main 0
"""


def test_the_mirror_of_the_release_is_asked_first() -> None:
    assert debian.mirrors(URIS, "bookworm") == [
        "http://mirror.example/debian",
        "https://packages.example/apt",
        "http://mirror.example/debian-security",
    ]


def test_a_machine_without_sources_has_no_mirror() -> None:
    assert debian.mirrors("", "bookworm") == []


@pytest.mark.parametrize(
    ("codename", "suite"), [("bookworm", "trixie-backports"), ("trixie", "trixie-backports"), ("sid", "sid")]
)
def test_the_suite_fits_the_release(codename: str, suite: str) -> None:
    assert debian.suite_for(codename) == suite


def test_the_newest_version_is_a_number_not_a_text() -> None:
    names = ["linux-source", "linux-source-6.9", "linux-source-6.16", "linux-source-6.16-rt", "linux-source-6.2"]
    assert debian.newest_name(names) == "linux-source-6.16"


@pytest.mark.parametrize("names", [[], ["linux-source-6.12", "linux-source-6.1"]])
def test_old_sources_are_refused(names: list[str]) -> None:
    with pytest.raises(KernelError, match="sources here end at"):
        debian.newest_name(names)
