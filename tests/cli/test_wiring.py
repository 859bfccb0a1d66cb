"""gpiomux.cli.wiring: the table, the drawing, and what is refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.cli.commands import ROOT, perform

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

A, B = (str(ROOT / "configs" / f"raspberry-pi-{board}.yaml") for board in "ab")


def test_the_wiring_of_two_boards_is_a_table(run: Run) -> None:
    status, out, err = run("wiring", A, B)
    assert (status, err) == (0, "")
    assert out.splitlines()[:3] == [
        "geth0",
        "  raspberry-pi-a.yaml  role            role        raspberry-pi-b.yaml",
        "  pin 11 (GPIO17)      out.data 0  ->  in.data 0   pin 29 (GPIO5)",
    ]
    assert "  pin 32 (GPIO12)      out.ack     <-  in.ack      pin 18 (GPIO24)\n" in out
    assert "  pin 39 (GND)         ground      --  ground      pin 39 (GND)\n\n- " in out
    assert "\n- 3.3 V only: " in out


def test_one_board_is_wired_to_roles(run: Run) -> None:
    out = run("wiring", A).out
    assert "  raspberry-pi-a.yaml  role            role        the other board\n" in out
    assert "  pin 11 (GPIO17)      out.data 0  ->  in.data 0\n" in out


def test_a_drawing_is_written_instead(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wiring.svg"
    assert run("wiring", A, B, "-o", str(path)) == (0, "", "")
    assert path.read_text(encoding="utf-8") == (ROOT / "man" / "wiring-raspberry-pi.svg").read_text(encoding="utf-8")


def test_files_of_the_same_name_are_told_apart(run: Run, tmp_path: Path) -> None:
    names = []
    for directory, source in (("a", A), ("b", B)):
        (tmp_path / directory).mkdir()
        names.append(str(shutil.copy(source, tmp_path / directory / "gpiomux.yaml")))
    head = run("wiring", *names).out.splitlines()[1]
    assert head.split() == [names[0], "role", "role", names[1]]


def test_a_file_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "none" / "wiring.svg"
    assert run("wiring", A, "-o", str(path)) == (
        2,
        "",
        f"gpiomux: cannot write {path}: No such file or directory\n  hint: name a file that this user may write\n",
    )


def test_a_faulty_configuration_is_told_with_its_place(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("links:\n  - {name: geth0}\n")
    status, out, err = run("wiring", A, str(bad))
    assert (status, out) == (2, "")
    assert f"{bad}:2:5: links[0]: " in err


def test_simulated_lines_are_nothing_to_wire(run: Run) -> None:
    status, _, err = run("wiring", str(ROOT / "configs" / "two-links.yaml"))
    assert (status, err.splitlines()[0]) == (
        2,
        "gpiomux: two-links.yaml: no link runs over real lines, so there is nothing to wire",
    )


def test_a_configuration_comes_from_standard_input_too() -> None:
    with open(A, encoding="utf-8") as file:
        done = perform("wiring", "-", B, stdin=file.read())
    assert (done.status, done.err) == (0, "")
    assert "  <stdin>          role            role        raspberry-pi-b.yaml\n" in done.out
