"""gpiomux.cli.show: the verbs that read, against a daemon that speaks the real protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.errors import ConfigError, Fault, GpiomuxError, UsageError
from tests.cli import answers
from tests.cli.commands import on_terminal
from tests.cli.fake_daemon import plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

GOOD = """\
links:
  - {name: geth0, mode: net_hdr, medium: sim, wire: w, protocol: {reader: 0x12, writer: 0x8}}
  - name: geth1
    mode: net_hdr
    medium: sim
    wire: w
    protocol: {reader: 0x8, writer: 0x12}
    children: [{name: child1, marks: [7]}]
"""
BAD = "links:\n  - {name: geth0, moode: eth}\n"


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return str(path)


def test_validate_says_what_is_in_a_good_file(run: Run, good: str) -> None:
    assert run("validate", good) == (0, f"{good}: valid, 2 links, 1 child\n", "")


def test_validate_lists_every_fault_of_a_bad_file(run: Run, bad: str) -> None:
    status, out, err = run("validate", bad)
    assert (status, out) == (2, "")
    assert f"{bad}:2:19: links[0].moode: " in err
    assert "did you mean" in err
    faults = err.count(f"{bad}:")
    assert faults > 1
    assert err.endswith(f"gpiomux: {faults} faults in the configuration\n")


def test_validate_as_json_has_the_faults_in_its_output(run: Run, bad: str, good: str) -> None:
    status, out, err = run("validate", "--json", bad)
    answer = json.loads(out)
    assert (status, err, answer["file"], answer["valid"]) == (2, "", bad, False)
    assert {(fault["path"], fault["line"]) for fault in answer["faults"]} >= {("links[0].moode", 2)}
    status, out, err = run("validate", "--json", good)
    assert (status, json.loads(out), err) == (0, {"file": good, "valid": True, "faults": []}, "")


PLANNED = plan("+ interface geth0 (tun)", "~ interface geth1 (tun): mtu 1500 -> 1400")


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (PLANNED, 2, "+ interface geth0 (tun)\n~ interface geth1 (tun): mtu 1500 -> 1400\n"),
        (plan(), 0, "nothing to do\n"),
    ],
)
def test_plan_prints_operations_and_tells_by_its_status(
    run: Run, daemon: FakeDaemon, good: str, answer: dict[str, Any], status: int, text: str
) -> None:
    daemon.answers["plan"] = answer
    assert run("plan", good) == (status, text, "")
    assert daemon.requests[0].args == {"text": GOOD, "file": good, "path": good, "reset_overlay": False}
    status_json, out, err = run("plan", "--json", good)
    assert (status_json, json.loads(out), err) == (status, answer, "")


@pytest.mark.parametrize(
    "error",
    [
        GpiomuxError("geth0: failed"),
        ConfigError((Fault(file="good.yaml", line=1, column=1, path="", message="is bad"),)),
    ],
)
def test_an_error_of_plan_is_never_taken_for_changes(
    run: Run, daemon: FakeDaemon, good: str, error: GpiomuxError
) -> None:
    daemon.answers["plan"] = error
    status, out, err = run("plan", good)
    assert (status, out) == (1, "")
    assert err.endswith(f"gpiomux: {error}\n")


def test_a_wrong_command_line_of_plan_is_not_taken_for_changes(run: Run) -> None:
    assert run("plan").status == 1
    assert run("plan", "/nonexistent").status == 1


def test_status_shows_a_table_for_each_link(run: Run, daemon: FakeDaemon) -> None:
    reason, interface = "peer writes 0x8, this link reads 0xc", {"name": "geth1"}
    second = answers.link_status(name="geth1", carrier=False, reason=reason, children=[], interface=interface)
    daemon.answers["status"] = answers.status(answers.link_status(), second)
    status, out, err = run("status")
    assert (status, err) == (0, "")
    assert out == (
        "gpiomuxd 0.1.0, pid 4120, up 2 min\n"
        "/etc/l.yaml, applied by root 2001-09-09 01:46:40\n"
        "\n"
        "geth0: carrier\n"
        "  mode          net_hdr, mtu 1500\n"
        "  medium        sim, wire cable0\n"
        "  interface     up, 10.10.0.1/24\n"
        "  peer          net_hdr, mtu 1500, reads 0x8, writes 0x12, epoch 0xbeef\n"
        "  traffic       in 1.0 kbit/s, out 0 bit/s, in the last 4 s; 1 errors, 0 dropped\n"
        "  lines         asleep, 2 interrupts, 900 polls, words in 300, out 301\n"
        "  marks         bpf-tcx\n"
        "  datapath      pid 4242, up 1 min 5 s\n"
        "  child child1  mark 7, up\n"
        "\n"
        "geth1: no carrier: peer writes 0x8, this link reads 0xc\n"
        "  mode       net_hdr, mtu 1500\n"
        "  medium     sim, wire cable0\n"
        "  interface  up, 10.10.0.1/24\n"
        "  peer       net_hdr, mtu 1500, reads 0x8, writes 0x12, epoch 0xbeef\n"
        "  traffic    in 1.0 kbit/s, out 0 bit/s, in the last 4 s; 1 errors, 0 dropped\n"
        "  lines      asleep, 2 interrupts, 900 polls, words in 300, out 301\n"
        "  marks      bpf-tcx\n"
        "  datapath   pid 4242, up 1 min 5 s\n"
    )


def test_status_tells_what_was_changed_and_what_waits(run: Run, daemon: FakeDaemon) -> None:
    edits = [{"verb": "add-mark", "args": {"child": "a", "mark": 7}}, {"verb": "del-child", "args": {"child": "b"}}]
    daemon.answers["status"] = answers.status(
        answers.link_status(), path="", overlay=edits, pending={"remaining_s": 42.3}, half_done=True
    )
    assert run("status").out.split("\n\n")[0].splitlines()[1:] == [
        "l.yaml, applied by root 2001-09-09 01:46:40",
        "changed since: add-mark a 7; del-child b",
        "taken back in 42 s, unless 'gpiomux confirm' comes before",
        "a change was not ended; 'gpiomux status --diff' shows what is left of it",
    ]


@pytest.mark.parametrize(
    ("answer", "status", "text"), [(plan("+ address 10.0.0.1/24 on geth0"), 2, None), (plan(), 0, "nothing to do\n")]
)
def test_status_diff_is_a_plan(
    run: Run, daemon: FakeDaemon, answer: dict[str, Any], status: int, text: str | None
) -> None:
    daemon.answers["diff"] = answer
    assert run("status", "--diff") == (status, text or "+ address 10.0.0.1/24 on geth0\n", "")
    status_json, out, _ = run("status", "--diff", "--json")
    assert (status_json, json.loads(out)) == (status, answer)


def test_status_of_one_link(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["status"] = answers.status(answers.link_status(), answers.link_status(name="geth1"))
    exit_status, out, _ = run("status", "geth1", "--json")
    assert (exit_status, [link["name"] for link in json.loads(out)["links"]]) == (0, ["geth1"])
    assert "geth0: " not in run("status", "geth1").out
    assert run("status", "geth7") == (2, "", "gpiomux: there is no link 'geth7'\n  hint: have: geth0, geth1\n")
    exit_status, out, errors = run("status", "--diff", "geth1")
    assert (exit_status, out) == (1, "")
    assert "status --diff looks at all links, not at 'geth1' alone" in errors


def test_an_error_of_status_diff_is_never_taken_for_a_difference(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["diff"] = UsageError("geth0: gone")
    daemon.answers["status"] = UsageError("geth0: gone")
    assert run("status", "--diff").status == 1
    assert run("status").status == 2
    assert run("status", "--diff", "--wrong").status == 1


def test_history_is_a_table_with_the_numbers_of_rollback(run: Run, daemon: FakeDaemon) -> None:
    records = [
        {"back": 0, **answers.origin(cause="rollback"), "links": ["geth0", "geth1"]},
        {"back": 1, **answers.origin(path="", file="<stdin>"), "links": ["geth0"]},
        {"back": 2, **answers.origin(path="", file="", cause="down"), "links": []},
    ]
    daemon.answers["history"] = {"records": records}
    assert run("history") == (
        0,
        "applied since boot\n"
        "  back  when                 who   how          file         links\n"
        "     0  2001-09-09 01:46:40  root  rolled back  /etc/l.yaml  geth0, geth1\n"
        "     1  2001-09-09 01:46:40  root  applied      <stdin>      geth0\n"
        "     2  2001-09-09 01:46:40  root  taken down   no file      none\n",
        "",
    )
    assert json.loads(run("history", "--json").out) == {"records": records}
    daemon.answers["history"] = {"records": []}
    assert run("history") == (0, "nothing was applied since boot\n", "")


def test_status_on_a_terminal_is_coloured_and_says_the_same(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["status"] = answers.status(answers.link_status())
    plain = run("status").out
    status, shown = on_terminal("status")
    assert status == 0
    assert "\x1b[1;32mcarrier\x1b[0m" in shown or "\x1b[1;32m  carrier\x1b[0m" in shown
    for word in plain.replace(":", "").split():
        assert word in shown.replace(":", "")


def test_chips_show_tables(run: Run, daemon: FakeDaemon) -> None:
    line = {"offset": 0, "name": "", "direction": "input", "active_low": False, "used": False, "consumer": ""}
    held = {**line, "offset": 1, "name": "A", "direction": "output", "active_low": True, "used": True}
    chip = {"node": "/dev/gpiochip3", "label": "soc", "link": None, "lines": [{**line, "link": None}]}
    chip["lines"] = [{**line, "link": None}, {**held, "consumer": "gpiomux-g0", "link": "g0"}, {**held, "link": None}]
    daemon.answers["chips"] = {"chips": [chip, {**chip, "node": "/dev/gpiochip4", "link": "g0", "lines": []}]}
    assert run("chips") == (
        0,
        "gpiochip3 [soc]\n"
        "  line  name  direction           consumer    link\n"
        "     0  -     input               -           -\n"
        "     1  A     output, active low  gpiomux-g0  g0\n"
        "     1  A     output, active low  unknown     -\n"
        "\n"
        "gpiochip4 [soc]: chip of g0\n"
        "  line  name  direction  consumer  link\n",
        "",
    )
    assert json.loads(run("chips", "--json").out) == daemon.answers["chips"]


def test_a_machine_without_chips(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["chips"] = {"chips": []}
    assert run("chips") == (0, "this machine shows no GPIO chip\n", "")


@pytest.mark.parametrize("verb", ["status", "stats", "show"])
def test_json_is_the_answer_itself(run: Run, daemon: FakeDaemon, verb: str) -> None:
    daemon.answers["status"] = answers.status(answers.link_status())
    daemon.answers["stats"] = {"links": [answers.link_stats()]}
    daemon.answers["show"] = {"config": {"links": []}}
    status, out, err = run(verb, "--json")
    told = daemon.answers[verb]
    assert isinstance(told, dict)
    assert (status, json.loads(out), err) == (0, told["config"] if verb == "show" else told, "")


@pytest.mark.parametrize("verb", ["status", "stats"])
def test_no_links_is_no_error(run: Run, daemon: FakeDaemon, verb: str) -> None:
    daemon.answers[verb] = {"daemon": None, "links": []}
    assert run(verb) == (0, "no links are running\n", "")


def test_show_without_links_is_a_file_that_wants_nothing(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["show"] = {"config": {"links": []}}
    assert run("show") == (0, "# no links are running\nlinks: []\n", "")


def test_show_prints_yaml(run: Run, daemon: FakeDaemon) -> None:
    link = {"name": "geth0", "protocol": {"reader": 18, "writer": 8}, "addresses": ["10.10.0.1/24"]}
    daemon.answers["show"] = {"config": {"links": [link]}}
    assert run("show") == (
        0,
        "links:\n  - name: geth0\n    protocol: {reader: 0x12, writer: 0x8}\n    addresses: [10.10.0.1/24]\n",
        "",
    )


def test_info_is_lines_of_key_and_value(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["info"] = answers.link_info()
    status, out, err = run("info", "geth0")
    assert (status, err) == (0, "")
    assert out.startswith("driver: gpiomux\nversion: 0.1.0\ninterface: geth0 (tun)\n")
    assert daemon.requests[0].args == {"link": "geth0"}
    assert json.loads(run("info", "geth0", "--json").out) == daemon.answers["info"]
