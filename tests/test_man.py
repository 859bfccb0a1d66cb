"""The manual pages against what they describe: the command line, the exit statuses, the schema."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpiomux import errors
from gpiomux.cli import main as program
from gpiomux.cli.show import CHANGES
from gpiomux.cli.verbs import VERBS
from gpiomux.config.load import load_text

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "man").glob("*.[0-9]"))
SCHEMA = json.loads((ROOT / "schemas" / "gpiomux.schema.json").read_text())
DEFINITIONS = SCHEMA["$defs"]

OBJECTS: dict[str, dict[str, Any]] = {
    "The document": SCHEMA,
    "A link": DEFINITIONS["link"],
    "A child": DEFINITIONS["child"],
    "A wire": DEFINITIONS["wire"],
    "Faults of a simulated wire": DEFINITIONS["faults"],
    "Lines": DEFINITIONS["lines"],
    "Out and in": DEFINITIONS["bundle"],
    "An entry of from": DEFINITIONS["lineSource"],
    "Channels": DEFINITIONS["channels"],
    "Access to the chip": DEFINITIONS["access"],
    "The line code": DEFINITIONS["code"],
    "Polling": DEFINITIONS["poll"],
    "Protocol ids": DEFINITIONS["protocol"],
    "A route": DEFINITIONS["routes"]["items"],
    "An XDP program": DEFINITIONS["xdp"],
}
"""Heading in gpiomux.yaml(5) -> the object of the schema that is described below it."""


def page(name: str) -> str:
    return (ROOT / "man" / name).read_text()


def section(text: str, heading: str, macro: str = "Sh") -> str:
    """What stands below one heading, up to the next of its rank or above."""
    _, _, rest = text.partition(f"\n.{macro} {heading}\n")
    assert rest, f"there is no .{macro} {heading}"
    return re.split(r"^\.(?:Sh|Ss) " if macro == "Ss" else r"^\.Sh ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def literal_blocks(text: str) -> list[str]:
    return re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", text, flags=re.MULTILINE)


def items(text: str, macro: str) -> dict[str, str]:
    """The items `.It <macro> <name>` of a section, each with what is said about it."""
    pieces = re.split(rf"^\.It {macro} ", text, flags=re.MULTILINE)[1:]
    found = {}
    for piece in pieces:
        head, said = piece.split("\n", 1)
        found[re.split(r" (?:Ar|Op|Fl) ", head)[0]] = said
    return found


def synopsis(text: str) -> dict[str, list[str]]:
    """Verb -> what follows it in the synopsis, each piece as a user types it, optional ones in brackets."""
    found = {}
    for usage in section(text, "SYNOPSIS").split(".Nm\n")[1:]:
        lines = usage.splitlines()
        if lines[0].startswith(".Cm "):
            pieces = [re.sub(r"^\.(Op )?(Fl |Ar )", r"\1\2", line).replace("Fl ", "-") for line in lines[1:]]
            found[lines[0].removeprefix(".Cm ")] = [
                word for piece in pieces for word in _words(piece.replace("Ar ", ""))
            ]
    return found


def _words(piece: str) -> list[str]:
    return [f"[{piece.removeprefix('Op ')}]"] if piece.startswith("Op ") else piece.split()


def command_line() -> dict[str, list[str]]:
    """The same from the program itself."""
    verbs: dict[str, list[str]] = {}
    for verb in VERBS.values():
        options = [f"[{f'{option.short or option.name} {option.metavar}'.rstrip()}]" for option in verb.options]
        named = [
            argument.metavar if argument.required else f"[{argument.metavar}{' ...' if argument.many else ''}]"
            for argument in verb.arguments
        ]
        verbs[verb.name] = options + named
    return verbs


def test_every_verb_with_its_arguments_is_in_the_synopsis() -> None:
    assert synopsis(page("gpiomux.1")) == command_line()


def test_every_verb_is_described() -> None:
    assert set(items(section(page("gpiomux.1"), "DESCRIPTION"), "Cm")) == set(command_line())


def test_every_option_is_described() -> None:
    described = set(re.findall(r"Fl -([a-z-]+)", "".join(re.findall(r"^\.It Fl .*$", page("gpiomux.1"), re.MULTILINE))))
    existing = {option.name for verb in VERBS.values() for option in verb.options}
    assert {f"--{name}" for name in described} == existing | {"--help", "--version"}


def test_every_exit_status_is_listed() -> None:
    def tree(kind: type[errors.GpiomuxError]) -> set[int]:
        return {kind.exit_status}.union(*(tree(child) for child in kind.__subclasses__()))

    statuses = {0, program.FAILED, program.INTERRUPTED, program.BROKEN_PIPE, CHANGES} | tree(errors.GpiomuxError)
    listed = re.findall(r"^\.It (\d+)$", section(page("gpiomux.1"), "EXIT STATUS"), re.MULTILINE)
    assert [int(status) for status in listed] == sorted(statuses)


def test_every_option_of_the_daemon_is_described() -> None:
    usage = subprocess.run(
        [sys.executable, "-m", "gpiomux.daemon", "--help"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    described = re.findall(r"Fl -([a-z-]+)", "".join(re.findall(r"^\.It Fl .*$", page("gpiomuxd.8"), re.MULTILINE)))
    assert {f"--{name}" for name in described} == set(re.findall(r"--[a-z-]+", usage.stdout))


def test_every_object_of_the_schema_has_a_heading() -> None:
    def objects(node: object) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for child in node for found in objects(child)]
        if not isinstance(node, dict):
            return []
        below = [found for child in node.values() for found in objects(child)]
        return [node, *below] if node.get("additionalProperties") is False else below

    assert len(objects(SCHEMA)) == len(OBJECTS)
    assert all(each in OBJECTS.values() for each in objects(SCHEMA))


@pytest.mark.parametrize("heading", OBJECTS)
def test_every_key_is_described_and_no_other(heading: str) -> None:
    described = items(section(page("gpiomux.yaml.5"), heading, "Ss"), "Ic")
    assert list(described) == list(OBJECTS[heading]["properties"])


def _facts(schema: dict[str, Any]) -> list[str]:
    """What a reader must be told about a key: its bounds, its values, its default."""
    target = DEFINITIONS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    bounds = [str(target[word]) for word in ("minimum", "maximum", "maxItems") if word in target]
    items = target.get("items", {})
    bounds += [str(items[word]) for word in ("minimum", "maximum") if word in items]
    default = re.findall(r"Default: (true|false|[0-9]+)\b", schema.get("description", ""))
    return bounds + [str(value) for value in target.get("enum", ())] + default


@pytest.mark.parametrize(
    ("heading", "key"), [(heading, key) for heading, schema in OBJECTS.items() for key in schema["properties"]]
)
def test_a_key_is_described_with_its_bounds_and_default(heading: str, key: str) -> None:
    text = items(section(page("gpiomux.yaml.5"), heading, "Ss"), "Ic")[key]
    assert text.startswith(".Em required") == (key in OBJECTS[heading].get("required", ()))
    if "as for a link" in text or "as the name of a link" in text:
        heading = "A link"
        text = items(section(page("gpiomux.yaml.5"), heading, "Ss"), "Ic")[key]
    facts = _facts(OBJECTS[heading]["properties"][key])
    assert [fact for fact in facts if not re.search(rf"\b{fact}\b", text)] == []


def test_every_example_is_a_valid_configuration() -> None:
    examples = [block for block in literal_blocks(section(page("gpiomux.yaml.5"), "EXAMPLES"))]
    examples += re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    for text in examples:
        load_text(text, "example")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_mandoc_has_nothing_to_say(path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], text=True, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_there_is_a_page_for_each_program_the_file_and_the_wire() -> None:
    guides = ["gpiomux-migration.7", "gpiomux-tutorial.7"]
    programs = ["gpiomux.1", "gpiomux.yaml.5", "gpiomuxd.8"]
    assert [path.name for path in PAGES] == ["gpiomux-counters.7", *guides, "gpiomux-wire.7", *programs]
