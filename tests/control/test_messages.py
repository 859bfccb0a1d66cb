"""Lines of JSON between client and daemon: every value survives the way, no bytes do harm."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpiomux.control.messages import (
    EDIT_VERBS,
    EXAMINING_VERBS,
    MAX_REQUEST_BYTES,
    OPTIONAL,
    READING_VERBS,
    RUNNING_VERBS,
    VERBS,
    Failure,
    Progress,
    Reply,
    Request,
    Result,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    error_from_plain,
    error_to_plain,
)
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

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
COUNTS = st.integers(min_value=0, max_value=2**64)
FAULTS = st.builds(
    Fault, file=TEXT, line=COUNTS, column=COUNTS, path=TEXT, message=TEXT, expected=TEXT, source_line=TEXT
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ERRORS: st.SearchStrategy[GpiomuxError] = (
    st.builds(
        lambda kind, message, hint: kind(message, hint=hint),
        st.sampled_from((UsageError, UnsupportedError, ConflictError, DaemonError, ProtocolError, GpiomuxError)),
        TEXT,
        TEXT,
    )
    | st.builds(lambda message, number, hint: MachineError(message, errno=number, hint=hint), TEXT, COUNTS, TEXT)
    | st.builds(lambda faults: ConfigError(tuple(faults)), st.lists(FAULTS, max_size=3))
)


def _edit(verb: str, **args: Any) -> dict[str, Any]:
    return {"verb": verb, "args": args}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    verb = draw(st.sampled_from(sorted(VERBS)))
    values: dict[type, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(),
        bool: st.booleans(),
        list: st.lists(TEXT, max_size=3),
        dict: st.builds(lambda child, mark: _edit("add-mark", child=child, mark=mark), TEXT, st.integers()),
    }
    paths = st.just("") | st.text(st.characters(codec="utf-8", min_codepoint=1), max_size=20).map("/{}".format)
    return Request(verb, {name: draw(paths if name == "path" else values[kind]) for name, kind in VERBS[verb].items()})


@given(requests())
def test_requests_survive(request: Request) -> None:
    line = encode_request(request)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_request(line) == request


@given(
    st.builds(Progress, COUNTS, COUNTS, TEXT)
    | st.builds(Result, st.dictionaries(TEXT, JSON, max_size=3), st.booleans())
)
def test_replies_survive(reply: Reply) -> None:
    line = encode_reply(reply)
    assert line.count(b"\n") == 1
    assert decode_reply(line) == reply


@given(ERRORS, st.booleans())
def test_errors_survive(error: GpiomuxError, ending: bool) -> None:
    reply = decode_reply(encode_reply(Failure(error, ending)))
    assert isinstance(reply, Failure)
    assert reply.ending is ending
    assert type(reply.error) is type(error)
    assert error_to_plain(reply.error) == error_to_plain(error)


@example(b"[" * 200_000)
@example(b'{"verb": ' + b"9" * 5000 + b"}")
@example(b'{"verb": "show", "args": {}}\xff')
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_hostile_bytes_are_refused(line: bytes) -> None:
    with pytest.raises((ProtocolError, UsageError)):
        decode_request(line)
    with pytest.raises(ProtocolError):
        decode_reply(line)


@given(st.dictionaries(st.sampled_from(("verb", "args", "more")), st.sampled_from(sorted(VERBS)) | JSON))
def test_almost_requests_are_refused_or_right(message: dict[str, Any]) -> None:
    try:
        request = decode_request(json.dumps(message).encode())
    except (ProtocolError, UsageError):
        return
    assert message["verb"] == request.verb
    assert set(request.args) == set(VERBS[request.verb])
    assert {**OPTIONAL, **message.get("args", {})} == {**OPTIONAL, **request.args}


@given(st.dictionaries(st.sampled_from(("kind", "message", "hint", "errno", "faults")), JSON))
def test_almost_errors_are_refused(plain: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        error_from_plain({**plain, "kind": "SystemExit"})
    with pytest.raises(ProtocolError):
        error_from_plain({**plain, "kind": "ConfigError", "faults": [plain]})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "request is not JSON"),
        (b"[]", "request is not a JSON object"),
        (b'{"verb": "show", "args": {}, "more": 1}', "request has other members than verb and args"),
        (b'{"verb": "reboot"}', "request names an unknown verb"),
        (b'{"verb": ["show"]}', "request names an unknown verb"),
        (b'{"verb": "show", "args": []}', "verb show takes no arguments"),
        (b'{"verb": "show", "args": {"x": 1}}', "verb show takes no arguments"),
        (b'{"verb": "add-mark", "args": {"child": "c"}}', "verb add-mark takes child, mark"),
        (b'{"verb": "add-mark", "args": {"child": "c", "mark": true}}', "argument mark of verb add-mark is malformed"),
        (b'{"verb": "add-mark", "args": {"child": 1, "mark": 1}}', "argument child of verb add-mark is malformed"),
        (b'{"verb": "del-child", "args": {"child": "\\ud800"}}', "argument child of verb del-child is malformed"),
        (b'{"verb": "down", "args": {"links": [], "all": 1}}', "argument all of verb down is malformed"),
        (
            b'{"verb": "plan", "args": {"text": "", "file": "f", "path": "f"}}',
            "argument path of verb plan is malformed",
        ),
        (
            b'{"verb": "doctor", "args": {"text": "", "file": "", "path": "/\\u0000"}}',
            "argument path of verb doctor is malformed",
        ),
        (b'{"verb": "down", "args": {"links": ["a", 1]}}', "argument links of verb down is malformed"),
        (b" " * (MAX_REQUEST_BYTES + 1), f"request is longer than {MAX_REQUEST_BYTES} bytes"),
    ],
)
def test_what_is_wrong_is_said(line: bytes, message: str) -> None:
    with pytest.raises(GpiomuxError) as caught:
        decode_request(line)
    assert caught.value.message == message


def test_arguments_may_be_left_out_where_there_are_none() -> None:
    assert decode_request(b'{"verb": "show"}') == Request("show", {})


def test_what_is_left_out_has_its_usual_value() -> None:
    request = decode_request(b'{"verb": "apply", "args": {"text": "links: []", "file": "x.yaml"}}')
    usual = {"reset_overlay": False, "path": "", "confirm_s": 0}
    assert request == Request("apply", {"text": "links: []", "file": "x.yaml", **usual})
    assert decode_request(b'{"verb": "rollback"}') == Request("rollback", {"steps": 1})


@pytest.mark.parametrize(
    "edit",
    [
        {},
        _edit("add-mark", child="c"),
        _edit("add-mark", child="c", mark="1"),
        _edit("down", links=[], all=False),
        _edit("persisted", edit=_edit("del-child", child="c")),
        {**_edit("del-child", child="c"), "more": 1},
    ],
)
def test_an_edit_is_checked_as_a_request_is(edit: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="argument edit of verb persisted is malformed"):
        decode_request(encode_request(Request("persisted", {"edit": edit})))


def test_kinds_of_verbs_are_verbs() -> None:
    assert READING_VERBS < set(VERBS)
    assert EDIT_VERBS < set(VERBS)
    assert RUNNING_VERBS < set(VERBS)
    assert all("link" in VERBS[verb] for verb in RUNNING_VERBS - {"generate"})
    assert not READING_VERBS & EDIT_VERBS
    assert EXAMINING_VERBS < set(VERBS) - READING_VERBS - RUNNING_VERBS - EDIT_VERBS
    assert not RUNNING_VERBS & (READING_VERBS | EDIT_VERBS)
    assert set(OPTIONAL) < {name for kinds in VERBS.values() for name in kinds}


def test_an_error_as_it_travels() -> None:
    error = MachineError("geth0: cannot", errno=errno.EPERM, hint="be root")
    assert json.loads(encode_reply(Failure(error))) == {
        "error": {
            "message": "geth0: cannot",
            "hint": "be root",
            "exit_status": 1,
            "kind": "MachineError",
            "errno": errno.EPERM,
            "faults": [],
        }
    }
