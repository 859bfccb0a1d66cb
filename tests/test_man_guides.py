"""What the manual and the README quote exists: commands, keys, reasons, files; and the tutorial's boards fit."""

from __future__ import annotations

import re
import runpy
import shlex
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gpiomux.cli.parser import parse
from gpiomux.cli.verbs import VERBS, canonical
from gpiomux.config.load import load_file, load_text
from gpiomux.plan.state import Route
from gpiomux.plan.words import resource_words
from gpiomux.wire import peering
from gpiomux.wire.frame import Hello, WireMode
from gpiomux.wiring.joining import wiring_of_two
from tests.test_man import PAGES, ROOT, SCHEMA, literal_blocks, page, section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpiomux.config.model import Config
    from gpiomux.wiring.joining import Wiring

GUIDES = ("gpiomux-migration.7", "gpiomux-tutorial.7")
README = "README.md"
TEXTS = {path.name: path.read_text() for path in (*PAGES, ROOT / README)}
PROMPT = re.compile(r"^ *(?:[ab]?[#$] )(?:sudo )?", re.MULTILINE)
COMMAND = re.compile(r"gpiomux [a-z].*")


def typed_commands(name: str) -> list[str]:
    """Command lines as a user types them: behind a prompt, and in the README also in an indented block without one."""
    text = TEXTS[name]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if name == README else literal_blocks(text)
    lines = [
        line for block in blocks for line in re.sub(r"\$\(.*?\)", "OUTPUT", block.replace("\\e\n", " ")).splitlines()
    ]
    if name == README:
        lines = [f"$ {line.strip()}" if re.match(r"    (sudo )?gpiomux [a-z]", line) else line for line in lines]
    pieces = [piece for line in lines if PROMPT.match(line) for piece in re.split(r"[|;&>]+", PROMPT.sub("", line))]
    return [piece.strip() for piece in pieces if COMMAND.match(piece.strip())]


def named_commands(name: str) -> list[str]:
    """Commands in a sentence or a table, perhaps without their arguments."""
    if name == README:
        return [quoted for quoted in re.findall(r"`([^`]+)`", TEXTS[name]) if COMMAND.fullmatch(quoted)]
    found = re.findall(r"^\.(?:Ql|Cm|Dl) (gpiomux [a-z].*)$", TEXTS[name], re.MULTILINE)
    return [re.sub(r" [.,;:)]$", "", line).replace("Fl -", "--") for line in found]


def is_known(command: str) -> bool:
    """Whether there is such a verb with such options, and no more arguments than it takes."""
    given = [word for word in re.sub(r"\[|\]|\.\.\.", "", command).split()[1:] if word]
    two = " ".join(map(canonical, given[:2]))
    verb = VERBS.get(two) or VERBS.get(canonical(given[0]))
    if verb is None:
        return False
    rest = given[len(verb.name.split()) :]
    options = {name: option for option in verb.options for name in option.names}
    chosen = [word for word in rest if word.startswith("-")]
    if not set(chosen) <= set(options):
        return False
    placed = len(rest) - len(chosen) - sum(bool(options[word].metavar) for word in chosen)
    return placed <= len(verb.arguments) or any(argument.many for argument in verb.arguments)


def examples(name: str) -> list[str]:
    """The configurations among the blocks of a page."""
    return [block for block in literal_blocks(page(name)) if block.startswith("links:")]


def keys(schema: object) -> set[str]:
    """Every key of the configuration."""
    if isinstance(schema, list):
        return set().union(*map(keys, schema))
    if not isinstance(schema, dict):
        return set()
    own: dict[str, Any] = schema.get("properties", {})
    return set(own).union(*map(keys, schema.values()))


def keys_written(value: object) -> Iterator[str]:
    """Every key of a piece of YAML that is a name; marks are numbers."""
    if isinstance(value, dict):
        yield from (key for key in value if isinstance(key, str))
        for below in value.values():
            yield from keys_written(below)


def tutorial_boards() -> tuple[Config, Config]:
    first, second = (load_text(text, "tutorial") for text in examples("gpiomux-tutorial.7"))
    return first, second


def places(wiring: Wiring) -> list[tuple[str, str]]:
    ends = [(wire.first.place, wire.second.place) for cable in wiring.cables for wire in cable.wires]
    return [(first.short, second.short) for first, second in ends if first and second]


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_line_is_understood(name: str) -> None:
    for command in typed_commands(name):
        assert parse(shlex.split(command, comments=True)[1:]) is not None, command


def test_there_are_command_lines_to_look_at() -> None:
    """So that a change of style cannot make the test above look at nothing."""
    assert all(len(typed_commands(name)) >= 5 for name in ("gpiomux.1", "gpiomux-tutorial.7", README))
    assert all(len(named_commands(name)) >= 5 for name in ("gpiomux.yaml.5", "gpiomux-migration.7", README))


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_in_a_sentence_exists(name: str) -> None:
    assert [command for command in named_commands(name) if not is_known(command)] == []


