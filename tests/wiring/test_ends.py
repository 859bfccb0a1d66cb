"""gpiomux.wiring.ends: where lines are, and what they are for."""

from __future__ import annotations

from gpiomux.config.load import load_file
from gpiomux.wiring.ends import BY_NAME, HEADER, Place, ends_of, ground_on, peer_of, wired_links
from tests.wiring.boards import CONFIGS, MIXED, config


def test_simulated_lines_and_channels_need_no_wires() -> None:
    assert wired_links(load_file(CONFIGS / "two-links.yaml")) == ()
    assert wired_links(load_file(CONFIGS / "shm-pair.yaml")) == ()


def test_the_ends_of_a_link_drive_what_its_model_calls_outputs() -> None:
    (link,) = wired_links(load_file(CONFIGS / "raspberry-pi-a.yaml"))
    ends = ends_of(link)
    assert [end.role for end in ends if end.drives] == [*(f"out.data {n}" for n in range(4)), "out.req", "in.ack"]
    lines = link.transport.lines
    assert lines is not None
    assert (len(lines.outputs), len(lines.inputs)) == (6, 6) == (6, len([end for end in ends if not end.drives]))


def test_a_line_is_named_by_pin_by_chip_or_by_name() -> None:
    first, second = wired_links(config(MIXED))
    assert [end.place.words for end in ends_of(first) if end.place] == [
        "pin 11 (GPIO17)",
        "pin 12 (GPIO18)",
        "pin 35 (GPIO19)",
        "pin 36 (GPIO16)",  # by name, beside lines of the chip of the header
        "pinctrl-rp1 line 40",  # of that chip, but not on the header
        "pin 29 (GPIO5)",
        "pin 31 (GPIO6)",
    ]
    places = [end.place for end in ends_of(second) if end.place]
    assert [place.words for place in places] == [*(f"5000000.gpio line {n}" for n in (3, 7, 9, 11, 12)), "PMOD-A7"]
    assert places[-1].block == BY_NAME


def test_names_alone_are_no_proof_of_a_raspberry_pi() -> None:
    text = MIXED.replace("pinctrl-rp1", "other-chip")
    places = [end.place for end in ends_of(wired_links(config(text))[0]) if end.place]
    assert all(place.pin is None for place in places)


def test_lines_of_a_device_are_named_by_it() -> None:
    text = MIXED.replace("from: [{chip: 5000000.gpio, offsets: [3, 7, 9, 11, 12]}, PMOD-A7]", "device: dev.0")
    places = [end.place for end in ends_of(wired_links(config(text))[1]) if end.place]
    assert [place.words for place in places] == [f"device dev.0 line {number}" for number in range(6)]


def test_the_peer_of_the_peer_is_the_same_end_elsewhere() -> None:
    for end in ends_of(wired_links(config(MIXED))[1]):
        peer = peer_of(end)
        assert (peer.drives, peer.place) == (not end.drives, None)
        assert peer_of(peer).role == end.role
        assert peer.active_low == end.active_low


def test_ground_is_a_pin_where_there_is_a_header() -> None:
    pin = Place(block=HEADER, name="GPIO2", order=3, pin=3)
    assert ground_on((pin,)).words == "pin 39 (GND)"
    assert ground_on((Place(block="chip", name="line 0", order=0),)).words == "GND"
