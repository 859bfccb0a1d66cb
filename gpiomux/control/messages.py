"""What a client and gpiomuxd say to each other, as lines of JSON. Pure: bytes in, frozen data out, and back.

    request   {"verb": "add-mark", "args": {"child": "child1", "mark": 7}}
    replies   {"progress": {"done": 1, "total": 3, "operation": "+ mark 7 to child1 of geth0"}}   any number of them
              {"result": {...}}                                                                   then one of these two
              {"error": {"message": ..., "hint": ..., "exit_status": ..., "kind": ..., "errno": ..., "faults": [...]}}

A daemon that is about to end adds "ending": true to the last one. An error arrives as the same class with the same
text, errno and faults that it was raised with.
"""

from __future__ import annotations

import json

from gpiomux.errors import (
    ConfigError,
    ConflictError,
    DaemonError,
    Fault,
    GpiomuxError,
    MachineError,
    ProtocolError,
    UnsupportedError,
    UsageError,
)
from gpiomux.frozen import Frozen

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Longest request with its line end; a configuration of thousands of links fits."""

_TEXT = {"text": str, "file": str, "path": str, "reset_overlay": bool}
VERBS: Mapping[str, Mapping[str, type]] = {
    "plan": _TEXT,
    "apply": {**_TEXT, "confirm_s": int},
    "confirm": {"token": str},
    "rollback": {"steps": int},
    "history": {},
    "show": {},
    "status": {},
    "diff": {},
    "stats": {"total": bool},
    "info": {"link": str},
    "metrics": {},
    "chips": {},
    "doctor": {"text": str, "file": str, "path": str},
    "reset-stats": {"link": str},
    "record": {"link": str, "kinds": list, "after": int},
    "debug": {"link": str, "level": str},
    "probe": {"link": str, "size": int, "after": int},
    "generate": {
        "interface": str,
        "kind": str,
        "size": int,
        "mark": int,
        "to": str,
        "source": str,
        "rate_pps": int,
        "first": int,
        "count": int,
        "late_us": int,
    },
    "add-child": {"link": str, "child": str},
    "del-child": {"child": str},
    "add-mark": {"child": str, "mark": int},
    "del-mark": {"child": str, "mark": int},
    "set-pmtu": {"link": str, "mark": int, "bytes": int},
    "del-pmtu": {"link": str, "mark": int},
    "set-poll": {"link": str, "mode": str, "idle_us": int, "budget": int},
    "xdp attach": {"interface": str, "program": str, "name": str, "mode": str},
    "xdp detach": {"interface": str},
    "xdp show": {"interface": str},
    "persisted": {"edit": dict},
    "restart": {"link": str},
    "down": {"links": list, "all": bool},
}
"""Every verb with its arguments; a list holds text. What the less obvious ones mean:

file, path: the configuration's name in messages, and its absolute path, empty if it came through a pipe.
    An empty `file` of doctor: there is none.
reset_overlay: what was changed at run time may be lost; otherwise that is a conflict.
confirm_s: seconds until the change is taken back unless `confirm` comes, 0 for none; the result holds the `token`.
token: of that result; empty confirms whatever waits.
steps: how many records back, from 1.
mode, idle_us, budget: of `poll` in gpiomux.yaml(5); 0 for what is left out.
size, after (probe): the pattern of the probe that shall be sent, in bytes, 0: send none; and the number after which
    replies are wanted.
generate: `count` packets from number `first` on through `interface`, the link's own or a child, `rate_pps` in a second,
    the first of them `late_us` after its time; `size` 0, and `to` and `source` empty, leave the choice to gpiomuxd. It
    sends as many as go out within a moment.
level: how much debug output there is, one of gpiomux.wire.trace.LEVELS; empty: as it is.
interface: a link or a child; empty for all of them, which only `xdp show` takes.
program, name, mode: `pass`, `drop` or the absolute path of an object; of the program in it, empty for the only one;
    `native` or `generic`, empty for whatever is possible.
edit: `{"verb", "args"}` of one of `EDIT_VERBS`, which the applied file now says as well.
all: without links, also what no record knows of but bears our tags.
total: what was counted since each datapath began, not since the last reset.

What the results hold:

plan, diff and all changes: `operations` [{sign, kind, name, text}] and `notes` [text]; apply also `token`, None without
    `confirm_s`, and `EDIT_VERBS` also `path`, the file to persist them in, empty if there is none.
