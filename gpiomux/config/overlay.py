"""What was changed at run time, as the edits between the applied configuration and the running one. Pure.

Nobody keeps a list of edits: it is derived, so that an edit and its reverse leave nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpiomux.config import edit
from gpiomux.config.model import Netdev, Poll, PollMode, Xdp, XdpMode
from gpiomux.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpiomux.config.model import Child, Config, Link


_OPTIONS = {
    "set-poll": {"idle_us": "--idle", "budget": "--budget"},
    "xdp attach": {"name": "--program", "mode": "--mode"},
}
"""Arguments that are options on the command line, by verb; 0 and empty text are left out there."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change at run time, as a request has it."""

    verb: str
    """One of `gpiomux.control.messages.EDIT_VERBS`."""
    args: Mapping[str, Any]

    def __str__(self) -> str:
        """As it is typed, for example `add-mark child1 7` or `set-poll geth0 auto --idle 500`."""
        words = [self.verb]
        options = _OPTIONS.get(self.verb, {})
        for name, value in self.args.items():
            if name not in options:
                words.append(str(value))
            elif value:
                words += [options[name], str(value)]
        return " ".join(words)


def edited(config: Config, verb: str, args: Mapping[str, Any]) -> Config:
    """The configuration after one edit.

    Raises:
        UsageError: the link, child or mark is not there, or is there already.
    """
    match verb:
        case "add-child":
            return edit.add_child(config, args["link"], args["child"])
        case "del-child":
            return edit.del_child(config, args["child"])
        case "add-mark":
            return edit.add_mark(config, args["child"], args["mark"])
        case "del-mark":
            return edit.del_mark(config, args["child"], args["mark"])
        case "set-pmtu":
            return edit.set_pmtu(config, args["link"], args["mark"], args["bytes"])
        case "del-pmtu":
            return edit.del_pmtu(config, args["link"], args["mark"])
        case "set-poll":
            return edit.set_poll(config, args["link"], _poll(args))
        case "xdp attach":
            return edit.attach_xdp(config, args["interface"], _xdp(args))
        case "xdp detach":
            return edit.detach_xdp(config, args["interface"])
        case _:
            raise UsageError(f"{verb} is no change of a running configuration", hint=f"see 'gpiomux {verb} --help'")


def overlay(base: Config, running: Config) -> tuple[Edit, ...]:
    """The edits that lead from one configuration to another with the same links, in an order that works."""
    old, new = _children(base), _children(running)
    kept = {name for name in old if name in new and _same(old[name], new[name])}
    gone = [Edit("del-child", {"child": name}) for name in old if name not in kept]
    added = [Edit("add-child", {"link": new[name][0], "child": name}) for name in new if name not in kept]
    unmarked, marked = [], []
    for name, (_, child) in new.items():
        had = set(old[name][1].marks) if name in kept else set()
        unmarked += [Edit("del-mark", {"child": name, "mark": mark}) for mark in sorted(had - set(child.marks))]
        marked += [Edit("add-mark", {"child": name, "mark": mark}) for mark in sorted(set(child.marks) - had)]
    return (*gone, *unmarked, *added, *marked, *_tuned(base, running), *_programs(base, running))


def _tuned(base: Config, running: Config) -> list[Edit]:
    """The edits of links themselves, which do not depend on each other."""
    old = {link.name: link for link in base.links}
    edits = []
    for new in running.links:
        was, now = dict(old[new.name].pmtu), dict(new.pmtu)
        edits += [Edit("del-pmtu", {"link": new.name, "mark": mark}) for mark in was if mark not in now]
        edits += [
            Edit("set-pmtu", {"link": new.name, "mark": mark, "bytes": limit_bytes})
            for mark, limit_bytes in now.items()
            if was.get(mark) != limit_bytes
        ]
        if old[new.name].poll != new.poll:
            edits.append(Edit("set-poll", {"link": new.name, **_poll_args(new.poll)}))
    return edits


