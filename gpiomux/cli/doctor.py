"""The verb `doctor`: what links need of this machine, line by line, and with `--wiring` what is wired to what.

The machine is looked at by whoever would make the links, because only there it shows what that one may do: the running
gpiomuxd, or where there is none, or none that answers, a one-shot of it with the rights of this user. The wires are
moved by this process itself, so that nothing of it remains when it ends, however it ends.
"""

from __future__ import annotations

from gpiomux.cli import ask, output
from gpiomux.errors import ConflictError, DaemonError, ProtocolError, UsageError
from gpiomux.rundir import RunDir, control_socket
from gpiomux.version import VERSION

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    Finding = dict[str, Any]
    Answer = dict[str, Any]

WRONG = 1
"""Exit status when something is wrong, or could not be told."""
PATIENCE_S = 15.0
"""How long gpiomuxd may take to answer before it counts as hanging."""
WIRING_S = 60
"""How long the other end is waited for."""


def doctor(file: str | None, json: bool, wiring: str | None, seconds: int | None) -> int:
    """Print what was found; 1 if something is wrong.

    Raises:
        ConfigError: the file has faults.
        UsageError: it cannot be read, or names no such link.
        GpiomuxError: nobody can look at the machine, or the lines cannot be moved.
    """
    text, name = ask.read_text(file) if file is not None else ("", "")
    if wiring is not None:
        return _tell(_wiring(text, name, wiring, seconds or WIRING_S), json)
    path = ask.path_of(file) if file is not None else ""
    if seconds is not None:
        raise UsageError("--seconds goes with --wiring", hint="see gpiomux doctor --help")
    daemon, answer = _examined({"text": text, "file": name, "path": path})
    return _tell([daemon, *answer["findings"]], json)


def _examined(args: dict[str, str]) -> tuple[Finding, Answer]:
    """What is to be said of gpiomuxd, and what it has found, or a one-shot in its place."""
    from gpiomux.control import client

    try:
        with client.connect_to(control_socket(), PATIENCE_S) as running:
            answer = running.ask("doctor", args)
            return _of_daemon(answer), answer
    except (DaemonError, ProtocolError) as error:  # the latter from one that is too old to know the verb
        absent = isinstance(error.__cause__, (FileNotFoundError, ConnectionRefusedError))
        said = (
            _finding("not needed", "it does not run; gpiomux apply starts it, with the rights of who asks")
            if absent
            else _finding("problem", error.message, error.hint)
        )
    with client.one_shot(RunDir.from_environment()) as asked:
        return said, asked.ask("doctor", args)


def _of_daemon(answer: Answer) -> Finding:
    who = f"process {answer['pid']}, user {answer['user']}"
    if answer["version"] == VERSION:
        return _finding("ok", f"version {VERSION} answers, {who}")
    remedy = f"restart it (kill {answer['pid']}, then gpiomux apply): the links run on meanwhile"
    return _finding("problem", f"version {answer['version']} runs ({who}), and this is {VERSION}", remedy)


def _finding(state: str, cause: str, remedy: str = "") -> Finding:
    return {"about": "machine", "subject": "gpiomuxd", "state": state, "cause": cause, "remedy": remedy}


def _wiring(text: str, name: str, words: str, seconds: int) -> list[Finding]:
    from gpiomux.config.load import load_text
    from gpiomux.doctor.wiring import check_wiring  # late: imports gpiod

    if not name:
        raise UsageError("--wiring needs FILE", hint="gpiomux doctor FILE --wiring LINK")
    config = load_text(text, name, ask.path_of(name))
    links = words.split(",")
    if len(links) > 2 or len(set(links)) < len(links):
        raise UsageError(f"--wiring {words}: a wire has two ends", hint="--wiring LINK, or --wiring LINK,FAR_LINK")
    _require_down(links)
    return [finding.plain() for finding in check_wiring(config, links, seconds, tell=output.note)]


def _require_down(links: list[str]) -> None:
    """Refuse to move the lines of a link that runs.

    Raises:
        ConflictError: one runs.
    """
    running = {link["name"] for link in ask.read("status")["links"]}
    busy = [link for link in links if link in running]
    if busy:
        raise ConflictError(
            f"link {busy[0]} runs: its lines are in use", hint=f"gpiomux down {' '.join(busy)}, and once more"
        )


def _tell(findings: list[Finding], json: bool) -> int:
    wrong = [finding for finding in findings if finding["state"] not in ("ok", "not needed")]
    if json:
        output.as_json({"ok": not wrong, "findings": findings})
    else:
        from gpiomux.stats.findings import findings_tables

        output.tables(findings_tables(findings))
    return WRONG if wrong else 0
