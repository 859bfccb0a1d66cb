"""Every message that gpiomux can give, collected from its source: errors, faults, findings, notes and the log.

Nothing is run: the calls that make a message are looked up in the syntax trees, and what they are given is written with
`{placeholders}` for what is known only at run time. A text that comes through a parameter is looked up at the callers,
a local name where it is assigned. `python -m tests.messages >tests/messages.txt` makes the table anew.
"""

from __future__ import annotations

import ast
import errno
import itertools
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gpiomux import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
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
DEPTH = 4
ALTERNATIVES = 4
"""A part of a sentence that can say more than these is written as a placeholder."""
_PLACEHOLDER = re.compile("{[^{}]*}")
"""So many parameters, names and callers are followed from a message."""
LOGGED = {"warning", "error", "critical"}
HEADINGS = {
    "error": "Errors: exit status, class, message, and what to do",
    "fault": "Faults of a configuration (exit status 2): message, and what is expected",
    "finding": "Findings of doctor: subject, cause, and what to do",
    "note": "Notes on standard error, and in answers",
    "log": "The log, from warnings on",
}

Wordings = list[str]
Function = ast.FunctionDef | ast.AsyncFunctionDef


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


class Scope(NamedTuple):
    """Where an expression stands: what its names mean there."""

    module: Path
    function: Function | None
    at: ast.AST
    """The call or the value to which the names belong: what is assigned behind it does not count."""
    given: dict[str, tuple[ast.expr, Scope]]
    """Parameter -> what one caller gives, and where that stands."""


class Place(NamedTuple):
    """A call, and the function around it."""

    call: ast.Call
    module: Path
    function: Function | None


class Maker(NamedTuple):
    """What a call makes: which of its arguments are the message and the hint."""

    section: str
    kind: str
    text: ast.expr
    hint: ast.expr | None
    errno: ast.expr | None = None


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "gpiomux").rglob("*.py")))


