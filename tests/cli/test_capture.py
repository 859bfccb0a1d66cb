"""gpiomux.cli.capture: what goes into the file and what is said, against a daemon that speaks the real protocol."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.errors import MachineError, UsageError
from tests.cli.commands import COMMAND, ROOT, on_terminal
from tests.cli.pcapng_reader import blocks, frames

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

ACK = b"\x30\0\7"


def answer(**changes: Any) -> dict[str, Any]:
    """Two frames in each turn, and more at once."""
    records = [
        [8, 77, "frame", "out", "", b64encode(ACK).decode()],
        [9, 78, "frame", "in", "crc", b64encode(ACK).decode()],
    ]
    transport = {"mode": "eth", "delivery": "datagram"}
    given = {"records": records, "next": 9, "more": True, "lost": 0, "transport": transport, "mtu": 1400}
    return {**given, **changes}


def test_as_many_frames_as_asked_for(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.answers["record"] = answer(lost=4)
    path = tmp_path / "x.pcapng"
    assert run("capture", "geth0", "-w", str(path), "--count", "3") == (
        0,
        "",
        "gpiomux: 3 frames captured, 8 lost\n",
    )
    data = path.read_bytes()
    assert frames(data) == [(77, "out", 0, ACK), (78, "in", 1 << 24 | 4 << 5, ACK), (77, "out", 0, ACK)]
    assert blocks(data)[1].options[3] == b"mode eth, delivery datagram, mtu 1400"
    assert blocks(data)[-1].options[5] == struct.pack("<Q", 8)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked = [request.args for request in daemon.requests]
    assert asked == [{"link": "geth0", "kinds": ["frame"], "after": after} for after in (-1, 9, 9)]


def test_it_ends_after_the_seconds(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.answers["record"] = answer(records=[], more=False)
    status, _, err = run("capture", "geth0", "-w", str(tmp_path / "x"), "--seconds", "1")
    assert (status, err) == (0, "gpiomux: 0 frames captured, 0 lost\n")
    assert [block.kind for block in blocks((tmp_path / "x").read_bytes())][-1] == 5


def test_a_recording_that_had_ended_is_told(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.answers["record"] = answer(lost=None)
    _, _, err = run("capture", "geth0", "-w", str(tmp_path / "x"), "--count", "1")
    assert err.startswith("gpiomux: note: the recording of geth0 had ended; frames are missing here\n")


def test_standard_output(daemon: FakeDaemon) -> None:
    daemon.answers["record"] = answer()
    done = subprocess.run((*COMMAND, "capture", "geth0", "-w", "-", "--count", "2"), cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"gpiomux: 2 frames captured, 0 lost\n")
    assert len(frames(done.stdout)) == 2


def test_a_reader_that_goes_away_ends_it(daemon: FakeDaemon) -> None:
    daemon.answers["record"] = answer()
    ours, theirs = os.pipe()
    with open(theirs, "wb") as output:
        process = subprocess.Popen((*COMMAND, "capture", "geth0", "-w", "-"), cwd=ROOT, stdout=output)
    assert os.read(ours, 4) == b"\x0a\x0d\x0d\x0a"
    os.close(ours)
    assert process.wait() == 141


def test_a_terminal_would_not_read_it(daemon: FakeDaemon) -> None:
    status, shown = on_terminal("capture", "geth0", "-w", "-")
    assert (status, daemon.requests) == (2, [])
    assert "would not be read on a terminal" in shown


def test_without_a_file(run: Run, daemon: FakeDaemon) -> None:
    status, _, err = run("capture", "geth0")
    assert status == 2
    assert "  hint: name a file with -w; 'gpiomux debug geth0 frames --follow' shows them here\n" in err


def test_a_file_that_cannot_be_made(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.answers["record"] = answer()
    status, _, err = run("capture", "geth0", "-w", str(tmp_path))
    assert (status, err.splitlines()[0]) == (2, f"gpiomux: {tmp_path}: Is a directory")


@pytest.mark.parametrize(
    ("error", "status"), [(UsageError("no link nope"), 2), (MachineError("geth0 is not running", errno=3), 1)]
)
def test_what_cannot_be_captured_makes_no_file(
    run: Run, daemon: FakeDaemon, tmp_path: Path, error: Any, status: int
) -> None:
    daemon.answers["record"] = error
    path = tmp_path / "x"
    assert run("capture", "nope", "-w", str(path))[0] == status
    assert not path.exists()
