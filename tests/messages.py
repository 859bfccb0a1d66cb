"""Every message that gpiomux can give, collected from its source: errors, faults, findings, notes and the log.

Nothing is run: the calls that make a message are looked up in the syntax trees, and what they are given is written as
`tests.wordings` reads it. `python -m tests.messages >tests/messages.txt` makes the table anew.
"""

from __future__ import annotations

import ast
import errno
import itertools
import sys
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from gpiomux import errors
from tests.wordings import (
    ROOT,
    Place,
    Scope,
    argument,
    callee,
    modules,
    places,
    receiver,
    scope_of,
    scopes_of,
    tree_of,
    wordings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = ROOT / "tests" / "messages.txt"
COMMAND = "python -m tests.messages >tests/messages.txt"

ERRORS: dict[str, type[errors.GpiomuxError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.GpiomuxError) and kind is not errors.ConfigError
}
"""A ConfigError says what its faults say."""
SAME = "(same)"
"""The class of a message that wraps another error: the one of that error."""
OF_ERRNO = "(by errno)"
LOGGED = {"warning", "error", "critical"}
HEADINGS = {
    "error": "Errors: exit status, class, message, and what to do",
    "fault": "Faults of a configuration (exit status 2): message, and what is expected",
    "finding": "Findings of doctor: subject, cause, and what to do",
    "note": "Notes on standard error, and in answers",
    "log": "The log, from warnings on",
}


class Message(NamedTuple):
    """One message and what is said with it."""

    section: str
    """A key of HEADINGS."""
    module: str
    kind: str
    """Class of an error, level of the log, subject of a finding."""
    text: str
    hints: tuple[str, ...]
    """Every hint that it can have; an empty one if there is a way to it without."""

    @property
    def status(self) -> str:
        return str(ERRORS[self.kind].exit_status) if self.kind in ERRORS else "-"


class Maker(NamedTuple):
    """What a call makes: which of its arguments are the message and the hint."""

    section: str
    kind: str
    text: ast.expr
    hint: ast.expr | None
    errno: ast.expr | None = None


# What makes a message.


def made_by(place: Place) -> Maker | None:
    """The message that a call makes, if it makes one."""
    call, name = place.call, callee(place.call)
    if name in ERRORS:
        return maker("error", name, call, 0, "message", "hint")
    match call.func:
        case ast.Call(func=ast.Name(id="type")):
            return maker("error", SAME, call, 0, "message", "hint")
    if "config" in place.module.parts and name in FAULT_PLACES:
        position = FAULT_PLACES[name] or max(len(call.args) - 2, 0)
        return maker("fault", "", call, position, "message", "expected")
    if name in ("Refusal", "Finding") and "config" in place.module.parts:
        return maker("fault", "", call, {"Refusal": 0, "Finding": 1}[name], "message", "expected")
    if name == "problem" and (found := maker("finding", "", call, 1, "cause", "remedy")):
        return found._replace(kind=next(iter(wordings(call.args[0], scope_of(place))), ""))
    if name == "_finding" and ast.unparse(call.args[0]) == "'problem'":
        return maker("finding", "gpiomuxd", call, 1, "cause", "remedy")
    if name == "note" or (name == "append" and receiver(call) == "notes") or prints_to_stderr(place):
        return maker("note", "", call, 0, "text", "")
    if name in LOGGED and isinstance(call.func, ast.Attribute) and "log" in ast.unparse(call.func.value):
        return maker("log", name, call, 0, "msg", "")
    return None


def prints_to_stderr(place: Place) -> bool:
    """Whether a call prints a message of its own; the module `output` prints those of others."""
    file = argument(place.call, 99, "file")
    own = place.module.name != "output.py"
    return own and callee(place.call) == "print" and file is not None and "stderr" in ast.unparse(file)


FAULT_PLACES = {"fault": 0, "key_fault": 1, "Fault": 99}
"""Callee -> which argument is the message; 0: the last but one, since `Text`, `Source` and `Spot` take more or less."""


def maker(section: str, kind: str, call: ast.Call, position: int, text: str, hint: str) -> Maker | None:
    message = argument(call, position, text)
    if message is None:
        return None
    said = argument(call, position + 1 if section in ("fault", "finding") else 99, hint)
    return Maker(section, kind, message, said, argument(call, 99, "errno"))


@cache
def collected() -> tuple[Message, ...]:
    """All messages, sorted, each once."""
    found: dict[tuple[str, str, str, str], set[str]] = {}
    for place in places():
        made = made_by(place)
        if made is None or is_passed_on(made, place):
            continue
        module = str(place.module.relative_to(ROOT / "gpiomux"))
        for scope in scopes_of([made.text, made.hint], place):
            hints = hints_of(made, scope)
            for text in wordings(made.text, scope):
                found.setdefault((made.section, module, made.kind, text), set()).update(hints)
    for scope, message, expected in returned_faults():
        for text in wordings(message, scope):
            module = str(scope.module.relative_to(ROOT / "gpiomux"))
            found.setdefault(("fault", module, "", text), set()).update(wordings(expected, scope))
    for module_path, text in listed_notes():
        found.setdefault(("note", str(module_path.relative_to(ROOT / "gpiomux")), "", text), set())
    return tuple(Message(*key, tuple(sorted(found[key]))) for key in sorted(found))


def returned_faults() -> Iterator[tuple[Scope, ast.expr, ast.expr]]:
    """Message and expectation, where functions about configurations answer both as a pair."""
    for module in modules():
        functions = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.FunctionDef)]
        for function in functions if "config" in module.parts else ():
            pairs = function.returns is not None and ast.unparse(function.returns) == "tuple[str, str]"
            for node in ast.walk(function) if pairs else ():
                match node:
                    case ast.Return(value=ast.Tuple(elts=[message, expected])):
                        yield Scope(module, function, node, {}), message, expected