confirm, persisted: nothing.
record: `records` [[number, time_ns, kind, fields...]], what the link has carried of the `kinds` since record `after`
    (-1: from now on), bytes as base64; `next`, which is the next `after`, `more` and `lost`. Who asks has things
    recorded for ten seconds more; see gpiomux.datapath.recorder. With -1 also `transport` and `mtu` of the link.
probe: `number` of the probe that will go out, 0 for none, and of the one that is `waiting` to; `replies` [[number,
    round trip in nanoseconds, figures...]] with what the peer had counted then, and the same figures `here`: received
    frames, damaged ones, bits of patterns, wrong ones; `carrier` and `reason` of status; whether a peer is `heard`, and
    whether it `hears_us`.
generate: `packets` that were sent, their `bytes`, when the first and the last of them went (`first_s`, `last_s`,
    monotonic time), and those that were `refused`: the queue of the interface was full.
debug: `level`, as it is from now on.
reset-stats: as one of the `links` of stats: what was counted since the last reset, in one step with the reset.
history: `records`, newest first, [{back, cause, file, path, applied_at_s, applied_by, links: [name]}]; the first (back
    0) is the running one.
show: `config`, the sum; `overlay` [{verb, args}], how it came from what was applied.
status: `daemon`, `links`, and `applied`, {cause, file, path, applied_at_s, applied_by, overlay, pending, half_done}:
    `pending` is None or {remaining_s}, `half_done` tells that a daemon was killed in the middle of a change.
stats: `links` [{name, counters, line, channel, interfaces}]: what each counts, by name; see `gpiomux.stats.counters`.
info: as one of the `links` of status, with driver, version, kind, flags, end, chip, channels, lines, code, delivery,
    protocol, poll, pmtu, rings, element_bytes, and `stats` of its interface.
