"""Debug output of a link: what is logged, how much of it, and that a log which nobody takes stops nothing."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from gpiomux.datapath.debug import BURST, INTERVAL_NS, Debug
from gpiomux.datapath.recorder import FRAME, PACKET, Recorder
from gpiomux.errors import UsageError
from gpiomux.wire.tap import Damage
from gpiomux.wire.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACK = b"\x30\0\7"


class Link:
    def __init__(self) -> None:
        self.now_ns = 0
        self.tapped: set[str] = set()
        self.recorder = Recorder(self._set_tap)
        self.debug = Debug("geth0", Trace(mode="raw", datagram=False), self.recorder, lambda: self.now_ns)

    def _set_tap(self, kind: str, recorder: Recorder | None) -> None:
        if kind == "frame" and self.debug.level == "packets":
            raise UsageError("no frames here")
        (self.tapped.discard if recorder is None else self.tapped.add)(kind)

    def frames(self, count: int) -> None:
        for _ in range(count):
            self.recorder.frame(True, ACK, Damage.NONE)


@pytest.fixture
def log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, with a file as standard error."""
    caplog.set_level(logging.INFO)
    with (tmp_path / "log").open("w") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        yield caplog


def test_levels_switch_taps(log: pytest.LogCaptureFixture) -> None:
    link = Link()
    for level, kinds in (("frames", {PACKET, FRAME}), ("on", {PACKET}), ("off", set())):
        link.debug.switch(level)
        assert (link.tapped, link.debug.level) == (kinds, level)
    assert log.messages == [f"geth0: debug output: {level}" for level in ("frames", "on", "off")]


def test_a_line_for_each(log: pytest.LogCaptureFixture) -> None:
    link = Link()
    link.debug.switch("frames")
    link.recorder.packet(False, "geth0", 7, b"\x88\xb5abc")
    link.frames(1)
    assert log.messages[1:] == [
        "geth0: geth0 In  mark 0x7 protocol 0x88b5, length 3",
        "geth0: wire Out ack 7, length 3",
    ]


def test_a_level_that_the_link_does_not_have_changes_nothing(log: pytest.LogCaptureFixture) -> None:
    link = Link()
    link.debug.switch("packets")
    with pytest.raises(UsageError):
        link.debug.switch("frames")
    assert (link.debug.level, link.tapped) == ("packets", {PACKET})


def test_a_flood_is_suppressed_and_counted(log: pytest.LogCaptureFixture) -> None:
    link = Link()
    link.now_ns = 10**12
    link.debug.switch("frames")
    link.frames(BURST + 50)
    assert len(log.messages) == 1 + BURST
    link.now_ns += 2 * INTERVAL_NS
    link.frames(3)
    line = "geth0: wire Out ack 7, length 3"
    assert log.messages[1 + BURST :] == ["geth0: debug output: 50 messages suppressed", line, line]
    link.debug.switch("off")
    assert log.messages[-2:] == ["geth0: debug output: 1 messages suppressed", "geth0: debug output: off"]


def test_a_log_that_nobody_takes_does_not_stop_the_link(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_NONBLOCK)
    link = Link()
    link.debug.switch("frames")
    with open(ours, "rb", buffering=0) as reader, open(theirs, "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", full)
        with suppress(BlockingIOError):  # until it is full
            while os.write(theirs, bytes(4096)):
                pass
        link.frames(5)
        assert len(caplog.messages) == 1
        reader.read(1 << 20)
        link.frames(1)
    assert caplog.messages[1:] == ["geth0: debug output: 5 messages suppressed", "geth0: wire Out ack 7, length 3"]
