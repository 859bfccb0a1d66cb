"""What the expressions of a source text can say, without running it; `tests.messages` collects messages with it.

A text is written with `{placeholders}` for what is known only at run time. What comes through a parameter is looked up
at the callers, a local name where it is assigned, a table in its module.
"""

from __future__ import annotations

import ast
import itertools
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DEPTH = 4
"""So many parameters, names and functions are followed from a text."""
ALTERNATIVES = 4
"""A part of a sentence that can say more than these is written as a placeholder."""
_PLACEHOLDER = re.compile("{[^{}]*}")

Wordings = list[str]
Function = ast.FunctionDef | ast.AsyncFunctionDef


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


# What an expression can say.


def scope_of(place: Place) -> Scope:
    return Scope(place.module, place.function, place.call, {})


def scopes_of(exprs: list[ast.expr | None], place: Place) -> Iterator[Scope]:
    """The scope of a call; where the words of `exprs` come through parameters, one for each caller that gives them."""
    scope = scope_of(place)
    taken = parameters_in(exprs, scope)
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
    return [place for place in calls().get(name, []) if place.module == scope.module or not private]


@cache
def calls() -> dict[str, list[Place]]:
    """All calls by the last name of what is called."""
    found: dict[str, list[Place]] = {}
    for place in places():
        found.setdefault(callee(place.call), []).append(place)
    return found


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
        case ast.IfExp(test=ast.Name(id=name), body=body, orelse=other) if is_constant(name, scope):
            found = wordings(body if ast.literal_eval(scope.given[name][0]) else other, scope, depth)
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


def is_constant(name: str, scope: Scope) -> bool:
    """Whether a name is a parameter for which the caller has written down the value."""
    return name in scope.given and isinstance(scope.given[name][0], ast.Constant)


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
    inner = scope._replace(given={**scope.given, name: (ast.Name(name), Scope(scope.module, None, scope.at, {}))})
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
            if isinstance(part, ast.stmt | ast.ExceptHandler | ast.match_case) and is_within(at, part)
        ]
        found += [(block, index) for block, index, part in around if isinstance(part, ast.stmt)]
        inside = around[0][2] if around else None
    return found


def is_within(at: ast.AST, part: ast.stmt | ast.ExceptHandler | ast.match_case) -> bool:
    """Whether a place is in a statement or branch; a look at the lines saves most of the search."""
    if not isinstance(part, ast.match_case):
        line = getattr(at, "lineno", 0)
        if not part.lineno <= line <= (part.end_lineno or line):
            return False
    return any(at is it for it in ast.walk(part))


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
