"""What people install: a wheel and a source archive by pipx, and a Debian package, which goes without a trace.

These tests fetch libraries, so they run by `make test-packages`, outside of the private network of all others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from gpiomux.version import VERSION

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.name for page in (ROOT / "man").glob("*.[1-8]"))
EXAMPLES = sorted(str(it.relative_to(ROOT / "configs")) for it in (ROOT / "configs").rglob("*") if it.is_file())


def run(*words: str | Path, **environment: str) -> str:
    """Run a program that must succeed, without the surroundings of the tests; its output."""
    kept = {
        name: it for name, it in os.environ.items() if name.startswith("PIP_") or name in ("PATH", "HOME", "TMPDIR")
    }
    done = subprocess.run(words, text=True, capture_output=True, env={**kept, **environment}, cwd=ROOT)
    assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source archive, and the wheel made of it, not of this checkout."""
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", directory)
    (source,) = directory.glob("*.tar.gz")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, source)
    (wheel,) = directory.glob("*.whl")
    return {"source": source, "wheel": wheel}


def test_the_wheel_holds_programs_schema_manual_and_examples(archives: dict[str, Path]) -> None:
    names = zipfile.ZipFile(archives["wheel"]).namelist()
    data = f"gpiomux-{VERSION}.data/data"
    for schema in (ROOT / "schemas").iterdir():
        assert f"gpiomux/schemas/{schema.name}" in names
    for page in PAGES:
        assert f"{data}/share/man/man{page[-1]}/{page}" in names
    for example in EXAMPLES:
        assert f"{data}/share/doc/gpiomux/examples/{example}" in names
    assert not [name for name in names if name.startswith(("tests", "packaging"))]


def test_the_source_archive_holds_what_the_tests_need(archives: dict[str, Path]) -> None:
    with tarfile.open(archives["source"]) as archive:
        names = archive.getnames()
    for wanted in ("Makefile", "README.md", "tests/conftest.py", "packaging/debian/build.py", "man/gpiomux.1"):
        assert f"gpiomux-{VERSION}/{wanted}" in names


def test_pipx_installs_it(archives: dict[str, Path], tmp_path: Path) -> None:
    places = {name: str(tmp_path / name) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")}
    run(sys.executable, "-m", "pipx", "install", "--quiet", archives["wheel"], **places)
    program = Path(places["PIPX_BIN_DIR"]) / "gpiomux"
    assert run(program, "--version") == f"gpiomux {VERSION}\n"
    assert "valid, 2 links" in run(program, "validate", ROOT / "configs" / "two-links.yaml")
    assert (Path(places["PIPX_MAN_DIR"]) / "man1" / "gpiomux.1").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg needs root")
def test_the_debian_package_works_and_goes_without_a_trace(tmp_path: Path) -> None:
    package = Path(run("python3", ROOT / "packaging/debian/build.py", tmp_path).splitlines()[-1])
    (tmp_path / "copy").mkdir()
    isolated = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
    said = run(*isolated, ROOT / "packaging/debian/try.sh", package, tmp_path / "copy").splitlines()
    assert f"gpiomux {VERSION}" in said
    assert any(" 0% packet loss" in line for line in said)
    interfaces = [line.split()[0] for line in said if line.startswith(("lo ", "geth"))]
    assert interfaces == ["lo"]
    assert said[said.index("left behind:") + 1 :] == []
