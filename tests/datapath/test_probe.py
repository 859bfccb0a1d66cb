"""The request `probe`: what it answers, and what it refuses."""

from __future__ import annotations

import json

import pytest

from gpiomux.control.packets import MAX_MESSAGE_BYTES
from gpiomux.datapath import probe
from gpiomux.errors import ProtocolError
from gpiomux.wire.probing import MAX_REMEMBERED
from tests.wire.conftest import client_and_server, connected, drop, roundtrip

NONE = {"size": 0, "after": 0}


def test_a_probe_and_its_reply() -> None:
    client, server = connected()
    first = probe.answer(client, {"size": 64, "after": 0})
    assert (first["number"], first["waiting"], first["replies"]) == (1, 1, [])
    assert (first["carrier"], first["reason"], first["heard"], first["hears_us"]) == (True, "", True, True)
    roundtrip(client, server)
    then = probe.answer(client, NONE)
    assert (then["number"], then["waiting"]) == (0, 0)
    assert then["replies"] == [[1, 0, *server.probing.own]]
    assert then["here"] == list(client.probing.own)
    assert probe.answer(client, {"size": 0, "after": 1})["replies"] == []


def test_without_a_peer() -> None:
    client, _ = client_and_server()
    answer = probe.answer(client, NONE)
    assert (answer["carrier"], answer["heard"], answer["hears_us"]) == (False, False, False)
    assert answer["reason"] == "no peer heard"


def test_all_that_is_remembered_fits_into_one_answer() -> None:
    client, server = connected()
    for counter in ("rx_frames", "rx_crc_errors"):
        setattr(server.counters, counter, (1 << 32) - 2)
    for _ in range(MAX_REMEMBERED + 5):
        probe.answer(client, {"size": 16, "after": 0})
        roundtrip(client, server)
    answer = probe.answer(client, NONE)
    assert len(answer["replies"]) == MAX_REMEMBERED
    assert len(json.dumps(answer)) < MAX_MESSAGE_BYTES * 3 // 4


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"size": 64},
        {"after": 0},
        {"size": 15, "after": 0},
        {"size": 513, "after": 0},
        {"size": "64", "after": 0},
        {"size": True, "after": 0},
        {"size": 64, "after": -1},
        {"size": 64, "after": 1 << 32},
    ],
)
def test_what_is_no_request(message: dict[str, object]) -> None:
    client, _ = connected()
    with pytest.raises(ProtocolError):
        probe.answer(client, message)
    assert client.probing.waiting == 0
    assert drop(client) == 0
