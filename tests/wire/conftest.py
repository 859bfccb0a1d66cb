"""Two ends of a link in one process, with virtual time and everything else from a seed.

`transfer`, `roundtrip` and `drop` move whole frames at one moment of time; a wire that takes its time and spoils words
is in `tests/wire/lossy_wire.py`.
"""

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gpiomux.wire import frame as frames
from gpiomux.wire.codec import Encoder
from gpiomux.wire.endpoint import Endpoint, Settings
from gpiomux.wire.events import PacketReceived
from gpiomux.wire.packet import Packet
from gpiomux.wire.record import FIRST, LAST, Record

if TYPE_CHECKING:
    from gpiomux.wire.events import Event
    from gpiomux.wire.frame import Frame

SETTINGS = Settings(mode="net_hdr", mtu=1500, reader=1, writer=2, width_in=8, width_out=8)
MAX_FRAMES = 10_000
"""More than any one `transfer` has to move; an endpoint that never falls silent is a fault."""


def make_endpoint(settings: Settings, seed: int, now_ns: int = 0) -> Endpoint:
    """One end whose epochs come from `seed`."""
    return Endpoint(settings, partial(random.Random(seed).randrange, 1, 1 << 64), now_ns)


def facing(settings: Settings) -> Settings:
    """Settings of the end that fits: read what is written here and the other way round."""
    return replace(
        settings,
        reader=settings.writer,
        writer=settings.reader,
        width_in=settings.width_out,
        width_out=settings.width_in,
    )


def client_and_server(
    settings: Settings = SETTINGS, server: Settings | None = None, *, seed: int = 1
) -> tuple[Endpoint, Endpoint]:
    """Two ends that have not said anything yet; the server fits the client if it is not described."""
    return make_endpoint(settings, seed), make_endpoint(server or facing(settings), seed + 1)


def connected(settings: Settings = SETTINGS, *, seed: int = 1) -> tuple[Endpoint, Endpoint]:
    """Two ends with a carrier, whose events so far have been read."""
    client, server = client_and_server(settings, seed=seed)
    roundtrip(client, server)
    assert client.peering.up
    assert server.peering.up
    for end in (client, server):
        events(end)
    return client, server


def transfer(sender: Endpoint, receiver: Endpoint, now_ns: int = 0) -> int:
    """Carry all that the sender has to say; returns the number of frames."""
    return _take_frames(sender, receiver, now_ns)


def drop(sender: Endpoint, now_ns: int = 0) -> int:
    """Lose all that the sender has to say on the way; returns the number of frames."""
    return _take_frames(sender, None, now_ns)


def roundtrip(client: Endpoint, server: Endpoint, now_ns: int = 0) -> None:
    """Carry what both have to say, until both are silent."""
    for end in (client, server):
        end.on_deadline(now_ns)
    for _ in range(MAX_FRAMES):
        if not transfer(client, server, now_ns) + transfer(server, client, now_ns):
            return
    raise AssertionError("the two ends never fall silent")


def events(end: Endpoint) -> list[Event]:
    """All events that were not read yet."""
    found = []
    while (event := end.next_event()) is not None:
        found.append(event)
    return found


def packets(end: Endpoint) -> list[Packet]:
    """The packets among all events that were not read yet."""
    return [event.packet for event in events(end) if isinstance(event, PacketReceived)]


def hear(end: Endpoint, frame: Frame, now_ns: int = 0) -> None:
    """Say one frame to an end."""
    end.receive(Encoder(8).encode(frames.encode(frame)), now_ns)


def state_bytes(end: Endpoint) -> int:
    """How much an endpoint remembers, all in all."""
    return len(pickle.dumps(end))


def numbered(number: int, length: int = 20, flow: int = 0) -> Packet:
    """A packet that is no IP: its first 16 bytes make its flow."""
    return Packet(0, b"\0flw" + flow.to_bytes(12, "big") + number.to_bytes(4, "big") + bytes(length))


def whole(packet: Packet) -> bytes:
    """A packet in one record."""
    return Record(FIRST | LAST, packet.encode()).encode()


def _take_frames(sender: Endpoint, receiver: Endpoint | None, now_ns: int) -> int:
    for count in range(MAX_FRAMES):
        words = sender.to_send(now_ns)
        if not words:
            return count
        if receiver is not None:
            receiver.receive(words, now_ns)
        sender.gone_out(now_ns)
    raise AssertionError("the sender never falls silent")
