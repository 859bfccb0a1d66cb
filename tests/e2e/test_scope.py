"""`gpiomux scope` on running links: what it shows is what went over the lines, and the link does not notice."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests import traffic
from tests.e2e.host import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

TWO_LINKS = (ROOT / "configs" / "two-links.yaml").read_text()
FAR = "10.10.0.2"
GPIOSK = """
links:
  - {name: geth0, mode: eth, medium: sim, wire: w, code: gpiosk, addresses: [10.10.0.1/24]}
  - {name: geth1, mode: eth, medium: sim, wire: w, code: gpiosk, addresses: [10.10.0.2/24], netns: far}
"""


@pytest.fixture
def busy(host: Host) -> None:
    """Links that carry packets until the test ends."""
    host.apply(TWO_LINKS)


def test_the_drawing_shows_words_and_frames(host: Host, busy: None) -> None:
    answer = host.ask("scope", "geth0", "--words", "60")
    assert answer.exit_status == 0
    rows = answer.output.splitlines()
    assert re.fullmatch(r"\d+ changes in \d+ us, not to scale", rows[0])
    for name in ("out.req", "out.ack", "out.d0", "in.req", "in.ack", "in.d7"):
        assert any(row.startswith(name) for row in rows)
    assert any(re.search(r"ms  (in |out) (hello|ack|data)", row) for row in rows)
    assert re.search(r"noting one took the link about [\d.]+ us, [\d.]+% of this time", answer.errors)


def test_no_packet_is_lost_over_it(host: Host, busy: None) -> None:
    pids = host.datapaths()
    echoes: list[traffic.Echoes] = []
    sending = threading.Thread(target=lambda: echoes.append(traffic.echo(FAR, range(0, 1400, 7))))
    sending.start()
    assert host.ask("scope", "geth0", "--seconds", "2", "-o", "/dev/null").exit_status == 0
    sending.join()
    assert echoes[0].wrong == []
    assert host.datapaths() == pids


def test_files_for_other_tools(host: Host, busy: None, tmp_path: Path) -> None:
    dump, drawn = tmp_path / "geth0.vcd", tmp_path / "geth0.png"
    assert host.gpiomux("scope", "geth0", "--words", "80", "-o", str(dump), "--png", str(drawn)) == ""
    text = dump.read_text()
    assert "$scope module geth0 $end" in text
    assert "out_req" in text
    assert (dump.stat().st_mode & 0o777, drawn.stat().st_mode & 0o777) == (0o600, 0o600)
    with Image.open(drawn) as picture:
        assert picture.format == "PNG"
        assert picture.width > 500


def test_pulses_of_gpiosk(host: Host) -> None:
    host.gpiomux("apply", host.file(GPIOSK))
    with_packets = threading.Thread(target=lambda: traffic.echo(FAR, (10, 20, 30)))
    with_packets.start()
    answer = host.ask("scope", "geth0", "--words", "4000")
    with_packets.join()
    assert answer.exit_status == 0
    assert any(row.startswith("out.ctl") for row in answer.output.splitlines())
    assert " ms  " in answer.output


def test_what_cannot_be_shown(host: Host, busy: None, tmp_path: Path) -> None:
    assert host.ask("scope", "geth7").exit_status == 2
    assert host.ask("scope", "geth0", "--words", "5", "--seconds", "1").exit_status == 2
    refused = host.ask("scope", "geth0", "--words", "5", "-o", str(tmp_path / "no" / "such.vcd"))
    assert (refused.exit_status, "No such file" in refused.errors) == (2, True)
    host.gpiomux("down")
    host.apply((ROOT / "configs" / "shm-pair.yaml").read_text().replace("/dev/shm/", f"{tmp_path}/"))
    assert "nothing of the kind levels" in host.ask("scope", "shm0").errors
