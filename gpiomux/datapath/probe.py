"""The request `probe`: one more probe, and what has become of those before. Whoever asks comes again for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpiomux.datapath import fields
from gpiomux.wire.frame import MAX_PATTERN_BYTES, MIN_PATTERN_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.wire.endpoint import Endpoint

_HIGHEST_NUMBER = (1 << 32) - 1


def answer(endpoint: Endpoint, message: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a request asks; its fields and those of the answer are described in `gpiomux.control.messages`.

    Raises:
        ProtocolError: the message is not as it should be.
    """
    after = fields.number(message, "after", 0, _HIGHEST_NUMBER)
    number, probing, peering = 0, endpoint.probing, endpoint.peering
    if message.get("size") != 0:
        number = probing.ask(fields.number(message, "size", MIN_PATTERN_BYTES, MAX_PATTERN_BYTES))
    return {
        "number": number,
        "waiting": probing.waiting,
        "replies": [[reply.number, reply.took_ns, *reply.peer] for reply in probing.replies if reply.number > after],
        "here": list(probing.own),
        "carrier": peering.up,
        "reason": peering.reason,
        "heard": peering.peer is not None,
        "hears_us": peering.peer is not None and peering.peer.peer_epoch == peering.own.epoch,
    }