@cache
def places() -> tuple[Place, ...]:
    """All calls in gpiomux."""
    found: list[Place] = []

    def walk(node: ast.AST, module: Path, function: Function | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                found.append(Place(child, module, function))
            walk(child, module, child if isinstance(child, Function) else function)

    for module in modules():
        walk(tree_of(module), module, None)
    return tuple(found)


def callee(call: ast.Call) -> str:
    """The last name of what is called: `fault` of `self.spot.fault(...)`."""
    return last_name(call.func)


def last_name(expr: ast.expr) -> str:
    match expr:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def receiver(call: ast.Call) -> str:
    """`spot` of `self.spot.fault(...)`."""
    return last_name(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if len(call.args) <= position or any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    return call.args[position]


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
    if name == "note" or (name == "append" and receiver(call) == "notes"):
        return maker("note", "", call, 0, "text", "")
    if name in LOGGED and receiver(call) == "_log":
        return maker("log", name, call, 0, "msg", "")
    return None


FAULT_PLACES = {"fault": 0, "key_fault": 1, "Fault": 99}
"""Callee -> which argument is the message; 0: the last but one, since `Text`, `Source` and `Spot` take more or less."""


def maker(section: str, kind: str, call: ast.Call, position: int, text: str, hint: str) -> Maker | None:
    message = argument(call, position, text)
    if message is None:
        return None
    said = argument(call, position + 1 if section in ("fault", "finding") else 99, hint)
    return Maker(section, kind, message, said, argument(call, 99, "errno"))


def collected() -> list[Message]:
    """All messages, sorted, each once."""
    found: dict[tuple[str, str, str, str], set[str]] = {}
    for place in places():
        made = made_by(place)
        if made is None or is_passed_on(made, place):
            continue
        module = str(place.module.relative_to(ROOT / "gpiomux"))
        for scope in scopes_of(made, place):
            hints = hints_of(made, scope)
            for text in wordings(made.text, scope):
                found.setdefault((made.section, module, made.kind, text), set()).update(hints)
    for scope, message, expected in returned_faults():
        for text in wordings(message, scope):
            module = str(scope.module.relative_to(ROOT / "gpiomux"))
            found.setdefault(("fault", module, "", text), set()).update(wordings(expected, scope))
    for module_path, text in listed_notes():
        found.setdefault(("note", str(module_path.relative_to(ROOT / "gpiomux")), "", text), set())
    return [Message(*key, tuple(sorted(found[key]))) for key in sorted(found)]


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


# What an expression can say.


def scope_of(place: Place) -> Scope:
    return Scope(place.module, place.function, place.call, {})


def scopes_of(made: Maker, place: Place) -> Iterator[Scope]:
    """The scope of a call; where its words come through parameters, one for each caller that gives them."""
    scope = scope_of(place)
    taken = parameters_in([made.text, made.hint], scope)
    callers = [found for found in places_of(scope) if given_words(found, scope, taken)] if taken else []
    if not callers:
        yield scope
    for caller in callers:
        yield scope._replace(given=bound(caller, scope))


def parameters_in(exprs: list[ast.expr | None], scope: Scope, depth: int = DEPTH) -> set[str]:
    """The parameters of the function around them that some expressions need, also through local names."""
    if scope.function is None or not depth:
        return set()
    names = {node.id for expr in exprs if expr is not None for node in ast.walk(expr) if isinstance(node, ast.Name)}
    own = {arg.arg for arg in parameters(scope.function)}
    for name in names - own:
        own_words: list[ast.expr | None] = [*reaching(name, scope.function, scope.at)]
        names |= parameters_in(own_words, scope, depth - 1)
    return names & own


def parameters(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def places_of(scope: Scope) -> list[Place]:
    """The calls of a function, in its own module if it is private."""
    assert scope.function is not None
    name = scope.function.name
    private = name.startswith("_")
    return [place for place in calls_of(name) if place.module == scope.module or not private]


@cache
def calls_of(name: str) -> list[Place]:
    return [place for place in places() if callee(place.call) == name]


def bound(caller: Place, scope: Scope) -> dict[str, tuple[ast.expr, Scope]]:
    """Parameter -> what a caller gives; what it leaves out has its default."""
    assert scope.function is not None
    arguments = scope.function.args
    names = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
    defaults = dict(zip(reversed(names), reversed(arguments.defaults), strict=False))
    defaults |= {
        arg.arg: value for arg, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value
    }
    if names[:1] in (["self"], ["cls"]):
        names = names[1:]
    given = {name: (value, Scope(scope.module, None, value, {})) for name, value in defaults.items()}
    at = scope_of(caller)
    given |= {name: (value, at) for name, value in zip(names, caller.call.args, strict=False)}
    return given | {keyword.arg: (keyword.value, at) for keyword in caller.call.keywords if keyword.arg}


def given_words(caller: Place, scope: Scope, taken: set[str]) -> bool:
    """Whether a caller gives words for one of the parameters that a message takes, and not just values."""
    given = bound(caller, scope)
    return any(is_words(text) for name in taken if name in given for text in wordings(*given[name]) if text)


def is_words(text: str) -> bool:
    """Whether a wording says anything beside its placeholders."""
    while (outside := _PLACEHOLDER.sub("", text)) != text:  # the innermost braces first
        text = outside
    return re.search("[A-Za-z]{2}", text) is not None


def wordings(expr: ast.expr, scope: Scope, depth: int = DEPTH) -> Wordings:
    """What an expression can say; each once, in order."""
    match expr:
        case ast.Constant(value=str(text)):
            found = [text]
        case ast.JoinedStr(values=values):
            found = combined([wordings(value, scope, depth) for value in values])
        case ast.FormattedValue(value=value):
            found = inserted(value, scope, depth)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            found = combined([wordings(left, scope, depth), wordings(right, scope, depth)])
        case ast.IfExp(body=body, orelse=other):
            found = wordings(body, scope, depth) + wordings(other, scope, depth)
        case ast.BoolOp(op=ast.Or(), values=values):
            found = [text for value in values for text in wordings(value, scope, depth) if text]
        case ast.Call(func=ast.Attribute(value=filled, attr="format")):
            found = wordings(filled, scope, depth)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=args):
            found = [*table_words(table, scope), *(text for arg in args[1:] for text in wordings(arg, scope, depth))]
        case ast.Subscript(value=ast.Name(id=table)) if table in constants(scope.module):
            found = table_words(table, scope)
        case ast.Name(id=name) if depth:
            found = named(name, scope, depth - 1)
        case ast.Call(func=ast.Name(id=name)) if depth and (answers := returned(name, scope)):
            inner = [(value, Scope(scope.module, answers[0], value, {})) for value in answers[1]]
            found = [text for value, where in inner for text in wordings(value, where, depth - 1)]
            found = found if all(is_words(text) or not text for text in found) else [placeholder(expr)]
        case _:
            found = [placeholder(expr)]
    return list(dict.fromkeys(found))


def inserted(value: ast.expr, scope: Scope, depth: int) -> Wordings:
    """What stands in the braces of an f-string: its words if it has some, else its name."""
    found = words_or(value, wordings(value, scope, depth))
    return found if len(found) <= ALTERNATIVES else [placeholder(value)]


def words_or(expr: ast.expr, found: Wordings) -> Wordings:
    """What an expression says where that is words, or nothing; else its name alone."""
    return list(dict.fromkeys(text if is_words(text) or not text else placeholder(expr) for text in found))


def placeholder(expr: ast.expr) -> str:
    return "{" + ast.unparse(expr) + "}"


def combined(parts: list[Wordings]) -> Wordings:
    return ["".join(chosen) for chosen in itertools.product(*parts)]


def named(name: str, scope: Scope, depth: int) -> Wordings:
    """What a name can say: as the caller gave it, as assigned in the function, or as a constant of the module."""
    if name in scope.given:
        return words_or(ast.Name(name), wordings(*scope.given[name], depth))
    values = reaching(name, scope.function, scope.at) if scope.function is not None else []
    if not values and scope.function is not None and name in {arg.arg for arg in parameters(scope.function)}:
        return [f"{{{name}}}"]
    # A name that is assigned again with more words holds itself the second time.
    inner = scope._replace(given={**scope.given, name: (ast.Constant(None), scope)})
    found = [
        text for value in values or constants(scope.module).get(name, []) for text in wordings(value, inner, depth)
    ]
    return words_or(ast.Name(name), found) or [f"{{{name}}}"]


def reaching(name: str, function: Function, at: ast.AST) -> list[ast.expr]:
    """What a name may hold at a place of a function: the assignments before it, back to one that is always made."""
    found: list[ast.expr] = []
    for block, index in reversed(blocks_around(function, at)):
        for statement in reversed(block[:index]):
            values = assigned(name, statement)
            found += values
            if values and isinstance(statement, ast.Assign):
                return found
    return found or assigned(name, function)


def blocks_around(function: Function, at: ast.AST) -> list[tuple[list[ast.stmt], int]]:
    """The blocks of statements around a place, the outermost first, each with the index of the statement there."""
    found: list[tuple[list[ast.stmt], int]] = []
    inside: ast.AST | None = function
    while inside is not None:
        blocks = [value for _, value in ast.iter_fields(inside) if isinstance(value, list)]
        around = [
            (block, index, part)
            for block in blocks
            for index, part in enumerate(block)
            if isinstance(part, ast.stmt | ast.ExceptHandler | ast.match_case)
            and any(at is it for it in ast.walk(part))
        ]
        found += [(block, index) for block, index, part in around if isinstance(part, ast.stmt)]
        inside = around[0][2] if around else None
    return found


def assigned(name: str, within: ast.AST) -> list[ast.expr]:
    """What is assigned to a name in a function, also to several at once."""
    found = []
    for node in ast.walk(within):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                found.append(value)
            case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
                found.append(value)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                found += [
                    value
                    for each, value in zip(targets, values, strict=False)
                    if isinstance(each, ast.Name) and each.id == name
                ]
    return found


@cache
def constants(module: Path) -> dict[str, list[ast.expr]]:
    """The constants of a module, those that it imports from another one of ours included."""
    found: dict[str, list[ast.expr]] = {}
    for node in tree_of(module).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = [value]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = [value]
            case ast.ImportFrom(module=str(source)) if source.startswith("gpiomux."):
                path = ROOT / (source.replace(".", "/") + ".py")
                known = constants(path) if path.exists() else {}
                found |= {alias.name: known[alias.name] for alias in node.names if alias.name in known}
    return {
        name: values
        for name, values in found.items()
        if isinstance(values[0], ast.Constant | ast.JoinedStr | ast.Dict | ast.BinOp)
    }


def table_words(name: str, scope: Scope) -> Wordings:
    """The words in a table of the module, of which one is chosen."""
    match constants(scope.module).get(name):
        case [ast.Dict(values=values)]:
            return [text for value in values for text in wordings(value, scope)]
    return [f"{{{name}}}"]


def returned(name: str, scope: Scope) -> tuple[Function, list[ast.expr]] | None:
    """What a function of the same module returns, if that is text."""
    for node in tree_of(scope.module).body:
        if isinstance(node, ast.FunctionDef) and node.name == name and isinstance(node.returns, ast.Name):
            values = [part.value for part in ast.walk(node) if isinstance(part, ast.Return) and part.value is not None]
            return (node, values) if node.returns.id == "str" and values else None
    return None


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
