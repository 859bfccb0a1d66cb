"""The verbs that change nothing: validate, plan, show, status, history, info, chips. Each returns its exit status."""

from __future__ import annotations

import sys

from gpiomux.cli import ask, output
from gpiomux.errors import UsageError

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    from gpiomux.config.model import Config
    from gpiomux.errors import ConfigError

CHANGES = 2
"""Exit status of `plan` and `status --diff` when something would be done."""
NO_LINKS = "no links are running"


def validate(file: str, json: bool) -> int:
    """Check a configuration; with `json`, the faults are part of what is printed.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: something is wrong with it (without `json`).
    """
    from gpiomux.config import load
    from gpiomux.errors import ConfigError

    text, name = ask.read_text(file)
    try:
        config = load.load_text(text, name, ask.path_of(file))
    except ConfigError as error:
        if not json:
            raise
        output.as_json({"file": name, "valid": False, "faults": _faults(error)})
        return error.exit_status
    if json:
        output.as_json({"file": name, "valid": True, "faults": []})
    else:
        output.line(f"{name}: valid, {_size(config)}")
    return 0


def plan(file: str, json: bool, reset_overlay: bool) -> int:
    """Print what `apply` would do with the file.

    Raises:
        GpiomuxError: the file, or what the daemon says about it.
    """
    text, name = ask.read_text(file)
    return _compare(
        ask.read("plan", {"text": text, "file": name, "path": ask.path_of(file), "reset_overlay": reset_overlay}), json
    )


def show(json: bool) -> int:
    """Print the running configuration.

    Raises:
        DaemonError: neither a daemon nor the machine could be asked.
    """
    config = ask.read("show")["config"]
    if json:
        output.as_json(config)
        return 0
    from gpiomux.cli.document import to_yaml

    if not config["links"]:
        output.line(f"# {NO_LINKS}")
    output.line(to_yaml(config).rstrip("\n"))
    return 0


def status(link: str | None, json: bool, diff: bool) -> int:
    """Print how one link is, or each; with `diff` instead, what differs from the applied configuration.

    Raises:
        UsageError: there is no such link, or one is named with `diff`.
        GpiomuxError: neither a daemon nor the machine could be asked, or something cannot be looked at.
    """
    if diff:
        if link is not None:
            raise UsageError(f"status --diff looks at all links, not at '{link}' alone", hint="leave the link out")
        return _compare(ask.read("diff"), json)
    answer = of_link(ask.read("status"), link)
    if json:
        output.as_json(answer)
    elif not answer["links"]:
        output.line(NO_LINKS)
    else:
        from gpiomux.stats import applied, report

        output.line(report.daemon_line(answer))
        output.line(applied.applied_lines(answer) + "\n")
        output.tables(report.status_tables(answer))
    return 0


def of_link(answer: dict[str, Any], link: str | None) -> dict[str, Any]:
    """What an answer tells of one link, or, if none is named, all of it.

    Raises:
        UsageError: there is no such link.
    """
    if link is None:
        return answer
    found = [each for each in answer["links"] if each["name"] == link]
    if not found:
        names = ", ".join(each["name"] for each in answer["links"])
        raise UsageError(f"there is no link '{link}'", hint=f"have: {names}" if names else NO_LINKS)
    return {**answer, "links": found}


def history(json: bool) -> int:
    """Print what was applied, the running configuration first.

    Raises:
        DaemonError: neither a daemon nor the machine could be asked.
    """
    answer = ask.read("history")
    if json:
        output.as_json(answer)
    elif not answer["records"]:
        output.line("nothing was applied since boot")
    else:
        from gpiomux.stats import applied

        output.tables([applied.history_table(answer)])
    return 0


def info(link: str, json: bool) -> int:
    """Print what one link is made of.

    Raises:
        GpiomuxError: there is no such link, or nobody could be asked.
    """
    answer = ask.read("info", {"link": link})
    if json:
        output.as_json(answer)
    else:
        from gpiomux.stats import info

        for line in info.info_lines(answer):
            output.line(line)
    return 0


def chips(json: bool) -> int:
    """Print the GPIO chips of the machine.

    Raises:
        GpiomuxError: nobody could be asked, or the chips cannot be looked at.
    """
    answer = ask.read("chips")
    if json:
        output.as_json(answer)
    elif not answer["chips"]:
        output.line("this machine shows no GPIO chip")
    else:
        from gpiomux.stats import report

        output.tables(report.chips_tables(answer))
    return 0


def show_xdp(interface: str | None, json: bool) -> int:
    """Print the XDP programs of interfaces, whoever has attached them.

    Raises:
        UsageError: there is no such interface.
        GpiomuxError: nobody could be asked, or the interfaces cannot be looked at.
    """
    answer = ask.read("xdp show", {"interface": interface or ""})
    if json:
        output.as_json(answer)
    elif not answer["interfaces"]:
        output.line(NO_LINKS)
    else:
        from gpiomux.stats import xdp

        output.tables([xdp.programs_table(answer)])
    return 0


def _compare(answer: dict[str, Any], json: bool) -> int:
    """Print a plan that nobody performs."""
    if json:
        output.as_json(answer)
    else:
        output.changes(answer, sys.stdout)
    return CHANGES if answer["operations"] else 0


def _faults(error: ConfigError) -> list[dict[str, Any]]:
    return [fault.plain() for fault in error.faults]


def _size(config: Config) -> str:
    links, children = len(config.links), sum(len(link.children) for link in config.links)
    text = f"{links} link{'s' if links != 1 else ''}"
    return f"{text}, {children} child{'ren' if children != 1 else ''}" if children else text
