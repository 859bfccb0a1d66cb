"""What is told when real lines cannot be had, and that the machine is as before; chips that go, and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import gpiod
import pytest

from tests.kernel import chips, modem
from tests.kernel.chips import two_links

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]


def refusal(host: Host, text: str) -> str:
    """What `plan` and `apply` say, which is the same; nothing is made."""
    path = host.file(text)
    planned, applied = host.ask("plan", path), host.ask("apply", path)
    assert (planned.exit_status, applied.exit_status) == (1, 1)
    assert planned.errors == applied.errors
    assert chips.aggregators() == []
    assert host.run("ip", "-o", "link", "show", "type", "tun") == ""
    return planned.errors


def test_a_label_that_is_not_there(host: Host) -> None:
    said = refusal(host, two_links().replace("chip: null-modem.1,", "chip: pinctrl-rp1,"))
    assert "link geth1: no chip is labelled pinctrl-rp1; labels here: " in said
    assert "null-modem.0" in said


def test_an_offset_out_of_range(host: Host) -> None:
    said = refusal(
        host, two_links().replace('null-modem.1, offsets: "0-9,16-25"', 'null-modem.1, offsets: "0-9,26-35"')
    )
    assert "link geth1: chip null-modem.1 has no line 32, only 0..31" in said


def test_a_name_that_is_not_there(host: Host) -> None:
    text = two_links().replace(
        '[{chip: null-modem.1, offsets: "0-9,16-25"}]', '[{chip: null-modem.1, offsets: "0-18"}, X7]'
    )
    assert "link geth1: no line is named X7" in refusal(host, text)


def test_a_line_that_somebody_holds(host: Host) -> None:
    with gpiod.request_lines(str(modem.chip(1)), {3: None, 17: None}, consumer="kettle"):
        said = refusal(host, two_links())
    assert "link geth1: line 3 of chip null-modem.1 is in use by kettle" in said
    assert "link geth1: line 17 of chip null-modem.1 is in use by kettle" in said
    host.apply(two_links())


def test_a_line_by_name_that_another_link_takes_by_offset(host: Host) -> None:
    name = chips.chip(modem.LABELS[0]).lines[4].name
    text = two_links().replace(
        '[{chip: null-modem.1, offsets: "0-9,16-25"}]', f'[{{chip: null-modem.1, offsets: "0-18"}}, {name}]'
    )
    assert "line 4 of chip null-modem.0 is taken by geth0 and by geth1" in refusal(host, text)


def test_a_group_that_is_not_there(host: Host) -> None:
    answer = host.ask("apply", host.file(two_links(far=", access: {group: nosuch}")))
    assert answer.exit_status == 1
    assert "there is no group nosuch" in answer.errors
    assert chips.aggregators() == []


def test_a_device_that_is_not_there(host: Host) -> None:
    text = two_links().replace('from: [{chip: null-modem.1, offsets: "0-9,16-25"}]', "device: gate")
    assert "there is no device gate in /sys/bus/platform/devices" in refusal(host, text)


def test_two_chips_of_one_label(host: Host) -> None:
    with modem.replugged(labels=("same", "same")):
        said = refusal(host, two_links().replace("null-modem.0", "same"))
        assert "there is more than one line 0 of chip same: /dev/gpiochip" in said


def reason(host: Host, link: str) -> str:
    """Why a link does not run."""
    return str(host.link(link)["datapath"]["last_exit"])


def test_a_link_comes_back_with_its_chip(host: Host, door: str) -> None:
    host.apply(two_links())
    modem.unplug(0)
    try:
        host.wait_for(lambda: "no chip is labelled null-modem.0" in reason(host, "geth0"), "a reason")
        assert not host.link("geth0")["carrier"]
        host.wait_for(lambda: not host.link("geth1")["carrier"], "the end of the other carrier")
    finally:
        modem.plug(0)
    host.wait_for_carrier()
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")


def test_a_chip_that_somebody_removes_is_made_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOMUX_AGGREGATOR", "sysfs")
    host.apply(two_links())
    (device,) = chips.consumers(modem.LABELS[0])
    before = host.datapaths()["geth0"]
    with open("/sys/bus/platform/drivers/gpio-aggregator/delete_device", "w", encoding="ascii") as file:
        file.write(device)
    host.wait_for(lambda: host.datapaths()["geth0"] not in (None, before), "a new datapath")
    host.wait_for_carrier()


def test_a_reader_that_sleeps_on_a_line_is_named_and_nothing_hangs(host: Host, door: str) -> None:
    """Such a reader keeps the kernel from removing the chip until it reads no more."""
    label = modem.LABELS[0]
    text = two_links().replace(f'{{chip: {label}, offsets: "0-9,16-25"}}', f'{{chip: {label}, offsets: "0-9,16-26"}}')
    host.apply(text)
    (device,) = chips.consumers(label)
    code = (
        "import os, sys, gpiod\n"
        "from gpiod.line import Edge\n"
        "held = gpiod.request_lines(sys.argv[1], {20: gpiod.LineSettings(edge_detection=Edge.BOTH)})\n"
        "print('ready', flush=True)\n"
        "os.read(held.fd, 48)\n"
    )
    command = [sys.executable, "-c", code, str(chips.chip(device).node)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    with reader.stdout:
        assert reader.stdout.readline() == b"ready\n"
    try:
        answer = host.ask("down")
    finally:
        reader.kill()
        reader.wait()
    assert answer.exit_status == 1
    assert "cannot remove the chip of geth0 yet" in answer.errors
    assert f"(process {reader.pid})" in answer.errors
    host.wait_for(lambda: host.ask("down").exit_status == 0, "the removal")
    assert chips.consumers(label) == set()


def test_outputs_become_inputs_when_a_link_goes_down(host: Host) -> None:
    host.apply(two_links(aggregate=False))
    outputs = [line.output for line in chips.chip(modem.LABELS[0]).lines[:10]]
    assert outputs == [True] * 10
    host.gpiomux("down")
    assert not any(line.output for line in chips.chip(modem.LABELS[0]).lines)


def test_a_datapath_that_is_killed_comes_back_on_the_same_chip(host: Host) -> None:
    host.apply(two_links())
    consumers = chips.consumers(modem.LABELS[0])
    pid = host.datapaths()["geth0"]
    os.kill(pid, signal.SIGKILL)
    host.wait_for(lambda: host.datapaths()["geth0"] not in (None, pid), "a new datapath")
    host.wait_for_carrier()
    assert chips.consumers(modem.LABELS[0]) == consumers
    host.run("ping", "-c", "1", "-w", "120", "10.10.0.2")