def is_passed_on(made: Maker, place: Place) -> bool:
    """Whether a call only hands on a message of its caller, as the methods `fault` do: those callers are found too."""
    return place.function is not None and made_by_name(place.function.name) and isinstance(made.text, ast.Name)


def made_by_name(function: str) -> bool:
    return function in FAULT_PLACES or function in ("note", "problem")


def hints_of(made: Maker, scope: Scope) -> set[str]:
    hints = set(wordings(made.hint, scope)) if made.hint is not None else {""}
    if made.kind == SAME:
        return {*(hints - {""}), SAME}
    if "" in hints and made.section == "error" and (usual := usual_hint(made)):
        hints = {*(hints - {""}), usual}
    return hints


def usual_hint(made: Maker) -> str:
    """What an error says by itself."""
    remedy = f"({made.kind})" if ERRORS[made.kind].remedy else ""
    if made.errno is None:
        return remedy
    match made.errno:
        case ast.Attribute(value=ast.Name(id="errno"), attr=name):
            return f"({name})" if getattr(errno, name) in errors.REMEDIES else remedy
        case ast.Constant():
            return remedy
    return OF_ERRNO


def listed_notes() -> Iterator[tuple[Path, str]]:
    """The notes that are collected in a list: what is assigned or added to a name `notes`, or returned as such."""
    for module in modules():
        for node in ast.walk(tree_of(module)):
            match node:
                case ast.Assign(targets=[ast.Name(id="notes")], value=value):
                    yield from texts_in(value, module)
                case ast.AugAssign(target=ast.Name(id="notes"), value=value):
                    yield from texts_in(value, module)
                case ast.FunctionDef(name=name) if name.endswith("_notes"):
                    for part in ast.walk(node):
                        if isinstance(part, ast.Return) and part.value is not None:
                            yield from texts_in(part.value, module)


def texts_in(value: ast.expr, module: Path) -> Iterator[tuple[Path, str]]:
    """The texts of a list, tuple or comprehension."""
    match value:
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            elements = parts
        case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part):
            elements = [part]
        case ast.Call(args=[ast.GeneratorExp(elt=part)]):
            elements = [part]
        case _:
            elements = []
    for element in elements:
        if isinstance(element, ast.JoinedStr | ast.Constant):
            yield from ((module, text) for text in wordings(element, Scope(module, None, element, {})))


# The table.


def table() -> str:
    """All messages, as tests/messages.txt has them."""
    lines = [
        f"All messages of gpiomux. Made from its source: {COMMAND}",
        "",
        "What usually helps",
        "",
    ]
    lines += [f"({errno.errorcode[number]}) {text}" for number, text in errors.REMEDIES.items()]
    lines += [f"({name}) {kind.remedy}" for name, kind in ERRORS.items() if kind.remedy]
    messages = collected()
    for section, heading in HEADINGS.items():
        lines += ["", "", heading]
        own = [message for message in messages if message.section == section]
        for module, group in itertools.groupby(own, lambda message: message.module):
            lines += ["", f"gpiomux/{module}"]
            for message in group:
                lines += rendered(message)
    return "\n".join(lines) + "\n"


def rendered(message: Message) -> Iterator[str]:
    head = {"error": f"{message.status} {message.kind}: ", "finding": f"{message.kind}: ", "log": f"{message.kind}: "}
    yield f"  {head.get(message.section, '')}{message.text}"
    for hint in message.hints:
        if hint:
            yield f"      -> {hint}"


if __name__ == "__main__":
    sys.stdout.write(table())
