"""Where the lines of a link come from: several chips, all ways of naming a line, and devices with a driver before."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import gpiod
import pytest

from gpiomux.aggregator.chip import Chips
from gpiomux.aggregator.node import Access
from gpiomux.aggregator.roots import Roots
from gpiomux.config.gathered import Gathered
from gpiomux.errors import MachineError
from tests.kernel import chips, modem
from tests.kernel.aggregators import CONFIGFS, PLATFORM
from tests.kernel.chips import two_links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.host import Host

pytestmark = [pytest.mark.kernel, pytest.mark.netns]

NEAR, FAR = (f'[{{chip: {label}, offsets: "0-9,16-25"}}]' for label in modem.LABELS)
"""What `two_links` gathers."""


@contextmanager
def simulated_chip(*names: str) -> Iterator[None]:
    """Inside the block there is one chip more, with lines of these names."""
    place = CONFIGFS / "gpio-sim" / "more"
    with ExitStack() as closing_down:
        for directory in (place, place / "bank", *(place / f"bank/line{number}" for number in range(len(names)))):
            directory.mkdir()
            closing_down.callback(directory.rmdir)
        (place / "bank/num_lines").write_text(str(len(names)))
        (place / "bank/label").write_text("more")
        for number, name in enumerate(names):
            (place / f"bank/line{number}/name").write_text(name)
        (place / "live").write_text("1")
        closing_down.callback((place / "live").write_text, "0")
        yield


def ping(host: Host) -> None:
    """Wait for an answer from the far end; on a machine with more to do the carrier may come and go."""
    command = ["ping", "-q", "-c", "1", "-W", "10", "10.10.0.2"]
    host.wait_for(lambda: subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0, "an answer")


def held(label: str) -> dict[int, str]:
    """Lines of a chip that somebody holds, and who."""
    return {line.offset: line.consumer for line in chips.chip(label).lines if line.used}


def test_lines_of_two_chips_in_every_way_of_naming_them(host: Host, door: str) -> None:
    """Each link sends on lines of one chip and receives on lines of the other, written neither in order nor alike."""
    one, two = modem.LABELS
    near = f'[{{chip: {one}, offsets: [0, 1, 2]}}, A3, {{chip: {one}, offsets: "4-6"}}, A7, A8, A9, '
    near += f'B0, {{chip: {two}, offsets: "1-3,4"}}, B5, B6, {{chip: {two}, offsets: [7, 8, 9]}}]'
    far = f'[A16, A17, {{chip: {one}, offsets: "18-25"}}, {{chip: {two}, offsets: [16]}}, B17, '
    far += f'{{chip: {two}, offsets: "18-20"}}, B21, {{chip: {two}, offsets: "22-25"}}]'
    host.apply(two_links().replace(NEAR, near).replace(FAR, far))
    users = {offset: held(label)[offset] for label in modem.LABELS for offset in range(10)}
    assert len(set(users.values())) == 1, "one chip for one link"
    assert {held(label)[offset] for label in modem.LABELS for offset in range(16, 26)} != set(users.values())
    ping(host)
    assert host.gpiomux("plan", str(host.directory / "links.yaml")) == "nothing to do\n"


def test_the_order_written_is_the_order_of_the_chip(door: str, tmp_path: Path, cable: None) -> None:
    """Line by line: what is driven on the gathered chip is seen on the wire that was written there."""
    lines = [("A5", None), (modem.LABELS[0], 2), (modem.LABELS[1], 9), ("A0", None), (modem.LABELS[0], 1)]
    wires = [(0, 5), (0, 2), (1, 9), (0, 0), (0, 1)]
    made = Chips(Roots(run=tmp_path / "chips"), door)
    node = made.make("order", tuple(Gathered(key=key, offset=offset) for key, offset in lines), None, Access())
    output = gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT)
    for number, (end, offset) in enumerate(wires):
        far = str(modem.chip(1 - end))
        with gpiod.request_lines(str(node), {number: output}) as out:
            for value in (gpiod.line.Value.ACTIVE, gpiod.line.Value.INACTIVE):
                out.set_value(number, value)
                with gpiod.request_lines(far, {modem.far(offset): gpiod.LineSettings()}) as into:
                    assert into.get_value(modem.far(offset)) is value
    made.remove("order")


def test_a_link_whose_lines_are_written_otherwise_is_made_anew_and_no_other(host: Host) -> None:
    host.apply(two_links())
    before, holders = host.datapaths(), held(modem.LABELS[0])
    names = ", ".join(f"B{offset}" for offset in (*range(10), *range(16, 26)))
    changed = host.apply(two_links().replace(FAR, f"[{names}]"))
    assert "geth0" not in changed
    assert "- chip of geth1" in changed
    assert "+ chip of geth1 (20 lines: lines by name)" in changed
    assert host.datapaths()["geth0"] == before["geth0"]
    assert host.datapaths()["geth1"] != before["geth1"]
    assert held(modem.LABELS[0]) == holders
    ping(host)


def test_names_are_looked_for_again_and_a_double_of_a_running_one_does_no_harm(host: Host) -> None:
    text = two_links().replace(NEAR, "[" + ", ".join(f"A{offset}" for offset in (*range(10), *range(16, 26))) + "]")
    with simulated_chip("A3"):
        answer = host.ask("plan", host.file(text))
        assert "link geth0: there is more than one line A3: " in answer.errors
        assert chips.aggregators() == []
    host.apply(text)
    pid = host.datapaths()["geth0"]
    with simulated_chip("A3"):
        assert host.gpiomux("plan", host.file(text)) == "nothing to do\n"
        assert "chip" not in host.gpiomux("apply", host.file(text))
        ping(host)
        assert host.datapaths()["geth0"] == pid


def test_a_device_goes_back_to_the_driver_that_it_had(host: Host) -> None:
    """gpio-sim takes any device that it is made to take, and finds no banks in it."""
    device, driver = PLATFORM / "devices/near", PLATFORM / "drivers/gpio-sim"
    (device / "driver_override").write_text("gpio-sim")
    (driver / "bind").write_text("near")
    try:
        host.apply(two_links().replace(f"from: {NEAR}", "device: near"))
        assert (device / "driver").resolve().name == "gpio-aggregator"
        ping(host)
        host.gpiomux("down")
        assert (device / "driver").resolve() == driver.resolve()
        assert (device / "driver_override").read_text() == "gpio-sim\n"
    finally:
        (driver / "unbind").write_text("near")
        (device / "driver_override").write_text("\n")


def test_a_device_whose_lines_are_not_there_yet_is_left_alone(host: Host) -> None:
    """Deferred probe: the kernel would bind it by itself when the lines come."""
    text = two_links().replace(f"from: {NEAR}", "device: near")
    modem.unplug(0)
    try:
        answer = host.ask("apply", host.file(text))
        assert answer.exit_status == 1
        assert "device near cannot be bound: it waits for a chip of its lines" in answer.errors
        assert not (PLATFORM / "devices/near/driver").exists()
        assert (PLATFORM / "devices/near/driver_override").read_text() == "(null)\n"
    finally:
        modem.plug(0)
    assert not (PLATFORM / "devices/near/driver").exists()
    host.apply(text)


def test_a_device_of_which_a_line_is_in_use_is_left_alone(host: Host) -> None:
    with gpiod.request_lines(str(modem.chip(0)), {3: None}, consumer="kettle"):
        answer = host.ask("apply", host.file(two_links().replace(f"from: {NEAR}", "device: near")))
    assert answer.exit_status == 1
    assert "device near cannot be bound: a line of it is in use" in answer.errors
    assert not (PLATFORM / "devices/near/driver").exists()
    assert (PLATFORM / "devices/near/driver_override").read_text() == "(null)\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (Gathered(key=modem.LABELS[0], offset=3), "line 3 of chip null-modem.0 is in use by kettle"),
        (Gathered(key="A3", offset=None), "line 3 of chip null-modem.0 is in use by kettle"),
        (Gathered(key="nosuch", offset=3), "no chip is labelled nosuch; labels here: "),
        (Gathered(key="nosuch", offset=None), "no line is named nosuch"),
        (Gathered(key=modem.LABELS[0], offset=99), "chip null-modem.0 has no line 99, only 0..31"),
    ],
)
def test_what_happens_after_the_plan_is_told_as_well(
    door: str, tmp_path: Path, cable: None, line: Gathered, said: str
) -> None:
    """Somebody may take a line, or a chip go, between the look before a plan and the making."""
    made = Chips(Roots(run=tmp_path / "chips"), door)
    lines = (Gathered(key=modem.LABELS[0], offset=4), line)
    with (
        gpiod.request_lines(str(modem.chip(0)), {3: None}, consumer="kettle"),
        pytest.raises(MachineError) as caught,
    ):
        made.make("late", lines, None, Access())
    assert caught.value.message.startswith(said)
    assert chips.aggregators() == []
    assert list(tmp_path.iterdir()) == []
    assert held(modem.LABELS[0]) == {}


def test_a_program_that_sits_in_the_group_of_a_chip_does_not_hold_up_its_removal(host: Host) -> None:
    """As `watch cat live` in a shell does: a working directory there, files open, one read after another."""
    host.apply(two_links())
    (group,) = (path for path in (CONFIGFS / "gpio-aggregator").iterdir() if path.name == "gpiomux-geth0")
    code = (
        "import os\n"
        "held = open('live'), os.open('line0', os.O_DIRECTORY)\n"
        "print('ready', flush=True)\n"
        "while os.path.exists('live'):\n"
        "    for name in ('live', 'dev_name', 'line3/key'):\n"
        "        try:\n"
        "            open(name).read()\n"
        "        except OSError:\n"
        "            pass\n"
        "print('gone', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=group, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        host.gpiomux("down")
        assert chips.aggregators() == []
        assert reader.stdout.readline() == b"gone\n"
    assert reader.returncode == 0


def test_a_group_by_number_is_the_group_it_names(host: Host) -> None:
    text = two_links(near=', access: {owner: "0", group: "65534", mode: "0660"}')
    host.apply(text)
    (device,) = chips.consumers(modem.LABELS[0])
    about = os.stat(chips.chip(device).node)
    assert (about.st_uid, about.st_gid) == (0, 65534)
    assert host.gpiomux("plan", host.file(text)) == "nothing to do\n"