doctor: `pid`, `user` and `version` of who has looked, and `findings` [{about, subject, state, cause, remedy}].
"""

OPTIONAL: Mapping[str, Any] = {
    "reset_overlay": False,
    "path": "",
    "confirm_s": 0,
    "token": "",
    "steps": 1,
    "idle_us": 0,
    "budget": 0,
    "all": False,
    "total": False,
}
"""Arguments that a request may leave out, with what they then are."""

READING_VERBS = frozenset(
    {"plan", "history", "show", "status", "diff", "stats", "info", "metrics", "chips", "xdp show"}
)
"""Verbs that change nothing."""

EXAMINING_VERBS = frozenset({"doctor"})
"""Verbs that change nothing either, but look where the request says, with the rights of the daemon: who may not change
links may not have that done.
"""

RUNNING_VERBS = frozenset({"reset-stats", "record", "debug", "probe", "generate"})
"""Verbs that ask something of one running link, `link`, which no configuration holds. Its datapath answers at once, and
whatever takes longer is asked for in several requests: who goes away leaves nothing behind. `generate` names an
interface, and the daemon answers.
"""

EDIT_VERBS = frozenset(
    {"add-child", "del-child", "add-mark", "del-mark", "set-pmtu", "del-pmtu", "set-poll", "xdp attach", "xdp detach"}
)
"""Verbs that change the running configuration and not the file it came from: their sum is the overlay."""

_KINDS: Mapping[str, type[GpiomuxError]] = {
    kind.__name__: kind for kind in (UsageError, UnsupportedError, ConflictError, DaemonError, ProtocolError)
}


class Request(Frozen):
    """What a client wants."""

    verb: str
    """One of `VERBS`."""
    args: Mapping[str, Any]


class Progress(Frozen):
    """How far an operation has come."""

    done: int
    total: int
    operation: str
    """The step that begins now."""


class Result(Frozen):
    """The request is answered."""

    result: Mapping[str, Any]
    ending: bool = False
    """The daemon ends after this reply; who wants nothing of it to be left waits for the end of its process."""


class Failure(Frozen):
    """The request is refused, or has failed."""

    error: GpiomuxError
    ending: bool = False
    """As in `Result`."""


Reply = Progress | Result | Failure


def encode_request(request: Request) -> bytes:
    """The request as one line."""
    return _encode({"verb": request.verb, "args": dict(request.args)})


def decode_request(line: bytes) -> Request:
    """Read one line from a client, which may be anything.

    Raises:
        ProtocolError: it is no JSON object, or too long.
        UsageError: the verb is unknown, or its arguments are not the ones it has.
    """
    if len(line) > MAX_REQUEST_BYTES:
        raise ProtocolError(f"request is longer than {MAX_REQUEST_BYTES} bytes")
    message = _decode(line, "request")
    if set(message) - {"verb", "args"}:
        raise ProtocolError("request has other members than verb and args")
    verb, args = message.get("verb"), message.get("args", {})
    if not isinstance(verb, str) or verb not in VERBS:
        raise UsageError("request names an unknown verb", hint=f"known are {', '.join(VERBS)}")
    if not isinstance(args, dict) or not set(VERBS[verb]) - set(OPTIONAL) <= set(args) <= set(VERBS[verb]):
        raise UsageError(f"verb {verb} takes {', '.join(VERBS[verb]) or 'no arguments'}", hint=_help(verb))
    for name, value in args.items():
        if not _is_argument(value, VERBS[verb][name]) or (name == "path" and not _is_path(value)):
            raise UsageError(f"argument {name} of verb {verb} is malformed", hint=_help(verb))
    return Request(verb, {name: args[name] if name in args else OPTIONAL[name] for name in VERBS[verb]})


def _help(verb: str) -> str:
    return f"see 'gpiomux {verb} --help', and that both programs are of the same version of gpiomux"


def encode_reply(reply: Reply) -> bytes:
    """The reply as one line."""
    match reply:
        case Progress():
            return _encode({"progress": reply.plain()})
        case Result(result=result, ending=ending):
            return _encode({"result": dict(result), **({"ending": True} if ending else {})})
        case Failure(error=error, ending=ending):
            return _encode({"error": error_to_plain(error), **({"ending": True} if ending else {})})


def decode_reply(line: bytes) -> Reply:
    """Read one line from the daemon.

    Raises:
        ProtocolError: it is no reply.
    """
    message = _decode(line, "reply")
    match message:
        case {"progress": {"done": int(done), "total": int(total), "operation": str(operation)}}:
            return Progress(done, total, operation)
        case {"result": dict(result)}:
            return Result(result, message.get("ending") is True)
        case {"error": dict(error)}:
            return Failure(error_from_plain(error), message.get("ending") is True)
        case _:
            raise ProtocolError("reply is neither progress nor result nor error")


def error_to_plain(error: GpiomuxError) -> dict[str, Any]:
    """An error of ours as plain data."""
    faults = error.faults if isinstance(error, ConfigError) else ()
    return {
        "message": error.message,
        "hint": error.hint,
        "exit_status": error.exit_status,
        "kind": type(error).__name__,
        "errno": error.errno if isinstance(error, MachineError) else None,
        "faults": [fault.plain() for fault in faults],
    }


def error_from_plain(plain: Mapping[str, Any]) -> GpiomuxError:
    """The error that `error_to_plain` was given; it is returned, not raised.

    Raises:
        ProtocolError: `plain` is no such error.
    """
    match plain:
        case {"kind": "ConfigError", "faults": list(faults)}:
            return ConfigError(tuple(_fault(fault) for fault in faults))
        case {"kind": "MachineError", "message": str(message), "hint": str(hint), "errno": int(errno)}:
            return MachineError(message, errno=errno, hint=hint)
        case {"kind": str(kind), "message": str(message), "hint": str(hint)} if kind in _KINDS:
            return _KINDS[kind](message, hint=hint)
        case {"kind": "GpiomuxError", "message": str(message), "hint": str(hint)}:
            return GpiomuxError(message, hint=hint)
        case _:
            raise ProtocolError("reply holds an error of unknown kind")


def _fault(plain: object) -> Fault:
    types = {"line": int, "column": int}
    if not isinstance(plain, dict) or any(
        not isinstance(plain.get(name), types.get(name, str)) for name in Fault.field_names()
    ):
        raise ProtocolError("reply holds a malformed fault")
    return Fault(**{name: plain[name] for name in Fault.field_names()})


def _is_argument(value: object, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list) and all(_is_argument(item, str) for item in value)
    if kind is dict:
        return _is_edit(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is bool:
        return isinstance(value, bool)
    # JSON can spell half of a surrogate pair, which is no text: nothing that is printed or parsed may hold one.
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _is_path(text: str) -> bool:
    """Whether it is an absolute path, or none: the working directory of the daemon is nobody's."""
    return not text or (text.startswith("/") and "\0" not in text)


def _is_edit(value: object) -> bool:
    match value:
        case {"verb": str(verb), "args": dict(args), **rest} if verb in EDIT_VERBS and not rest:
            kinds = VERBS[verb]
            return set(args) == set(kinds) and all(_is_argument(args[name], kinds[name]) for name in kinds)
        case _:
            return False


def _encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _decode(line: bytes, what: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as err:
        raise ProtocolError(f"{what} is not JSON") from err
    if not isinstance(message, dict):
        raise ProtocolError(f"{what} is not a JSON object")
    return message
