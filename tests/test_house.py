"""The house stands as ARCHITECTURE.md draws it: floors, allowed imports, small modules, no circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gpiomux"

ALLOWED: dict[str, set[str]] = {
    # floor 1
    "frozen": set(),
    "errors": {"frozen"},
    "version": set(),
    "rundir": {"frozen"},
    "log": {"errors"},
    "wire": set(),
    # floor 2
    "config": {"errors"},
    "stats": {"errors", "frozen"},
    # floor 3
    "plan": {"wire", "config", "errors"},
    "lines": {"config", "errors", "rundir"},
    "channels": {"wire", "config", "errors", "rundir"},
    "aggregator": {"config", "errors"},
    "netdev": {"config", "errors"},
    "control": {"errors", "frozen", "rundir"},
    "wiring": {"config", "errors"},
    "waveform": {"config", "wire"},
    # floor 4
    "apply": {"plan", "netdev", "lines", "channels", "aggregator", "config", "control", "errors", "rundir", "log"}
    | {"wire"},  # the packets of the traffic generator
    "doctor": {"aggregator", "netdev", "lines", "wire", "config", "errors", "rundir"},
    "datapath": {"wire", "lines", "channels", "netdev", "config", "control", "errors", "log"},
    # floor 5
    "daemon": {"apply", "doctor", "plan", "config", "control", "stats", "errors", "rundir", "log", "version"},
    "cli": {"doctor", "config", "control", "stats", "waveform", "wire", "wiring", "errors", "frozen"}
    | {"rundir", "version"},
}
"""Room -> the rooms it may import, itself apart. A new room needs a line here and one in ARCHITECTURE.md."""

HEAVY: dict[str, set[str]] = {
    "asyncio": {"control", "daemon"},
    "gpiod": {"lines", "aggregator"},
    "jsonschema": {"config"},
    "prometheus_client": {"stats"},
    "pyroute2": {"netdev"},
    "rich": {"cli"},
    "typer": {"cli"},
    "yaml": {"config", "cli"},  # cli: to print the running configuration
}
"""Package whose import costs tens of milliseconds -> the rooms that may pay for it."""

IMPURE = {"asyncio", "ctypes", "datetime", "fcntl", "io", "logging", "multiprocessing", "os", "pathlib", "random"}
IMPURE |= {"secrets", "select", "selectors", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time"}
"""What reaches a file, a clock, randomness or another process."""
PURE = ("wire", "wiring", "waveform")
"""Rooms that may use none of it."""

MODULE_LINES = 400
FUNCTION_LINES = 60


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def module_names() -> frozenset[str]:
    return frozenset(name_of(path) for path in modules())


def name_of(path: Path) -> str:
    """`gpiomux/wire/frame.py` -> `gpiomux.wire.frame`; a package's `__init__.py` bears the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room a module of ours belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a module imports, also inside functions and for the type checker only."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            if node.module.split(".")[0] == "gpiomux":
                yield from ((node.lineno, known_module(f"{node.module}.{alias.name}")) for alias in node.names)
            else:
                yield node.lineno, node.module


def known_module(dotted: str) -> str:
    """`gpiomux.config.model.Link` -> `gpiomux.config.model`."""
    return dotted if dotted in module_names() else dotted.rpartition(".")[0]


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_table_names_every_room() -> None:
    rooms = {room_of(name_of(path)) for path in modules()} - {""}
    assert rooms <= set(ALLOWED), "a room without a place in the house"


def test_imports_keep_to_the_floors() -> None:
    wrong = []
    for path in modules():
        room = room_of(name_of(path))
        for line, module in imports_of(path):
            if module.startswith("gpiomux.") and room_of(module) not in ALLOWED.get(room, set()) | {room}:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room} must not import {module}")
    assert not wrong, "\n".join(wrong)


def test_no_module_is_part_of_a_circle() -> None:
    arrows = {name_of(path): {module for _, module in imports_of(path)} for path in modules()}
    # Taking away again and again what imports none of the rest leaves exactly the circles and what stands on them.
    while free := {module for module, needed in arrows.items() if not needed & set(arrows)}:
        arrows = {module: needed for module, needed in arrows.items() if module not in free}
    assert not arrows


def test_heavy_packages_stay_in_their_rooms() -> None:
    wrong = []
    for path in modules():
        room = room_of(name_of(path))
        for line, module in imports_of(path):
            package = module.split(".")[0]
            if room not in HEAVY.get(package, {room}):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room} must not import {package}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_does_no_io(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in (PACKAGE / room).glob("*.py")
        for line, module in imports_of(path)
        if module.split(".")[0] in IMPURE
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("absent", ["asyncio", "gpiod", "jsonschema", "pyroute2", "yaml"])
def test_the_client_starts_without(absent: str) -> None:
    """Also what a module of ours imports indirectly counts: start-up time is a promise to the user."""
    code = f"import sys, gpiomux.cli.main; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_init_files_are_empty() -> None:
    assert [str(path) for path in modules() if path.name == "__init__.py" and path.read_text()] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path) for path in modules() if path.name != "__init__.py" and not ast.get_docstring(tree_of(path))]
    assert silent == []


def test_no_module_is_too_long() -> None:
    long = [f"{path}: {count} lines" for path in modules() if (count := line_count(path)) > MODULE_LINES]
    assert long == []


def test_no_function_is_too_long() -> None:
    long = []
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if (count := node.end_lineno - node.lineno + 1) > FUNCTION_LINES:
                    long.append(f"{path}:{node.lineno}: {node.name} has {count} lines")
    assert not long, "\n".join(long)


def test_no_error_is_swallowed_whole() -> None:
    """`except:` and `except Exception:` hide faults of ours behind those of the machine."""
    wrong = []
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception"):
                wrong.append(f"{path}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_only_the_client_prints() -> None:
    """A daemon and a datapath say why they end on standard error, and everything else in the log."""
    wrong = []
    for path in modules():
        if room_of(name_of(path)) == "cli":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                if any(ast.unparse(word) == "file=sys.stderr" for word in node.keywords):
                    continue
                wrong.append(f"{path}:{node.lineno}")
    assert not wrong, "\n".join(wrong)
