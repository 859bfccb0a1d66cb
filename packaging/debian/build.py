"""Build a Debian package of this checkout: `make deb`, or `python3 packaging/debian/build.py OUTPUT_DIRECTORY`.

Debian's own packages of the libraries are too old (pyroute2) or another library of the same name (gpiod), so the
package brings its libraries along, in a virtual environment of its own below /usr/lib/gpiomux. Two of them are
compiled for one minor version of Python, which the package therefore depends on.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HOME = Path("usr/lib/gpiomux")
"""Of the virtual environment, below the root of the package."""
PYTHON = Path("/usr/bin/python3")
"""Of the system: the package must run where nothing else is installed."""
PROGRAMS = ("gpiomux", "gpiomuxd")
SHELLS = {
    "bash": "usr/share/bash-completion/completions/gpiomux",
    "zsh": "usr/share/zsh/vendor-completions/_gpiomux",
    "fish": "usr/share/fish/vendor_completions.d/gpiomux.fish",
}
FILES = {
    "packaging/systemd/gpiomux.service": "lib/systemd/system/gpiomux.service",
    "packaging/systemd/gpiomuxd.service": "lib/systemd/system/gpiomuxd.service",
    "packaging/systemd/gpiomux-metrics.service": "lib/systemd/system/gpiomux-metrics.service",
    "packaging/systemd/gpiomux.sysusers": "usr/lib/sysusers.d/gpiomux.conf",
    "packaging/systemd/gpiomux.tmpfiles": "usr/lib/tmpfiles.d/gpiomux.conf",
    "packaging/systemd/gpiomux.modules-load": "usr/lib/modules-load.d/gpiomux.conf",
    "packaging/udev/gpiomux.rules": "lib/udev/rules.d/60-gpiomux.rules",
    "packaging/debian/copyright": "usr/share/doc/gpiomux/copyright",
    "README.md": "usr/share/doc/gpiomux/README.md",
}
SCRIPTS = ("postinst", "prerm", "postrm")
_COMPLETION = "import sys; from gpiomux.cli.main import main; sys.exit(main(['completion', sys.argv[1]]))"
CONTROL = """\
Package: gpiomux
Version: {version}
Architecture: {architecture}
Maintainer: The gpiomux developers <gpiomux@localhost>
Installed-Size: {kilobytes}
Depends: python3 (>= {python}), python3 (<< {next_python}), passwd
Recommends: iproute2, libbpf1
Suggests: tcpdump, tshark
Section: net
Priority: optional
Description: Linux network links over GPIO lines
 One file describes network links over spare GPIO lines, simulated lines or
 shared memory. gpiomux makes their interfaces, runs one process without
 privileges for each of them, and keeps them running.
"""


def main() -> int:
    """Build the package into the directory that the command line names; print its path."""
    if len(sys.argv) != 2:
        print("usage: build.py OUTPUT_DIRECTORY", file=sys.stderr)
        return 2
    output = Path(sys.argv[1]).absolute()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        tree.mkdir(mode=0o755)
        install_programs(tree, Path(directory) / "pip")
        install_files(tree)
        print(package(tree, output))
    return 0


def install_programs(tree: Path, installer: Path) -> None:
    """Make the virtual environment, and links to its programs where a shell looks for them."""
    home = tree / HOME
    run(PYTHON, "-m", "venv", "--without-pip", home)
    run(PYTHON, "-m", "venv", installer)
    pip = (installer / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "--python", home / "bin" / "python", "install", "--quiet", "--no-compile", ROOT)
    for script in (home / "bin").iterdir():
        if script.name.startswith("python"):
            continue
        if script.name not in PROGRAMS:  # of libraries; and activation, which is for people
            script.unlink()
            continue
        script.write_text(script.read_text().replace(str(home), f"/{HOME}"))
        link = tree / "usr/bin" / script.name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../lib/gpiomux/bin/{script.name}")
    configuration = home / "pyvenv.cfg"
    configuration.write_text(configuration.read_text().replace(str(home), f"/{HOME}"))
    # What pip leaves for itself says where this checkout was.
    for record in home.rglob("direct_url.json"):
        record.unlink()


def install_files(tree: Path) -> None:
    """Put units, rules, manual and completion where Debian wants them."""
    share = tree / HOME / "share"
    shutil.move(share / "man", tree / "usr/share/man")
    shutil.move(share / "doc", tree / "usr/share/doc")
    shutil.rmtree(share)
    shutil.rmtree(tree / HOME / "lib/systemd", ignore_errors=True)
    shutil.rmtree(tree / HOME / "lib/sysusers.d", ignore_errors=True)
    for source, target in FILES.items():
        place = tree / target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, place)
    for page in [it for it in (tree / "usr/share/man").rglob("*") if it.is_file()]:
        compress(page.read_bytes(), page.with_name(f"{page.name}.gz"))
        page.unlink()
    compress((ROOT / "CHANGELOG.md").read_bytes(), tree / "usr/share/doc/gpiomux/changelog.gz")
    for shell, target in SHELLS.items():
        place = tree / target
        place.parent.mkdir(parents=True, exist_ok=True)
        command = (tree / HOME / "bin" / "python", "-B", "-c", _COMPLETION, shell)
        place.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd="/").stdout)


def package(tree: Path, output: Path) -> Path:
    """Wrap the tree up; the path of the package."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or os.access(path, os.X_OK)
            path.chmod(0o755 if executable else 0o644)
    size_bytes = sum(it.lstat().st_size for it in tree.rglob("*") if it.is_file() and not it.is_symlink())
    architecture = run("dpkg", "--print-architecture").strip()
    major, minor = map(int, run(PYTHON, "-c", "import sys; print(*sys.version_info[:2])").split())
    version = version_of_gpiomux()
    control = tree / "DEBIAN"
    control.mkdir(mode=0o755)
    (control / "control").write_text(
        CONTROL.format(
            version=version,
            architecture=architecture,
            kilobytes=-(-size_bytes // 1024),
            python=f"{major}.{minor}",
            next_python=f"{major}.{minor + 1}",
        )
    )
    for script in SCRIPTS:
        shutil.copyfile(HERE / script, control / script)
        (control / script).chmod(0o755)
    made = output / f"gpiomux_{version}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "--build", tree, made)
    return made


def version_of_gpiomux() -> str:
    """As gpiomux/version.py states it."""
    found = re.search(r'VERSION = "([^"]+)"', (ROOT / "gpiomux/version.py").read_text())
    assert found is not None
    return found[1]


def compress(data: bytes, place: Path) -> None:
    """Write compressed bytes that are the same every time."""
    place.write_bytes(gzip.compress(data, 9, mtime=0))


def run(*words: str | Path) -> str:
    """Run a program, which must succeed; its output."""
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    sys.exit(main())
