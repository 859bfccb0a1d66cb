"""Fields of a request to a datapath, checked: whatever a message holds, the link that runs already goes on.

The daemon sends what a configuration said, and that has passed every check. But the process that runs a link outlives
daemons, also those of another version, so nothing may reach the pump that it cannot work with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

from gpiomux.config.model import (
    GPIOSK_MTU,
    Bundle,
    GpioskCode,
    Mode,
    Poll,
    ProtocolIds,
    PulseLines,
    ShmMedium,
    SimMedium,
    Transport,
)
from gpiomux.config.netdevs import HIGHEST_MTU, LOWEST_MTU
from gpiomux.config.plain import transport_from_plain, transport_to_plain
from gpiomux.config.tuning import HIGHEST_BUDGET, HIGHEST_IDLE_US, HIGHEST_PMTU, poll_from_plain
from gpiomux.errors import ProtocolError
from gpiomux.wire.codec import WIDTHS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gpiomux.config.model import Code, Lines

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_HIGHEST_MARK = (1 << 32) - 1
_HIGHEST_ID = (1 << 64) - 1
_HIGHEST_OFFSET = 31
_SHOWN_CHARACTERS = 60


def name(message: Mapping[str, Any], field: str) -> str:
    """The name of an interface.

    Raises:
        ProtocolError: it is none.
    """
    found = message.get(field)
    if not isinstance(found, str) or _NAME.fullmatch(found) is None:
        raise ProtocolError(f"datapath: {field} is {_shown(found)}, not the name of an interface")
    return found


def number(message: Mapping[str, Any], field: str, lowest: int, highest: int) -> int:
    """A whole number.

    Raises:
        ProtocolError: it is none, or outside the bounds.
    """
    found = message.get(field)
    if not _is_number(found, lowest, highest):
        raise ProtocolError(f"datapath: {field} is {_shown(found)}, not a number in {lowest}..{highest}")
    return found


def word(message: Mapping[str, Any], field: str, known: Collection[str]) -> str:
    """One of the words that are known.

    Raises:
        ProtocolError: it is something else.
    """
    found = message.get(field)
    if not isinstance(found, str) or found not in known:
        raise ProtocolError(f"datapath: {field} is {_shown(found)}, not one of {', '.join(known)}")
    return found


def words(message: Mapping[str, Any], field: str, known: Collection[str]) -> list[str]:
    """Some words, at least one, out of those that are known.

    Raises:
        ProtocolError: it is something else.
    """
    found = message.get(field)
    if not isinstance(found, list) or not found or not all(word in known for word in found):
        raise ProtocolError(f"datapath: {field} is {_shown(found)}, not some of {', '.join(known)}")
    return found


def mark(message: Mapping[str, Any]) -> int:
    """The mark that a request is about.

    Raises:
        ProtocolError: it is none.
    """
    return number(message, "mark", 1, _HIGHEST_MARK)


def pmtu(message: Mapping[str, Any]) -> int:
    """The most bytes of an IP packet.

    Raises:
        ProtocolError: it is no number, or one that no packet is cut to.
    """
    return number(message, "bytes", LOWEST_MTU, HIGHEST_PMTU)


def poll(message: Mapping[str, Any]) -> Poll:
    """How a link waits for its lines.

    Raises:
        ProtocolError: it does not say so.
    """
    plain = message.get("poll")
    try:
        found = poll_from_plain(plain) if isinstance(plain, str | dict) else None
    except ValueError:
        found = None
    if (
        found is None
        or not (found.idle_us is None or _is_number(found.idle_us, 1, HIGHEST_IDLE_US))
        or not (found.budget is None or _is_number(found.budget, 1, HIGHEST_BUDGET))
    ):
        raise ProtocolError(f"datapath: poll is {_shown(plain)}, not a mode with its options")
    return found


def mtu(message: Mapping[str, Any], transport: Transport) -> int:
    """The MTU of a link.

    Raises:
        ProtocolError: a packet of that length could not be sent.
    """
    highest = GPIOSK_MTU if isinstance(transport.code, GpioskCode) else HIGHEST_MTU[transport.mode]
    return number(message, "mtu", LOWEST_MTU, highest)


def port(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """How a port is to be opened: `method`, `kind`, and in a start the count `fds`.

    Raises:
        ProtocolError: it does not say so.
    """
    found = message.get("port")
    if not isinstance(found, dict) or not all(isinstance(found.get(field), str) for field in ("method", "kind")):
        raise ProtocolError(f"datapath: port is {_shown(found)}, not a method and a kind")
    return found


def transport(message: Mapping[str, Any]) -> Transport:
    """The transport of a link.

    Raises:
        ProtocolError: it is none, or none that can be run.
    """
    plain = message.get("transport")
    if not isinstance(plain, dict):
        raise ProtocolError(f"datapath: transport is {_shown(plain)}, not an object")
    try:
        found = transport_from_plain(plain)
        transport_to_plain(found)
        fault = _fault(found)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as err:
        raise ProtocolError(f"datapath: transport cannot be read: {type(err).__name__}: {err}") from err
    if fault:
        raise ProtocolError(f"datapath: transport cannot be run: {fault}")
    return found


def _fault(transport: Transport) -> str:
    """What in a transport would stop the pump later; empty if nothing."""
    medium, lines = transport.medium, transport.lines
    if isinstance(medium, SimMedium) and medium.end not in ("a", "b"):
        return f"end {_shown(medium.end)} of the wire"
    if fault := _code_fault(transport):
        return fault
    if not _is_number(transport.tx_ring, 1, 4096):
        return f"tx_ring {_shown(transport.tx_ring)}"
    if transport.rx_ring is not None and not _is_number(transport.rx_ring, 1, 4096):
        return f"rx_ring {_shown(transport.rx_ring)}"
    if lines is None:
        return "" if isinstance(medium, ShmMedium) else "it has no lines"
    return "" if _are_lines(lines, transport.code) else "its lines"


def _code_fault(transport: Transport) -> str:
    """What is wrong with the line code, and with what hangs on it."""
    code, ids = transport.code, transport.protocol
    if isinstance(code, GpioskCode):
        if not _is_number(code.interval_us, 1, 1000):
            return f"interval_us {_shown(code.interval_us)}"
        if isinstance(transport.medium, ShmMedium) or transport.mode is not Mode.ETH:
            return "its mode or medium, with code gpiosk"
        return ""
    if not isinstance(ids, ProtocolIds) or not all(_is_number(one, 1, _HIGHEST_ID) for one in (ids.reader, ids.writer)):
        return "its protocol ids"
    return ""


def _are_lines(lines: Lines, code: Code) -> bool:
    sides, offsets = (lines.out, lines.into), (*lines.inputs, *lines.outputs)
    return (
        all(isinstance(side, PulseLines if isinstance(code, GpioskCode) else Bundle) for side in sides)
        and all(len(side.data) in WIDTHS for side in sides if isinstance(side, Bundle))
        and all(_is_number(offset, 0, _HIGHEST_OFFSET) for offset in offsets)
        and len(set(offsets)) == len(offsets)
    )


def _is_number(found: object, lowest: int, highest: int) -> TypeGuard[int]:
    return isinstance(found, int) and not isinstance(found, bool) and lowest <= found <= highest


def _shown(found: object) -> str:
    """A value for a message, however long it is."""
    text = repr(found)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
