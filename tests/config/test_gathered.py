"""Tests of `gpiomux.config.gathered`."""

from __future__ import annotations

from gpiomux.config.gathered import Gathered, gathered
from gpiomux.config.model import Bundle, Lines, LineSource

ROLES = Lines(out=Bundle(data=(0,), req=2, ack=1), into=Bundle(data=(3, 5), req=4, ack=7))


def test_lines_keep_the_order_in_which_they_are_written() -> None:
    sources = (LineSource(chip="soc", offsets=(5, 3)), LineSource(name="GPIO16"), LineSource(chip="more", offsets=(1,)))
    lines = Lines(out=ROLES.out, into=ROLES.into, sources=sources)
    assert [(line.key, line.offset) for line in gathered("g0", lines)] == [
        ("soc", 5),
        ("soc", 3),
        ("GPIO16", None),
        ("more", 1),
    ]


def test_lines_are_called_by_their_roles() -> None:
    lines = Lines(out=ROLES.out, into=ROLES.into, sources=(LineSource(chip="soc", offsets=tuple(range(9))),))
    assert [line.name for line in gathered("g0", lines)] == [
        "g0-out-data0",
        "g0-out-ack",
        "g0-out-req",
        "g0-in-data0",
        "g0-in-req",
        "g0-in-data1",
        "",
        "g0-in-ack",
        "",
    ]


def test_the_longest_name_is_shown_whole_by_the_kernel() -> None:
    longest = Lines(
        out=Bundle(data=tuple(range(8)), req=8, ack=9),
        into=ROLES.into,
        sources=(LineSource(chip="soc", offsets=tuple(range(10))),),
    )
    assert max(len(line.name) for line in gathered("n" * 15, longest)) <= 31


def test_a_device_gathers_nothing() -> None:
    assert gathered("g0", Lines(out=ROLES.out, into=ROLES.into, device="door")) == ()


def test_sources_are_named_in_words() -> None:
    assert Gathered(key="soc", offset=5).words == "line 5 of chip soc"
    assert Gathered(key="GPIO16", offset=None).words == "line GPIO16"
