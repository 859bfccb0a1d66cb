"""Words go both ways between two processes over the null modem, with the code of gpiomux and nothing lost."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gpiomux.lines.handshake import Handshake
from tests.kernel import modem
from tests.kernel.aggregators import through_configfs
from tests.kernel.far_end import INPUTS, MOST, OUTPUTS, READY, SPIN, WIDTH
from tests.kernel.raw_lines import RawLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

WORDS = bytes(range(256)) * 8
PATIENCE_S = 60.0


@pytest.fixture(params=["direct", "aggregated"])
def chips(request: pytest.FixtureRequest, multiple: bool, cable: None) -> Iterator[tuple[Path, Path]]:
    """Both ends of the null modem, as they are and as aggregators of all their lines."""
    if request.param == "direct":
        yield modem.chip(0), modem.chip(1)
        return
    whole = range(modem.LINES)
    with through_configfs(modem.LABELS[0], whole) as near, through_configfs(modem.LABELS[1], whole) as far:
        yield near, far


def test_no_word_is_lost_between_two_processes(chips: tuple[Path, Path], multiple: bool) -> None:
    near_chip, far_chip = chips
    arguments = ["-m", "tests.kernel.far_end", str(far_chip), str(multiple), str(len(WORDS))]
    with (
        closing(RawLines(near_chip, inputs=INPUTS, outputs=OUTPUTS, atomic=multiple)) as lines,
        subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as far_end,
    ):
        assert far_end.stdout
        assert far_end.stdout.readline().strip() == READY
        handshake = Handshake(lines, width_in=WIDTH, width_out=WIDTH)
        handshake.load(WORDS)
        give_up_s = time.monotonic() + PATIENCE_S
        while len(handshake.received) < len(WORDS) and time.monotonic() < give_up_s:
            handshake.run(SPIN, MOST)
        far_end.communicate("")
    assert handshake.received == bytes(word ^ 0xFF for word in WORDS)
    assert handshake.words_out == len(WORDS)
    assert far_end.returncode == 0
    assert modem.fights() == 0
