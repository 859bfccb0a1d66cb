"""Links are probed: with and without a carrier, over wires with and without faults; and links that cannot be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.config.defaults import SIM_LINES
from gpiomux.config.model import Faults
from gpiomux.lines.faults import set_faults
from tests.e2e.host import RUN_DIRECTORY, links_file

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

SIZE = 64
BITS = 8 * (SIZE + 1)
"""That are compared of each pattern; see gpiomux-wire(7)."""


def spoil(faults: Faults, *ends: str) -> None:
    """Faults of what arrives at these ends of the wire: a is geth0."""
    for end in ends:
        set_faults(RUN_DIRECTORY / "wires" / "cable0", end, faults, SIM_LINES.into)


def probed(host: Host, *words: str) -> dict[str, Any]:
    """What `gpiomux probe geth0` finds, which must be something."""
    told: dict[str, Any] = json.loads(host.gpiomux("probe", "geth0", "--json", "--interval", "10", *words))
    return told


def frames(host: Host, link: str) -> dict[str, int]:
    (found,) = (each["counters"] for each in host.stats()["links"] if each["name"] == link)
    return dict(found)


@pytest.mark.parametrize("delivery", ["reliable", "datagram"])
def test_without_faults_nothing_is_lost_and_nothing_damaged(host: Host, delivery: str) -> None:
    more = f"delivery: {delivery}"
    host.apply(links_file(near=f"addresses: [10.10.0.1/24], {more}", far=more))
    before = frames(host, "geth0"), frames(host, "geth1")
    told = probed(host, "--count", "20")
    after = frames(host, "geth0"), frames(host, "geth1")
    assert (told["transmitted"], told["received"], told["loss_percent"]) == (20, 20, 0)
    times = told["round_trip_ms"]
    assert 0 < times["min"] <= times["avg"] <= times["max"]
    here, there = told["damage"]["here"], told["damage"]["there"]
    assert (here["damaged"], here["wrong_bits"]) == (there["damaged"], there["wrong_bits"]) == (0, 0)
    assert (here["pattern_bits"], there["pattern_bits"]) == (20 * BITS, 19 * BITS)
    assert here["received"] >= 20
    assert told["explanation"] == ""
    for was, now in zip(before, after, strict=True):
        assert now["tx_frames"] - was["tx_frames"] >= 20
        assert now["rx_frames"] - was["rx_frames"] >= 20
        assert now["rx_unknown"] == was["rx_unknown"] == 0


def test_ends_that_do_not_fit_are_found(host: Host) -> None:
    host.gpiomux("apply", host.file(links_file(far_protocol="{reader: 0x8, writer: 0x13}")))
    host.wait_for(lambda: "peer writes 0x13" in host.link("geth0")["reason"], "the ends have met")
    told = probed(host, "--count", "3")
    assert (told["transmitted"], told["received"]) == (3, 3)
    assert told["explanation"].startswith("there are replies, but no carrier: peer writes 0x13")
    assert not host.link("geth0")["carrier"]


def test_wrong_bits_of_one_direction_are_told_of_that_direction(host: Host) -> None:
    host.apply(links_file())
    spoil(Faults(flip_rate=1e-3, seed=1), "b")
    told = probed(host, "--count", "150")
    here, there = told["damage"]["here"], told["damage"]["there"]
    assert 0 < told["received"] < 150
    assert there["damaged"] > 0
    assert there["wrong_bits"] > 0
    # The wire flips one bit in a thousand, of 78000: more than 3 and fewer than 400 for certain.
    assert 1e-4 < there["wrong_bits"] / there["pattern_bits"] < 1e-2
    assert (here["damaged"], here["wrong_bits"]) == (0, 0)


def test_lost_words_are_damage_and_loss(host: Host) -> None:
    host.apply(links_file())
    spoil(Faults(loss_rate=2e-3, seed=1), "a")
    told = probed(host, "--count", "60")
    assert 0 < told["received"] < 60
    assert told["loss_percent"] > 0
    assert told["damage"]["here"]["damaged"] > 0
    assert told["damage"]["there"]["damaged"] == 0


def test_a_cut_wire_answers_nothing(host: Host) -> None:
    host.apply(links_file())
    spoil(Faults(cut=True), "a", "b")
    host.wait_for(lambda: host.link("geth0")["reason"] == "peer silent", "the cut is noticed")
    answer = host.ask("probe", "geth0", "--count", "1")
    assert answer.exit_status == 1
    assert "1 probes transmitted, 0 received, 100% loss" in answer.output
    assert "nobody takes the words that go out" in answer.errors


PAIRS = {
    "shm": (
        "links:\n  - {name: geth0, mode: net_hdr, medium: shm, protocol: {reader: 1, writer: 2},"
        " channels: {in: NAME-in, out: NAME-out}}\n"
    ),
    "gpiosk": (
        "links:\n  - {name: geth0, mode: eth, medium: sim, wire: {name: cable0, external: true}, code: gpiosk}\n"
    ),
}


@pytest.mark.parametrize(
    ("kind", "words"), [("shm", "medium shm has no frames"), ("gpiosk", "code gpiosk knows no probes")]
)
def test_links_that_cannot_be_probed_say_why(host: Host, kind: str, words: str) -> None:
    host.gpiomux("apply", host.file(PAIRS[kind].replace("NAME", f"{host.directory}/channel")))
    answer = host.ask("probe", "geth0")
    assert (answer.exit_status, answer.output) == (1, "")
    assert words in answer.errors


def test_a_link_that_does_not_exist(host: Host) -> None:
    host.apply(links_file())
    answer = host.ask("probe", "geth7")
    assert (answer.exit_status, answer.output) == (2, "")
    assert "there is no link 'geth7'" in answer.errors
