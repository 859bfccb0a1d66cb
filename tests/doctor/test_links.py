"""The checks of what one link needs, on a machine that lacks it."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.config.load import load_text
from gpiomux.doctor import links
from gpiomux.doctor.examine import examine
from gpiomux.doctor.finding import State
from gpiomux.errors import MachineError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gpiomux.config.model import Config
    from gpiomux.doctor.finding import Finding
    from tests.doctor.fake_machine import FakeMachine

REAL = """
links:
  - name: geth0
    mode: net_hdr
    medium: gpio
    protocol: {reader: 1, writer: 2}
    lines:
      from: [{chip: one, offsets: "4-6"}, {chip: two, offsets: [9, 3]}, one-20]
      out: {data: [0], req: 1, ack: 5}
      in: {data: [2], req: 4, ack: 3}
"""
"""Edges are waited for on line 4 of its chip, line 3 of `two`, and on line 5, line 20 of `one`."""


def config() -> Config:
    return load_text(REAL, "test.yaml")


def found(machine: FakeMachine, subject: str, wanted: Config | None = None, about: str = "geth0") -> Finding:
    """What all checks together say of one subject."""
    (finding,) = (it for it in examine(machine, wanted or config()) if (it.about, it.subject) == (about, subject))
    return finding


def change_line(machine: FakeMachine, label: str, offset: int, **values: Any) -> None:
    machine.kernel.chips = tuple(
        replace(chip, lines=tuple(replace(it, **values) if it.offset == offset else it for it in chip.lines))
        if chip.label == label
        else chip
        for chip in machine.kernel.chips
    )


def test_a_link_that_lacks_nothing(machine: FakeMachine) -> None:
    findings = examine(machine, config())
    assert {it.state for it in findings} == {State.OK, State.NOT_NEEDED}
    assert "all 6 are there, on one, two" in found(machine, links.LINES).cause
    assert sorted(machine.kernel.asked[:2]) == [("one", 20), ("two", 3)]
    subjects = [(it.about, it.subject) for it in findings]
    assert len(set(subjects)) == len(subjects)


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("chip: two", "chip: three", "no chip is labelled three; labels here: one, two"),
        ("[9, 3]", "[9, 32]", "chip two has no line 32, only 0..31"),
        ("one-20", "seven", "no line is named seven"),
    ],
)
def test_lines_that_are_not_there(machine: FakeMachine, old: str, new: str, cause: str) -> None:
    wanted = load_text(REAL.replace(old, new), "x")
    lines = found(machine, links.LINES, wanted)
    assert (lines.state, lines.cause) == (State.PROBLEM, cause)
    assert found(machine, links.USERS, wanted).state is State.OK
    assert found(machine, links.INTERRUPTS, wanted).state is State.UNKNOWN


def test_lines_of_a_device(machine: FakeMachine) -> None:
    source = 'from: [{chip: one, offsets: "4-6"}, {chip: two, offsets: [9, 3]}, one-20]'
    wanted = load_text(REAL.replace(source, "device: gate"), "x")
    assert found(machine, links.LINES, wanted).state is State.PROBLEM
    (machine.roots.devices / "gate").mkdir(parents=True)
    assert found(machine, links.LINES, wanted).state is State.OK
    assert found(machine, links.INTERRUPTS, wanted).state is State.NOT_NEEDED


def test_lines_that_somebody_holds(machine: FakeMachine) -> None:
    change_line(machine, "one", 4, used=True, consumer="kettle")
    change_line(machine, "two", 9, used=True, consumer="gpio-aggregator.3")
    machine.kernel.holders = {"gpio-aggregator.3": "geth7"}
    users = found(machine, links.USERS)
    assert users.state is State.PROBLEM
    assert "line 4 of chip one is in use by kettle" in users.cause
    assert "line 9 of chip two is in use by gpio-aggregator.3 (link geth7)" in users.cause
    assert found(machine, links.INTERRUPTS).state is State.OK


@pytest.mark.parametrize("consumer", ["gpio-aggregator.3", "gpiomux-geth0"])
def test_lines_that_are_the_links_own(machine: FakeMachine, consumer: str) -> None:
    machine.kernel.holders = {"gpio-aggregator.3": "geth0"}
    for label, offset in (("one", 4), ("two", 3), ("one", 20)):
        change_line(machine, label, offset, used=True, consumer=consumer)
    assert "this link has them" in found(machine, links.USERS).cause
    assert found(machine, links.INTERRUPTS).state is State.OK
    assert machine.kernel.asked == []


def test_a_line_to_wait_for_that_somebody_holds(machine: FakeMachine) -> None:
    change_line(machine, "two", 3, used=True, consumer="kettle")
    assert found(machine, links.INTERRUPTS).state is State.UNKNOWN
    assert machine.kernel.asked == []


def test_lines_without_interrupts(machine: FakeMachine) -> None:
    machine.kernel.uninterrupted = {("two", 3): "No such device or address"}
    interrupts = found(machine, links.INTERRUPTS)
    assert (interrupts.state, "line 3 of chip two: No such device" in interrupts.cause) == (State.PROBLEM, True)
    busy = load_text(REAL + "    poll: busy\n", "x")
    assert found(machine, links.INTERRUPTS, busy).state is State.NOT_NEEDED


def test_an_interrupt_that_cannot_be_asked_for(machine: FakeMachine) -> None:
    machine.kernel.uninterrupted = {("two", 3): MachineError("somebody was faster", errno=errno.EBUSY)}
    interrupts = found(machine, links.INTERRUPTS)
    assert (interrupts.state, interrupts.cause) == (State.PROBLEM, "somebody was faster")


def test_outputs_and_chips_of_a_device_tree_are_not_asked(machine: FakeMachine) -> None:
    change_line(machine, "two", 3, output=True)
    (machine.roots.gpio / "gpiochip0/of_node").mkdir(parents=True)
    (machine.roots.gpio / "gpiochip0/of_node/interrupt-controller").touch()
    interrupts = found(machine, links.INTERRUPTS)
    assert (interrupts.state, machine.kernel.asked) == (State.OK, [])
    assert "not asked of line 3 of chip two" in interrupts.cause


def test_a_line_that_two_links_take(machine: FakeMachine) -> None:
    second = REAL.partition("links:\n")[2].replace("geth0", "geth1")
    second = second.replace('{chip: one, offsets: "4-6"}', '{chip: one, offsets: "20-22"}')
    second = second.replace("[9, 3]", "[10, 11]").replace("one-20", "one-30")
    shared = found(machine, "shared lines", load_text(REAL + second, "x"), "machine")
    assert (shared.state, shared.cause) == (State.PROBLEM, "line 20 of chip one is taken by geth0 and by geth1")


def test_nobody_sees_lines_without_gpiod(machine: FakeMachine) -> None:
    machine.kernel.binding = machine.kernel.binding._replace(fault="it is old")
    states = {(it.about, it.subject): it.state for it in examine(machine, config())}
    unknown = {key for key, state in states.items() if state is State.UNKNOWN}
    assert unknown == {
        ("machine", "shared lines"),
        *(("geth0", it) for it in ("lines", "users of lines", "interrupts")),
    }
    assert [key for key, state in states.items() if state is State.PROBLEM] == [("machine", "gpiod")]


def test_accounts_of_a_chip(machine: FakeMachine) -> None:
    assert found(machine, links.ACCESS).state is State.NOT_NEEDED
    wanted = load_text(REAL + '    access: {group: "0", mode: "0660"}\n', "x")
    assert found(machine, links.ACCESS, wanted).state is State.OK
    access = found(machine, links.ACCESS, load_text(REAL + "    access: {group: nosuch}\n", "x"))
    assert (access.state, access.cause) == (State.PROBLEM, "there is no group nosuch")


def test_namespaces(machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def entered(name: str) -> AbstractContextManager[None]:
        raise MachineError(f"cannot enter the network namespace {name}: Invalid argument", errno=errno.EINVAL)

    monkeypatch.setattr(links, "DIRECTORY", tmp_path)
    monkeypatch.setattr(links, "entered", entered)
    assert found(machine, links.NETNS).state is State.NOT_NEEDED
    wanted = load_text(REAL + "    netns: far\n", "x")
    assert found(machine, links.NETNS, wanted).cause == "far will be made"
    (tmp_path / "far").touch()
    netns = found(machine, links.NETNS, wanted)
    assert (netns.state, "cannot enter" in netns.cause, "ip netns del far" in netns.remedy) == (
        State.PROBLEM,
        True,
        True,
    )


def test_channels(machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = tmp_path / "channel"
    wanted = load_text(
        "links: [{name: geth0, mode: net_hdr, medium: shm, protocol: {reader: 1, writer: 2}, "
        f"channels: {{out: {channel}, in: {tmp_path}/other}}}}]",
        "x",
    )
    assert found(machine, links.LINES, wanted).state is State.NOT_NEEDED
    assert found(machine, links.CHANNELS).state is State.NOT_NEEDED
    channels = found(machine, links.CHANNELS, wanted)
    assert (channels.state, channels.cause.count("can be made")) == (State.OK, 2)
    assert not channel.exists()
    channel.write_bytes(bytes(8))
    assert "is 8 bytes long" in found(machine, links.CHANNELS, wanted).cause
    channel.write_bytes(bytes(8192))
    assert "is there" in found(machine, links.CHANNELS, wanted).cause
    monkeypatch.setattr(os, "access", lambda path, *_, **__: path != channel)
    assert found(machine, links.CHANNELS, wanted).cause == f"{channel}: Permission denied"
    channel.unlink()
    channel.mkdir()
    assert found(machine, links.CHANNELS, wanted).cause == f"{channel}: it is not a regular file"


def test_a_channel_without_a_directory(tmp_path: Path) -> None:
    assert "no file can be made in" in links.channel_fault(tmp_path / "nowhere/channel")
    (tmp_path / "file").touch()
    assert links.channel_fault(tmp_path / "file/channel") == "Not a directory"
