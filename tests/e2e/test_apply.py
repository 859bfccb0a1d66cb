"""What apply, plan, validate, show and down do to a machine, and what they leave alone."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests import namespaces, traffic
from tests.e2e.host import ROOT, RUN_DIRECTORY, Host, links_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.netns

TWO_LINKS = "configs/two-links.yaml"
BAD = links_file().replace("mode: net_hdr", "mode: nethdr", 1)


def machine(host: Host) -> dict[str, object]:
    """Everything about the machine that gpiomux could change."""
    questions = (("-details", "link"), ("addr",), ("route", "show", "table", "all"), ("-6", "route"), ("rule",))
    networks: dict[str, object] = {}
    for netns in (None, *sorted(namespaces.network_names())):
        networks[str(netns)] = [json.loads(host.run("ip", "-json", *words, netns=netns) or "[]") for words in questions]
    files = sorted(str(path) for path in RUN_DIRECTORY.rglob("*")) if RUN_DIRECTORY.exists() else None
    return {"networks": networks, "files": files, "processes": namespaces.child_processes()}


class Monitor:
    """`ip monitor all` in one network namespace: what the kernel announces there between two events of ours."""

    OURS = "192.0.2."
    """Addresses for documentation (RFC 5737)."""

    def __init__(self, host: Host, netns: str | None, log: Path) -> None:
        self._host, self._netns, self._log = host, netns, log
        prefix = [] if netns is None else ["ip", "netns", "exec", netns]
        with log.open("w") as file:
            self._process = subprocess.Popen([*prefix, "ip", "monitor", "all"], stdout=file)

    def __enter__(self) -> Monitor:
        self._poke(f"{self.OURS}1")  # the monitor listens once it shows this
        self._start = len(self._log.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def events(self) -> list[str]:
        """What was announced since the block was entered."""
        self._poke(f"{self.OURS}2")
        lines = self._log.read_text()[self._start :].splitlines()
        return [line for line in lines if line.strip() and self.OURS not in line and "valid_lft" not in line]

    def _poke(self, address: str) -> None:
        """Make an event that no gpiomux would make until the monitor has shown it."""

        def seen() -> bool:
            self._host.run("ip", "address", "replace", f"{address}/32", "dev", "lo", netns=self._netns)
            return address in self._log.read_text()

        self._host.wait_for(seen, f"the monitor shows {address}")


@pytest.mark.parametrize("file", [TWO_LINKS, "configs/three-modes.yaml"])
def test_the_second_apply_changes_nothing(host: Host, tmp_path: Path, file: str) -> None:
    host.gpiomux("apply", file)
    host.wait_for_carrier()
    before, places = host.datapaths(), (None, *sorted(namespaces.network_names()))
    for netns in places:
        wait_for_addresses(host, netns)
    with ExitStack() as stack:
        monitors = [stack.enter_context(Monitor(host, netns, tmp_path / f"monitor-{netns}")) for netns in places]
        plan = host.ask("plan", file)
        assert (plan.exit_status, plan.output) == (0, "nothing to do\n")
        assert host.gpiomux("apply", file) == "nothing to do\n"
        assert [monitor.events() for monitor in monitors] == [[] for _ in places]
    assert host.datapaths() == before


def wait_for_addresses(host: Host, netns: str | None) -> None:
    """Wait until the kernel has found no duplicate of any IPv6 address (RFC 4862): that is an event of its own."""
    host.wait_for(lambda: "tentative" not in host.run("ip", "-6", "addr", netns=netns), "addresses are settled")


def test_plan_prints_what_apply_performs(host: Host) -> None:
    plan = host.ask("plan", TWO_LINKS)
    assert plan.exit_status == 2
    assert host.gpiomux("apply", TWO_LINKS) == plan.output
    assert "+ " in plan.output


def test_show_prints_what_apply_accepts(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.gpiomux("add-child", "geth0", "child1")
    host.gpiomux("add-mark", "child1", "7")
    shown = host.gpiomux("show")
    assert host.ask("plan", host.file(shown)).exit_status == 0
    host.gpiomux("down")
    host.apply(shown)
    assert host.gpiomux("show") == shown
    assert host.link("geth0")["children"][0]["marks"] == [7]


@pytest.mark.parametrize(
    ("words", "exit_status"),
    [
        (("validate", TWO_LINKS), 0),
        (("plan", TWO_LINKS), 2),
        (("show",), 0),
        (("status",), 0),
        (("stats",), 0),
        (("down",), 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_reading_changes_nothing_on_a_machine_without_links(
    host: Host, words: tuple[str, ...], exit_status: int
) -> None:
    before = machine(host)
    assert host.ask(*words).exit_status == exit_status
    assert machine(host) == before


@pytest.mark.parametrize("verb", ["validate", "plan", "apply"])
def test_a_bad_file_changes_nothing(host: Host, verb: str) -> None:
    before = machine(host)
    answer = host.ask(verb, host.file(BAD))
    assert answer.exit_status == (1 if verb == "plan" else 2)
    assert "links.yaml:2:" in answer.errors
    assert "links[0].mode" in answer.errors
    assert "did you mean" in answer.errors
    assert machine(host) == before


def test_reading_and_bad_files_change_nothing_on_a_running_machine(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.wait_for_carrier()
    before, datapaths = machine(host), host.datapaths()
    changed = host.file((ROOT / TWO_LINKS).read_text().replace("10.10.0.1/24", "10.10.0.9/24"))
    for words in (("validate", changed), ("plan", changed), ("show",), ("status",), ("stats",)):
        host.ask(*words)
    assert host.ask("apply", host.file(BAD)).exit_status == 2
    assert (without_counters(machine(host)), host.datapaths()) == (without_counters(before), datapaths)


def without_counters(value: object) -> object:
    """The same without what changes by itself: packet counters and remaining lifetimes."""
    if isinstance(value, dict):
        return {key: without_counters(entry) for key, entry in value.items() if key not in ("stats64", "expires")}
    return [without_counters(entry) for entry in value] if isinstance(value, list) else value


def test_a_changed_file_changes_only_what_differs(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.wait_for_carrier()
    before = host.datapaths()
    text = (ROOT / TWO_LINKS).read_text().replace("10.10.0.1/24", "10.10.0.9/24")
    output = host.apply(text)
    assert "10.10.0.9/24" in output
    assert host.datapaths() == before
    (interface,) = json.loads(host.run("ip", "-json", "-4", "addr", "show", "geth0"))
    assert [address["local"] for address in interface["addr_info"]] == ["10.10.0.9"]
    with namespaces.inside("far"):
        assert traffic.echo("10.10.0.9", (0, 1000)).wrong == []


def test_three_modes_carry(host: Host) -> None:
    host.gpiomux("apply", "configs/three-modes.yaml")
    host.wait_for_carrier()
    assert {link["mode"] for link in host.status()["links"]} == {"eth", "net_hdr", "raw"}


def test_a_foreign_interface_is_in_the_way(host: Host) -> None:
    """What is not tagged as ours is never touched; the conflict is found before anything is done."""
    host.run("ip", "tuntap", "add", "geth0", "mode", "tun")
    before = machine(host)
    answer = host.ask("apply", TWO_LINKS)
    assert answer.exit_status == 1
    assert "geth0" in answer.errors
    after = machine(host)
    assert after["networks"] == before["networks"]
    host.ask("down")
    assert "geth0" in namespaces.interfaces()


def test_down_of_one_link_leaves_the_other(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    host.wait_for_carrier()
    before = host.datapaths()
    host.gpiomux("down", "geth1")
    assert network_of_far() == set()
    assert host.datapaths() == {"geth0": before["geth0"]}
    host.wait_for(lambda: not host.link("geth0")["carrier"], "geth0 loses its carrier")
    assert host.link("geth0")["reason"]


def network_of_far() -> set[str]:
    """`far` if it is there: it goes with the last link in it."""
    return namespaces.network_names() & {"far"}


def test_down_leaves_nothing(host: Host) -> None:
    before = machine(host)
    host.gpiomux("apply", "configs/three-modes.yaml")
    host.gpiomux("down")
    host.wait_for(lambda: not namespaces.child_processes(), "every process has ended")
    assert machine(host) == before
    assert not RUN_DIRECTORY.exists()


def test_a_name_that_does_not_exist(host: Host) -> None:
    host.gpiomux("apply", TWO_LINKS)
    for words in (("down", "nolink"), ("add-child", "nolink", "c"), ("del-child", "c"), ("add-mark", "c", "7")):
        answer = host.ask(*words)
        assert answer.exit_status == 2
        assert ("nolink" in answer.errors) or ("'c'" in answer.errors)
