"""gpiomux.wiring.joining: which end goes to which, and what is said when none fits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpiomux.errors import UsageError
from gpiomux.wiring.joining import Wiring, wiring_of_one, wiring_of_two
from tests.wiring.boards import MIXED, OTHER, config, of_all_kinds, of_one, of_the_pis

PAGE = Path(__file__).parents[2] / "man" / "gpiomux.yaml.5"
ROW = re.compile(r"^    (?:(?:out|in)\.(?:data|req|ack))? +(\d+) +(\d+) (?:---.*>|<---.*-) (\d+) +(\d+)", re.MULTILINE)


def pairs(wiring: Wiring) -> list[tuple[str, str, str, str]]:
    return [
        (wire.first.role, wire.first.place.words, wire.second.place.words, wire.second.role)
        for cable in wiring.cables
        for wire in cable.wires
        if wire.first.place and wire.second.place
    ]


def test_the_pis_are_wired_as_the_manual_draws_them() -> None:
    drawn = [tuple(map(int, row)) for row in ROW.findall(PAGE.read_text())]
    assert len(drawn) == 12
    manual = {(f"pin {pin} (GPIO{gpio})", f"pin {peer} (GPIO{peer_gpio})") for gpio, pin, peer, peer_gpio in drawn}
    assert {(first, second) for _, first, second, _ in pairs(of_the_pis())} == manual


def test_a_gpiosk_board_is_wired_as_the_manual_draws_it() -> None:
    row = re.compile(r"^    ((?:out|in)\.(?:ctl|data)) +(\d+) +(\d+) -+ (\d+) +(\d+)  (\S+)", re.MULTILINE)
    drawn = row.findall(PAGE.read_text())
    wires = [(wire.first, wire.second) for cable in of_one("gpiosk-peer.yaml").cables for wire in cable.wires]
    manual = [(role, f"pin {pin} (GPIO{gpio})") for role, gpio, pin, *_ in drawn]
    assert [(first.role, first.place.words) for first, _ in wires if first.place] == manual
    # What gpiosk's source calls the lines at its end: CTL_IN, DATA_OUT, and so on.
    assert [f"{second.part}_{second.side}".upper() for _, second in wires] == [name for *_, name in drawn]


@pytest.mark.parametrize(
    "wiring", [of_the_pis(), of_all_kinds(), of_one("gpiosk-peer.yaml"), of_one("raspberry-pi-a.yaml")]
)
def test_an_output_meets_an_input_of_the_same_kind(wiring: Wiring) -> None:
    for cable in wiring.cables:
        for wire in cable.wires:
            assert wire.first.drives != wire.second.drives
            assert (wire.first.part, wire.first.number) == (wire.second.part, wire.second.number)
            assert {wire.first.side, wire.second.side} == {"out", "in"}


def test_links_are_joined_by_their_protocol_ids() -> None:
    wiring = of_all_kinds()
    assert [(cable.first, cable.second) for cable in wiring.cables] == [("geth0", "far0"), ("uplink", "down")]
    assert pairs(wiring)[0] == ("out.data 0", "pin 11 (GPIO17)", "1c20800.pinctrl line 68", "in.data 0")


def test_links_with_the_same_ids_are_joined_by_name() -> None:
    alike = MIXED.replace("0x13, writer: 0x9", "0x12, writer: 0x8").replace("offsets: [40, 5, 6]", "offsets: [40, 5]")
    alike = alike.replace("data: [3, 4], req: 5, ack: 6", "data: [3], req: 4, ack: 5")
    crossed = alike.replace("0x12, writer: 0x8", "0x8, writer: 0x12")
    first, second = (config(text).links for text in (alike, crossed))
    turned = type(config(alike))(links=second[::-1])
    cables = wiring_of_two(type(turned)(links=first), "a", turned, "b").cables
    assert [(cable.first, cable.second) for cable in cables] == [("geth0", "geth0"), ("uplink", "uplink")]


def test_a_link_without_a_peer_is_told() -> None:
    alone = OTHER.replace("0x9, writer: 0x13", "0x9, writer: 0x14")
    wiring = wiring_of_two(config(MIXED), "a.yaml", config(alone), "b.yaml")
    assert [cable.first for cable in wiring.cables] == ["geth0"]
    assert wiring.notes[-2:] == (
        "uplink of a.yaml has no peer in b.yaml: its lines are not shown.",
        "down of b.yaml has no peer in a.yaml: its lines are not shown.",
    )


def test_two_files_without_a_common_link_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no link of a\.yaml has its peer in a2\.yaml"):
        wiring_of_two(config(MIXED), "a.yaml", config(MIXED), "a2.yaml")


def test_links_of_another_width_are_refused() -> None:
    wider = OTHER.replace("in: {data: [4], req: 5, ack: 6}", "in: {data: [4, 7], req: 5, ack: 6}")
    wider = wider.replace('"64-70"', '"64-71"')
    with pytest.raises(UsageError, match=r"far0 of b has in\.data 1, and geth0 of a has no out\.data 1"):
        wiring_of_two(config(MIXED), "a", config(wider), "b")
    with pytest.raises(UsageError, match=r"far0 of b has in\.data 1, and geth0 of a has no out\.data 1"):
        wiring_of_two(config(wider), "b", config(MIXED), "a")


def test_simulated_lines_are_nothing_to_wire() -> None:
    with pytest.raises(UsageError, match="nothing to wire"):
        wiring_of_one(config("links: []"), "none.yaml")


def test_one_board_is_wired_to_roles() -> None:
    wiring = of_one("raspberry-pi-a.yaml")
    assert (wiring.second, wiring.second_ground) == ("", None)
    assert all(wire.second.place is None for cable in wiring.cables for wire in cable.wires)


def test_the_notes_speak_of_what_is_there() -> None:
    assert any(note.startswith("3.3 V only") for note in of_the_pis().notes)
    assert not any("same voltage" in note for note in of_the_pis().notes)
    assert any("same voltage" in note for note in of_all_kinds().notes)
    assert any("uplink out.req and down in.req differ in active_low" in note for note in of_all_kinds().notes)
    plain = MIXED.replace("pinctrl-rp1", "other-chip")
    assert not any("3.3 V" in note for note in wiring_of_one(config(plain), "plain.yaml").notes)
