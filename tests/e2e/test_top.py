"""`gpiomux top` in a pipe and on a terminal, while packets flow."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import traffic
from tests.e2e.host import GPIOMUX, ROOT

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

TWO_LINKS = (ROOT / "configs" / "two-links.yaml").read_text()
FAR = "10.10.0.2"


def test_blocks_in_a_pipe(host: Host) -> None:
    host.apply(TWO_LINKS)
    with subprocess.Popen([GPIOMUX, "top", "--count", "3"], text=True, stdout=subprocess.PIPE) as process:
        assert traffic.echo(FAR, range(200)).wrong == []
        output, _ = process.communicate()
    assert process.returncode == 0
    blocks = output.split("gpiomuxd ")[1:]
    assert len(blocks) == 3
    assert all("2 of 2 with a carrier" in block and "geth1  carrier" in block for block in blocks)
    assert "0 bit/s" in blocks[0]
    assert "kbit/s" in blocks[1] + blocks[2]
    assert "\x1b" not in output


def test_in_place_on_a_terminal(host: Host) -> None:
    host.apply(TWO_LINKS)
    master, slave = pty.openpty()
    with subprocess.Popen([GPIOMUX, "top", "--count", "2"], stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 4096):
                shown += chunk
        except OSError:  # EIO: the last writer has closed the terminal
            pass
    os.close(master)
    assert process.returncode == 0
    assert shown.count(b"geth0") == 2
    assert b"F\x1b[J" in shown, "the second look is drawn over the first"


def test_without_links_there_is_nothing_to_look_at(host: Host) -> None:
    answer = host.ask("top", "--count", "1")
    assert answer.exit_status == 3
    assert "there are no links" in answer.errors