def test_the_readme_names_every_verb() -> None:
    _, _, rest = TEXTS[README].partition("\n## Day by day\n")
    quoted = [piece.removeprefix("gpiomux ").split() for piece in re.findall(r"`([^`]+)`", rest.partition("\n## ")[0])]
    named = {" ".join(words[:length]) for words in quoted for length in (1, 2)}
    assert set(VERBS) - named == set()


@pytest.mark.parametrize("name", GUIDES)
def test_every_key_in_a_guide_exists(name: str) -> None:
    named = set(re.findall(r"^\.Ic (\w+)", TEXTS[name], re.MULTILINE))
    for written in re.findall(r"^\.Ql (\w+: .*?)(?: [.,;])?$", TEXTS[name], re.MULTILINE):
        named |= set(keys_written(yaml.safe_load(written)))
    assert named
    assert named - keys(SCHEMA) == set()


@pytest.mark.parametrize(("name", "count"), [(GUIDES[0], 2), (GUIDES[1], 2)])
def test_every_example_of_a_guide_is_a_valid_configuration(name: str, count: int) -> None:
    found = examples(name)
    assert len(found) == count
    for text in found:
        assert load_text(text, name).links


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_page_of_ours_that_is_referred_to_exists(path: Path) -> None:
    referred = set(re.findall(r"\.Xr (gpiomux\S*) (\d)", path.read_text()))
    assert {f"{name}.{number}" for name, number in referred} <= {other.name for other in PAGES}


def test_every_page_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    pages = {path: target for path, target in shared.items() if re.fullmatch(r"man/.*\.\d", path)}
    assert pages == {f"man/{path.name}": f"share/man/man{path.suffix[1:]}/{path.name}" for path in PAGES}


def test_every_example_and_every_file_of_the_package_is_described() -> None:
    pages = "".join(path.read_text() for path in PAGES)
    shipped = [path.name for path in (ROOT / "configs").rglob("*") if path.is_file()]
    assert [name for name in shipped if name not in pages] == []
    packaged = runpy.run_path(str(ROOT / "packaging" / "debian" / "build.py"))["FILES"]
    files = [
        target for source, target in packaged.items() if source.startswith(("packaging/systemd", "packaging/udev"))
    ]
    assert files
    assert [target for target in files if target.rpartition("/")[2] not in page("gpiomuxd.8")] == []


def test_every_file_that_the_readme_links_to_is_there() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", TEXTS[README])
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_boards_of_the_tutorial_are_wired_as_the_examples_are() -> None:
    first, second = tutorial_boards()
    pis = [load_file(ROOT / "configs" / f"raspberry-pi-{board}.yaml") for board in "ab"]
    assert places(wiring_of_two(first, "a", second, "b")) == places(wiring_of_two(pis[0], "a", pis[1], "b"))


def test_the_tutorial_shows_the_plan_that_is_made() -> None:
    (link,) = tutorial_boards()[1].links
    (route,) = link.netdev.routes
    told = resource_words(Route(interface=link.name, netns=None, to=route.to, via=route.via, metric=None))
    assert f"\n+ {told}\n" in page("gpiomux-tutorial.7")


def test_the_tutorial_names_the_reasons_that_status_gives() -> None:
    own = Hello(mode=WireMode.net_hdr, mtu=1500, reader=0x12, writer=8, epoch=1)
    same_file = Hello(mode=WireMode.net_hdr, mtu=1500, reader=0x12, writer=8, epoch=2)
    shorter = Hello(mode=WireMode.net_hdr, mtu=1400, reader=8, writer=0x12, epoch=2)
    mismatches = [*peering.mismatches(own, same_file), *peering.mismatches(own, shorter)]
    named = re.findall(
        r'^\.It Li "?(.*?)"?$', section(page("gpiomux-tutorial.7"), "IF THERE IS NO CARRIER"), re.MULTILINE
    )
    assert named == [peering.NO_PEER, peering.DEAF, peering.LOOP, *mismatches]


def test_a_pair_of_gpiosk_boards_keeps_its_wires() -> None:
    text = examples("gpiomux-migration.7")[1]
    other = text.replace("{reader: 1, writer: 2}", "{reader: 2, writer: 1}")
    wiring = wiring_of_two(load_text(text, "a"), "a", load_text(other, "b"), "b")
    wires = {
        (wire.first.place.name, wire.second.place.name)
        for wire in wiring.cables[0].wires
        if wire.first.place and wire.second.place
    }
    one_way = {("GPIO23", "GPIO17"), ("GPIO24", "GPIO27"), ("GPIO22", "GPIO25")}
    assert wires == one_way | {(second, first) for first, second in one_way}