def _programs(base: Config, running: Config) -> list[Edit]:
    """The edits of XDP programs; a child that was made anew began without one."""
    old, new = _children(base), _children(running)
    was = {link.name: link.netdev.xdp for link in base.links}
    was |= {name: it[1].netdev.xdp for name, it in old.items() if name in new and _same(it, new[name])}
    now = {link.name: link.netdev.xdp for link in running.links}
    now |= {name: child.netdev.xdp for name, (_, child) in new.items()}
    changed = [(name, xdp) for name, xdp in now.items() if was.get(name) != xdp]
    return [
        Edit("xdp detach", {"interface": name}) if xdp is None else Edit("xdp attach", _xdp_args(name, xdp))
        for name, xdp in changed
    ]


def lost(base: Config, running: Config, wanted: Config) -> tuple[Edit, ...]:
    """The edits of the overlay that do not hold in a third configuration."""
    if base == running:
        return ()
    old, new, then = _children(base), _children(running), _children(wanted)
    links = {link.name: link for link in wanted.links}

    def holds(it: Edit) -> bool:
        if "interface" in it.args:
            name = it.args["interface"]
            netdev = links[name].netdev if name in links else then[name][1].netdev if name in then else Netdev()
            return netdev.xdp == (None if it.verb == "xdp detach" else _xdp(it.args))
        if "child" not in it.args:
            return _is_tuned(links.get(it.args["link"]), it)
        name = it.args["child"]
        link, child = then.get(name, ("", None))
        # One that was made anew is another one; a file that has it as it was would bring the old one back.
        as_it_was = name in old and name in then and _same(old[name], then[name])
        match it.verb:
            case "add-child":
                return link == str(it.args["link"]) and not as_it_was
            case "del-child":
                return child is None or (name in new and not as_it_was)
            case "add-mark":
                return child is not None and it.args["mark"] in child.marks
            case _:
                return child is None or it.args["mark"] not in child.marks

    return tuple(it for it in overlay(base, running) if not holds(it))


def _is_tuned(link: Link | None, it: Edit) -> bool:
    """Whether an edit of a link itself holds for a link; None if there is no such link any more."""
    if link is None:
        return it.verb == "del-pmtu"
    match it.verb:
        case "set-pmtu":
            return (it.args["mark"], it.args["bytes"]) in link.pmtu
        case "del-pmtu":
            return it.args["mark"] not in dict(link.pmtu)
        case _:
            return link.poll == _poll(it.args)


def _poll(args: Mapping[str, Any]) -> Poll:
    """Polling as a request has it: 0 is an option that is left out.

    Raises:
        UsageError: there is no such mode.
    """
    if args["mode"] not in list(PollMode):
        raise UsageError(f"{args['mode']} is no way of polling", hint=f"use {', '.join(PollMode)}")
    return Poll(mode=PollMode(args["mode"]), idle_us=args["idle_us"] or None, budget=args["budget"] or None)


def _poll_args(poll: Poll) -> dict[str, Any]:
    return {"mode": poll.mode.value, "idle_us": poll.idle_us or 0, "budget": poll.budget or 0}


def _xdp(args: Mapping[str, Any]) -> Xdp:
    """A program as a request has it: empty is an option that is left out.

    Raises:
        UsageError: there is no such mode.
    """
    mode = args["mode"]
    if mode and mode not in list(XdpMode):
        raise UsageError(f"{mode} is no mode of XDP", hint=f"use {', '.join(XdpMode)}")
    return Xdp(program=args["program"], name=args["name"] or None, mode=XdpMode(mode) if mode else None)


def _xdp_args(interface: str, xdp: Xdp) -> dict[str, Any]:
    mode = "" if xdp.mode is None else xdp.mode.value
    return {"interface": interface, "program": xdp.program, "name": xdp.name or "", "mode": mode}


def _children(config: Config) -> dict[str, tuple[str, Child]]:
    """All children with their links, by name."""
    return {child.name: (link.name, child) for link in config.links for child in link.children}


def _same(one: tuple[str, Child], other: tuple[str, Child]) -> bool:
    """Whether two children are the same but for their marks and programs."""
    return one[0] == other[0] and replace(one[1].netdev, xdp=None) == replace(other[1].netdev, xdp=None)
