"""What a pump does with descriptors that are ready."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.model import Mode
from gpiomux.datapath.interfaces import Interfaces, Member
from gpiomux.datapath.serving import Serving
from tests.datapath.memory_port import MemoryPort

if TYPE_CHECKING:
    from collections.abc import Iterator


class Served(Serving):
    """Notes what it is told."""

    def __init__(self, fd: int, port: MemoryPort) -> None:
        super().__init__(fd)
        self.interfaces = Interfaces(self._poller, Mode.ETH, Member("mx0", port))
        self.told: list[str] = []

    def _answer_peer(self) -> None:
        self.told.append("peer")

    def _take_packets(self, member: Member) -> None:
        self.told.append(member.name)

    def turn(self) -> list[str]:
        """What is told of all that is ready now."""
        self.told.clear()
        self._serve(self._poller.poll(0))
        return sorted(self.told)


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    """Three pipes: a reading and a writing end each."""
    made = [os.pipe() for _ in range(3)]
    yield made
    for pipe in made:
        for fd in pipe:
            os.close(fd)


@pytest.fixture
def port() -> Iterator[MemoryPort]:
    made = MemoryPort()
    yield made
    made.close()


def test_each_descriptor_has_its_own_answer(pipes: list[tuple[int, int]], port: MemoryPort) -> None:
    (peer, peer_end), (client, client_end), _ = pipes
    served = Served(peer, port)
    served.watch(client, lambda: served.told.append("client"))
    assert served.turn() == []
    os.write(client_end, b"x")
    assert served.turn() == ["client"]
    os.write(peer_end, b"x")
    assert served.turn() == ["client", "peer"]
    assert served.interrupts == 1
    served.unwatch(client)
    assert served.turn() == ["peer"]


def test_nobody_is_called_who_was_given_up_in_the_same_turn(pipes: list[tuple[int, int]], port: MemoryPort) -> None:
    (peer, _), *clients = pipes
    served = Served(peer, port)

    def give_up_all() -> None:
        served.told.append("client")
        for fd, _ in clients:
            served.unwatch(fd)

    for fd, end in clients:
        served.watch(fd, give_up_all)
        os.write(end, b"x")
    assert served.turn() == ["client"]
    assert served.interrupts == 0
