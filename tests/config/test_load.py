"""Tests of `gpiomux.config.load`: the whole road from text to model, and every way in which it ends in faults."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpiomux.config.load import load_file, load_text
from gpiomux.config.model import (
    Bundle,
    Config,
    Lines,
    Link,
    Mode,
    Netdev,
    ProtocolIds,
    SimMedium,
    Transport,
)
from gpiomux.config.schema import load_schema
from gpiomux.config.source import read
from gpiomux.config.text import LIMIT_BYTES
from gpiomux.errors import ConfigError, Fault, UsageError

HERE = Path(__file__).parent
CONFIGS = HERE.parent.parent / "configs"


def _cases() -> list[tuple[str, str, str]]:
    """Name, document and expected faults of each case in bad-configurations.txt."""
    table = (HERE / "bad-configurations.txt").read_text(encoding="utf-8")
    cases = []
    for case in table.split("==== ")[1:]:
        name, _, rest = case.partition("\n")
        document, _, rendered = rest.rpartition("----\n")
        cases.append((name, document, rendered))
    return cases


@pytest.mark.parametrize(("document", "rendered"), [pytest.param(*case[1:], id=case[0]) for case in _cases()])
def test_bad_configuration_has_exactly_these_faults(document: str, rendered: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(document, "x.yaml")
    assert "".join(f"{fault.render()}\n" for fault in caught.value.faults) == rendered
    assert all(fault.expected for fault in caught.value.faults), "a fault without what to do"


def test_the_table_is_whole() -> None:
    cases = _cases()
    assert len(cases) >= 60
    assert len({name for name, _, _ in cases}) == len(cases)
    jargon = (
        "schema",
        "is not valid under",
        "does not match",
        "required property",
        "Additional properties",
        "NoneType",
    )
    assert not [name for name, _, rendered in cases if any(word in rendered for word in jargon)]


def test_two_links_is_this_model() -> None:
    lines = Lines(
        out=Bundle(data=(0, 1, 2, 3, 4, 5, 6, 7), req=8, ack=25),
        into=Bundle(data=(16, 17, 18, 19, 20, 21, 22, 23), req=24, ack=9),
    )
    near = Link(
        name="geth0",
        transport=Transport(
            mode=Mode.NET_HDR,
            protocol=ProtocolIds(reader=0x12, writer=0x8),
            medium=SimMedium(wire="cable0", end="a"),
            lines=lines,
        ),
        netdev=Netdev(addresses=("10.10.0.1/24", "fd00:10::1/64")),
    )
    far = Link(
        name="geth1",
        transport=Transport(
            mode=Mode.NET_HDR,
            protocol=ProtocolIds(reader=0x8, writer=0x12),
            medium=SimMedium(wire="cable0", end="b"),
            lines=lines,
        ),
        netdev=Netdev(addresses=("10.10.0.2/24", "fd00:10::2/64"), netns="far"),
    )
    assert load_file(CONFIGS / "two-links.yaml") == Config(links=(near, far))


def test_three_modes_has_a_pair_of_each() -> None:
    config = load_file(CONFIGS / "three-modes.yaml")
    seen = [(link.transport.mode, link.netdev.netns) for link in config.links]
    assert seen == [(mode, netns) for mode in Mode for netns in (None, "far")]
    for near, far in zip(config.links[::2], config.links[1::2], strict=True):
        ids = far.transport.protocol
        assert ids is not None
        assert near.transport.protocol == ProtocolIds(reader=ids.writer, writer=ids.reader)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_loads(path: Path) -> None:
    assert load_file(path).links


def test_a_file_is_named_as_the_user_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_bytes(b"links: 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_file("a.yaml")
    assert [fault.file for fault in caught.value.faults] == ["a.yaml"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*nowhere\.yaml: No such file or directory"):
        load_file(tmp_path / "nowhere.yaml")
    with pytest.raises(UsageError, match="Is a directory"):
        load_file(tmp_path)


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_file("/dev/zero")
    assert (
        caught.value.faults[0].render()
        == f"/dev/zero:1:1: the file is too large\n    expected at most {LIMIT_BYTES} bytes"
    )


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("links: []\n# Gerät".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    (fault,) = caught.value.faults
    assert (fault.line, fault.column, fault.message) == (2, 6, "byte 0xe4 is not UTF-8")


# ---- no document does anything but load or raise ConfigError


def _faults_of(text: str) -> tuple[Fault, ...]:
    """What `load_text` says against a text."""
    try:
        load_text(text, "x.yaml")
    except ConfigError as err:
        return err.faults
    return ()


def _load_or_refuse(text: str) -> None:
    """Load, or refuse with faults in file order, each with a place."""
    faults = _faults_of(text)
    places = [(fault.line, fault.column) for fault in faults]
    assert places == sorted(places)
    assert all(line >= 1 and column >= 1 for line, column in places)
    assert all(fault.render().startswith("x.yaml:") for fault in faults)
    assert len({(place, fault.message) for place, fault in zip(places, faults, strict=True)}) == len(faults)


@given(st.text())
@example("\x00")
@example("\ud800")
@example('a: "\\ud800"')
@example("&a [*a]")
@example("{" * 2000)
@example("? " * 2000)
@example("- " * 2000)
@example("%YAML 3.0\n---\n")
@example("\ufeff\ufefflinks: []")
@example("links: 9" + "9" * 5000)
@example("links: !!python/object:os.system []")
def test_arbitrary_text(text: str) -> None:
    _load_or_refuse(text)


@given(st.text(alphabet="links:[]{}-&*!|>'\"#%@`,? \n\t01ab", max_size=60))
def test_text_that_looks_like_yaml(text: str) -> None:
    _load_or_refuse(text)


@given(st.binary())
@example(b"\xff\xfel\x00i\x00")
@example(b"\xef\xbb\xbflinks: []")
def test_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary.yaml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        load_file(path)


def _known_keys(schema: object) -> set[str]:
    """Every property name in the schema."""
    if isinstance(schema, list):
        return set().union(*map(_known_keys, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {}))
    return own.union(*map(_known_keys, schema.values()))


KEYS = st.sampled_from(sorted(_known_keys(load_schema()))) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-1, 40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["sim", "gpio", "shm", "eth", "raw", "w", "a", "b", "10.0.0.1/24", "fd00::1/64", "default", "0-7", "7-0", "lo"]
    )
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=30
)


@given(DOCUMENTS)
@settings(max_examples=200)
def test_arbitrary_document(document: object) -> None:
    _load_or_refuse(json.dumps(document, ensure_ascii=False))


BASE = read((HERE / "rich.yaml").read_text(encoding="utf-8"), "rich.yaml").data


@given(st.data())
@settings(max_examples=300)
def test_a_good_document_with_one_value_changed(data: st.DataObject) -> None:
    document = copy.deepcopy(BASE)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    if data.draw(st.booleans()):
        place[key] = data.draw(DOCUMENTS)
    else:
        del place[key]
    _load_or_refuse(json.dumps(document, ensure_ascii=False))
