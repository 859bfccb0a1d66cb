"""gpiomux.cli.output: what reaches a terminal, and what reaches a pipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gpiomux.cli import output
from gpiomux.stats.report import Table, Tone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("geth0: no carrier\n", "geth0: no carrier\n"),
        ("Zürich ✓", "Zürich ✓"),
        ("\x1b[31mred\x07\r\t", "\\x1b[31mred\\x07\\r\\t"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\udcff.yaml", "\\udcff.yaml"),
    ],
)
def test_only_what_can_be_seen_is_printed(text: str, shown: str) -> None:
    assert output.visible(text) == shown


def test_a_closed_stream_and_a_file_are_no_terminal(tmp_path: Path) -> None:
    assert not output.on_terminal(None)
    with open(tmp_path / "file", "w") as file:
        assert not output.on_terminal(file)


def test_tones_and_signs_all_have_a_style() -> None:
    assert set(output.TONE_STYLES) == set(Tone)
    assert set(output.SIGN_COLOURS) == {"+", "-", "~"}


def test_tables_are_plain_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    output.tables([Table(title="geth0", note="\x1b[2Jcarrier", rows=(("mode", "raw"),))])
    assert capsys.readouterr() == ("geth0: \\x1b[2Jcarrier\n  mode  raw\n", "")


def test_json_is_ascii_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"epoch": 2**64 - 1, "text": "\x1b\u202e\udcff"}
    output.as_json(answer)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed) == answer


def test_progress_is_quiet_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with output.Progress() as progress:
        progress.update({"done": 0, "total": 1, "operation": "+ interface geth0"})
    assert capsys.readouterr() == ("", "")
