"""`gpiomux doctor` on a machine on which one thing after another is broken: it finds that thing, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import gpiod
import pytest

from tests.e2e.host import GPIOMUX, PATIENCE_S, RUN_DIRECTORY
from tests.kernel import chips, modem
from tests.kernel.chips import two_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

FORBID = (sys.executable, str(Path(__file__).with_name("forbid.py")))
TUN = Path("/dev/net/tun")
CONFIGFS = Path("/sys/kernel/config")
CLERK = 65534
CLERK_CAPS = ("net_admin", "sys_admin", "chown", "fowner", "net_raw", "bpf", "perfmon", "dac_read_search")
"""With these a user who is not root can keep links: who may write where, is up to the files."""
WHOLE = two_links()

OUT_OF_SIGHT = [("machine", "shared lines")] + [
    (link, subject) for link in ("geth0", "geth1") for subject in ("lines", "users of lines", "interrupts")
]
"""What nobody can tell who does not see the lines."""

Findings = dict[tuple[str, str], str]
"""State by what it is about and its subject."""


def examined(*prefix: str, text: str = WHOLE, environment: Mapping[str, str] | None = None) -> Findings:
    """What the doctor says, and what its exit status says of that; `unknown` ones are no findings of their own."""
    command = [*prefix, str(GPIOMUX), "doctor", "-", "--json"]
    world = {**os.environ, **(environment or {})}
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=PATIENCE_S * 2, env=world)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    findings = {(it["about"], it["subject"]): it["state"] for it in answer["findings"]}
    assert len(findings) == len(answer["findings"]), "a subject stands once"
    wrong = any(state not in ("ok", "not needed") for state in findings.values())
    assert (done.returncode, answer["ok"]) == (int(wrong), not wrong)
    for it in answer["findings"]:
        assert it["cause"]
        assert bool(it["remedy"]) == (it["state"] == "problem")
    return findings


def only(
    broken: Findings, healthy: Findings, *problems: tuple[str, str], unknown: Iterable[tuple[str, str]] = ()
) -> None:
    """These are the problems, those cannot be told because of them, and all else is as it was."""
    assert broken == {**healthy, **dict.fromkeys(problems, "problem"), **dict.fromkeys(unknown, "unknown")}


@pytest.fixture(scope="module")
def healthy() -> Findings:
    """On a machine on which nothing is broken."""
    findings = examined()
    assert set(findings.values()) == {"ok", "not needed"}
    return findings


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        away.rename(path)


@contextmanager
def mode_of(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


def test_what_a_whole_machine_is_told(host: Host, healthy: Findings) -> None:
    """In words, for a pipe; and again while the links run, when gpiomuxd looks."""
    text = host.gpiomux("doctor", host.file(WHOLE))
    assert text.startswith("machine: ok\n  gpiomuxd")
    assert "all 20 are there, on null-modem.0" in text
    assert len(text.splitlines()) == len(healthy) + 3 + 2
    host.apply(WHOLE)
    running = examined()
    assert {key for key, state in running.items() if state != healthy[key]} == {("machine", "gpiomuxd")}
    assert running["machine", "gpiomuxd"] == "ok"


def test_configfs_that_is_not_mounted(host: Host, healthy: Findings) -> None:
    host.run("umount", str(CONFIGFS))
    try:
        only(examined(), healthy, ("machine", "configfs"))
    finally:
        host.run("mount", "-t", "configfs", "none", str(CONFIGFS))


def test_a_tun_device_that_is_not_there_or_another(host: Host, healthy: Findings) -> None:
    with moved_away(TUN):
        only(examined(), healthy, ("machine", "tun"))
        os.mknod(TUN, 0o20666, os.makedev(1, 3))
        only(examined(), healthy, ("machine", "tun"))


@pytest.mark.parametrize(
    ("replaced", "by", "subject"),
    [
        ("null-modem.1,", "pinctrl-rp1,", "lines"),
        ('null-modem.1, offsets: "0-9,16-25"', 'null-modem.1, offsets: "0-9,26-35"', "lines"),
        ('[{chip: null-modem.1, offsets: "0-9,16-25"}]', '[{chip: null-modem.1, offsets: "0-18"}, X7]', "lines"),
        ("netns: far", "netns: far, access: {group: nosuch}", "access"),
    ],
)
def test_a_file_that_does_not_fit_the_machine(
    host: Host, healthy: Findings, replaced: str, by: str, subject: str
) -> None:
    assert replaced in WHOLE
    unknown = [("geth1", "interrupts")] if subject == "lines" else []
    only(examined(text=WHOLE.replace(replaced, by)), healthy, ("geth1", subject), unknown=unknown)


def test_a_line_that_somebody_holds(host: Host, healthy: Findings) -> None:
    with gpiod.request_lines(str(modem.chip(1)), {3: None}, consumer="kettle"):
        only(examined(), healthy, ("geth1", "users of lines"))
        assert "line 3 of chip null-modem.1 is in use by kettle" in host.ask("doctor", host.file(WHOLE)).output


def test_lines_without_interrupts(host: Host, healthy: Findings) -> None:
    found = examined(*FORBID, "gpio-edges")
    only(found, healthy, ("geth0", "interrupts"), ("geth1", "interrupts"))


def test_asking_for_interrupts_leaves_free_inputs(host: Host, healthy: Findings) -> None:
    for label in modem.LABELS:
        assert chips.consumers(label) == set()
        assert not any(line.output for line in chips.chip(label).lines)


def test_a_namespace_in_whose_place_is_something_else(host: Host, healthy: Findings) -> None:
    place = Path("/run/netns/far")
    place.parent.mkdir(exist_ok=True)
    place.touch()
    try:
        only(examined(), healthy, ("geth1", "netns"))
    finally:
        place.unlink()


def test_a_record_that_is_damaged(host: Host, healthy: Findings) -> None:
    RUN_DIRECTORY.mkdir()
    try:
        (RUN_DIRECTORY / "state.json").write_text("{")
        only(examined(), healthy, ("machine", "record"))
    finally:
        shutil.rmtree(RUN_DIRECTORY)


def test_bpf_that_is_forbidden(host: Host, healthy: Findings) -> None:
    """A packet socket does as well, but for what the line says; without either there is no way for marks."""
    only(examined(*FORBID, "bpf"), healthy, ("machine", "bpf"))
    no_raw = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    found = examined(*no_raw)
    assert found == {**healthy, ("machine", "packet socket"): "not needed"}
    both = examined(*no_raw, *FORBID, "bpf")
    only(both, healthy, ("machine", "bpf"), ("machine", "packet socket"))


def test_root_without_a_capability(host: Host, healthy: Findings) -> None:
    found = examined("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    only(found, healthy, ("machine", "capabilities"))


def test_version_1_of_gpiod_in_front_on_the_path(
    host: Host, healthy: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpiod.py").write_text("class Chip:\n    def get_line(self, offset):\n        return None\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    found = examined(environment={"PYTHONPATH": path})
    only(found, healthy, ("machine", "gpiod"), unknown=OUT_OF_SIGHT)
    monkeypatch.setenv("PYTHONPATH", path)
    answer = host.ask("chips")
    assert (answer.exit_status, "take python3-libgpiod" in answer.errors) == (1, True)


class TestClerk:
    """A user who is not root and has what is needed; then not."""

    @pytest.fixture(autouse=True)
    def opened(self, host: Host) -> Iterator[None]:
        """The files are open to the clerk."""
        RUN_DIRECTORY.mkdir()
        os.chown(RUN_DIRECTORY, CLERK, CLERK)
        nodes = list(Path("/dev").glob("gpiochip*"))
        before = {node: node.stat().st_mode for node in nodes}
        for node in nodes:
            node.chmod(0o666)
        yield
        for node, mode in before.items():
            node.chmod(mode)
        shutil.rmtree(RUN_DIRECTORY)

    @staticmethod
    def clerk(*without: str) -> list[str]:
        kept = ",".join(f"+{name}" for name in CLERK_CAPS if name not in without)
        ids = (f"--reuid={CLERK}", f"--regid={CLERK}", "--clear-groups")
        return ["setpriv", *ids, f"--inh-caps=-all,{kept}", f"--ambient-caps=-all,{kept}"]

    def test_each_thing_that_is_closed(self, healthy: Findings) -> None:
        assert examined(*self.clerk()) == healthy
        with mode_of(TUN, 0o600):
            only(examined(*self.clerk()), healthy, ("machine", "tun"))
        os.chown(RUN_DIRECTORY, 0, 0)
        only(examined(*self.clerk()), healthy, ("machine", "run directory"))
        os.chown(RUN_DIRECTORY, CLERK, CLERK)
        bare = examined(*self.clerk("net_admin", "sys_admin", "bpf"))
        only(bare, healthy, ("machine", "capabilities"), unknown=[("machine", "bpf")])

    def test_a_chip_that_belongs_to_another_group(self, healthy: Findings) -> None:
        with mode_of(modem.chip(1), 0o660):
            found = examined(*self.clerk())
        only(found, healthy, ("machine", "gpio permissions"), unknown=OUT_OF_SIGHT)


def wiring(host: Host, text: str, links: str = "geth0,geth1") -> dict[str, str]:
    """The words on each line that is wrong, `geth1 in.data0` -> what."""
    answer = host.ask("doctor", host.file(text), "--wiring", links, "--json")
    assert answer.errors == ""
    told = json.loads(answer.output)
    assert answer.exit_status == (0 if told["ok"] else 1)
    assert len(told["findings"]) == 20
    return {f"{it['about']} {it['subject'].split()[0]}": it["cause"] for it in told["findings"] if it["state"] != "ok"}


def test_wires_and_what_is_wrong_with_them(host: Host) -> None:
    """Both ends by one command: whole, cut, pulled high, swapped."""
    assert wiring(host, WHOLE) == {}
    modem.cut(1 << 2)
    assert wiring(host, WHOLE) == {"geth1 in.data2": "never hears out.data2"}
    modem.cut(0)
    modem.pull_high(1 << 3)
    assert wiring(host, WHOLE) == {"geth1 in.data3": "is high all the time, and never hears out.data3"}
    modem.reset()
    near, far = WHOLE.split("  - {name: geth1")
    swapped = near + "  - {name: geth1" + far.replace("in: {data: [10, 11,", "in: {data: [11, 10,")
    assert swapped != WHOLE
    assert wiring(host, swapped) == {
        "geth1 in.data0": "hears out.data1 (line 1) of the far end instead of out.data0",
        "geth1 in.data1": "hears out.data0 (line 0) of the far end instead of out.data1",
    }
    for label in modem.LABELS:
        assert chips.consumers(label) == set()
        assert not any(line.output for line in chips.chip(label).lines)


def test_two_ends_that_know_nothing_of_each_other(host: Host) -> None:
    """As on two machines: each is a command of its own, and hears by calls what is wired to what."""
    path = host.file(two_links(width=1))
    ends = [
        subprocess.Popen(
            [str(GPIOMUX), "doctor", path, "--wiring", link, "--json", "--seconds", "90"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for link in ("geth0", "geth1")
    ]
    told = [end.communicate(timeout=PATIENCE_S * 3) for end in ends]
    assert [end.returncode for end in ends] == [0, 0], told
    for output, errors in told:
        assert "run the same at the other end now" in errors
        heard = {it["subject"].split()[0]: it["cause"] for it in json.loads(output)["findings"]}
        assert heard == {
            "in.data0": "hears out.data0 (line 0) of the far end",
            "in.req": "hears out.req (line 8) of the far end",
            "out.ack": "hears in.ack (line 9) of the far end",
        }


def test_lines_that_are_in_use_are_not_moved(host: Host) -> None:
    path = host.file(WHOLE)
    with gpiod.request_lines(str(modem.chip(0)), {3: None}, consumer="kettle"):
        answer = host.ask("doctor", path, "--wiring", "geth0")
    assert (answer.exit_status, answer.output) == (1, "")
    assert "line 3 of chip null-modem.0 is in use by kettle" in answer.errors
    host.apply(WHOLE)
    answer = host.ask("doctor", path, "--wiring", "geth0,geth1")
    assert (answer.exit_status, answer.output) == (1, "")
    assert "link geth0 runs" in answer.errors
    assert "gpiomux down geth0" in answer.errors
    assert host.link("geth0")["carrier"]
