"""The checks of what all links share, each on a machine that lacks that one thing."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpiomux.aggregator.bindings import Bindings
from gpiomux.doctor import system
from gpiomux.doctor.finding import State
from gpiomux.doctor.machine import Node
from gpiomux.doctor.needs import Needs
from gpiomux.netdev import marks
from gpiomux.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.doctor.finding import Finding
    from gpiomux.doctor.machine import Machine
    from tests.doctor.fake_machine import FakeMachine


EVERYTHING = Needs()
NOTHING = Needs(gpio=False, aggregator=False, access=False, namespaces=False, ipv6=False)
CHECKS = [value for name, value in vars(system).items() if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong_with_a_whole_machine(
    machine: FakeMachine, check: Callable[[Machine, Needs], Finding]
) -> None:
    found = check(machine, EVERYTHING)
    assert (found.state, found.remedy) == (State.OK, "")
    assert check(machine, NOTHING).state in (State.OK, State.NOT_NEEDED)


def test_what_no_link_uses_is_not_needed_however_it_is(machine: FakeMachine) -> None:
    machine.kernel.binding = Bindings("", "", "there is none")
    machine.kernel.nodes = ()
    for path in (machine.roots.driver, machine.roots.gpio, machine.roots.proc / "sys/net/ipv6", machine.roots.groups):
        path.rmdir()
    (machine.roots.proc / "self/ns/net").unlink()
    states = {check.__name__: check(machine, NOTHING).state for check in CHECKS}
    assert {name for name, state in states.items() if state is State.NOT_NEEDED} == {
        f"check_{name}" for name in ("ipv6", "namespaces", "gpiod", "chips", "permissions", "aggregator", "configfs")
    }
    assert State.PROBLEM not in states.values()


def broken(found: Finding, cause: str, remedy: str) -> None:
    assert found.state is State.PROBLEM
    assert cause in found.cause
    assert remedy in found.remedy


def test_a_tun_device_that_is_not_there(machine: FakeMachine) -> None:
    machine.kernel.tun = Node(machine.roots.dev / "net/tun", None, "", "", 0, errno.ENOENT)
    broken(system.check_tun(machine, EVERYTHING), "this kernel was built without it", "CONFIG_TUN")
    (machine.roots.proc / "misc").write_text("200 tun\n184 microcode\n")
    broken(system.check_tun(machine, EVERYTHING), "nobody has made the node", "mknod /dev/net/tun c 10 200")
    modules = machine.roots.modules / os.uname().release / "modules.dep"
    modules.write_text("kernel/drivers/net/tun.ko.xz:\n")
    broken(system.check_tun(machine, EVERYTHING), "its module is not loaded", "modprobe tun")


@pytest.mark.parametrize(
    ("device", "refusal", "cause", "remedy"),
    [
        ((1, 3), 0, "is device 1:3, not 10:200", "mknod"),
        (None, 0, "not a character device", "mknod"),
        ((10, 200), errno.ENODEV, "no driver behind it", "modprobe tun"),
        ((10, 200), errno.EACCES, "(root:root 0600) cannot be opened by user 7: Permission denied", "chmod 0666"),
    ],
)
def test_a_tun_device_that_does_not_serve(
    machine: FakeMachine, device: tuple[int, int] | None, refusal: int, cause: str, remedy: str
) -> None:
    machine.kernel.tun = Node(machine.roots.dev / "net/tun", device, "root", "root", 0o600, refusal)
    machine.kernel.uid = 7
    broken(system.check_tun(machine, EVERYTHING), cause, remedy)


@pytest.mark.parametrize("which", ["all", "default"])
def test_ipv6_that_is_switched_off(machine: FakeMachine, which: str) -> None:
    switch = machine.roots.proc / "sys/net/ipv6/conf" / which / "disable_ipv6"
    switch.parent.mkdir(parents=True)
    switch.write_text("0\n")
    assert system.check_ipv6(machine, EVERYTHING).state is State.OK
    switch.write_text("1\n")
    broken(system.check_ipv6(machine, EVERYTHING), "switched off on new interfaces", "sysctl net.ipv6.conf")


def test_a_kernel_without_ipv6_or_namespaces(machine: FakeMachine) -> None:
    (machine.roots.proc / "sys/net/ipv6").rmdir()
    (machine.roots.proc / "self/ns/net").unlink()
    broken(system.check_ipv6(machine, EVERYTHING), "no IPv6", "CONFIG_IPV6")
    broken(system.check_namespaces(machine, EVERYTHING), "no network namespaces", "CONFIG_NET_NS")


@pytest.mark.parametrize(
    ("number", "name", "unless"),
    [
        (12, "CAP_NET_ADMIN (interfaces)", None),
        (21, "CAP_SYS_ADMIN (network namespaces)", Needs(namespaces=False)),
        (0, "CAP_CHOWN", Needs(access=False)),
        (3, "CAP_FOWNER", Needs(access=False)),
        (7, "CAP_SETUID", None),
        (6, "CAP_SETGID", None),
        (8, "CAP_SETPCAP", None),
    ],
)
def test_a_capability_that_lacks(machine: FakeMachine, number: int, name: str, unless: Needs | None) -> None:
    machine.kernel.effective &= ~(1 << number)
    broken(system.check_capabilities(machine, EVERYTHING), f"user 0 lacks {name}", "run gpiomuxd as root")
    if unless is not None:
        assert system.check_capabilities(machine, unless).state is State.OK


def test_who_is_not_root_becomes_nobody_else(machine: FakeMachine) -> None:
    machine.kernel.uid = 1000
    machine.kernel.effective = 1 << 12
    assert system.check_capabilities(machine, NOTHING).state is State.OK


def test_ways_to_carry_marks(machine: FakeMachine) -> None:
    kernel = machine.kernel
    kernel.refusals = {marks.TCX: "Invalid argument"}
    assert "bpf-clsact" in system.check_bpf(machine, EVERYTHING).cause
    kernel.refusals = {marks.TCX: "no", marks.CLSACT: "neither"}
    broken(system.check_bpf(machine, EVERYTHING), "bpf-tcx: no; bpf-clsact: neither", "CAP_BPF")
    assert system.check_packet_socket(machine, EVERYTHING).state is State.OK
    kernel.refusals[marks.PACKET_SOCKET] = "nor this"
    broken(system.check_packet_socket(machine, EVERYTHING), "nor this; there is no way to carry marks", "CAP_NET_RAW")
    del kernel.refusals[marks.CLSACT]
    assert system.check_packet_socket(machine, EVERYTHING).state is State.NOT_NEEDED


def test_a_run_directory_that_is_none(machine: FakeMachine) -> None:
    assert "can be made" in system.check_run_directory(machine, EVERYTHING).cause
    machine.rundir.root.write_text("no directory")
    broken(system.check_run_directory(machine, EVERYTHING), "is not a directory", "mv ")
    machine.rundir.root.unlink()
    machine.rundir.root.mkdir()
    assert "is there" in system.check_run_directory(machine, EVERYTHING).cause


def test_a_run_directory_nobody_may_write_to(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    broken(system.check_run_directory(machine, EVERYTHING), "user 0 may not write to", "GPIOMUX_RUN_DIR")


def test_a_run_directory_on_a_full_disk(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def room(blocks: int, free: int, inodes: int, free_inodes: int) -> Finding:
        told = os.statvfs_result((4096, 4096, blocks, free, free, inodes, free_inodes, free_inodes, 0, 255))
        monkeypatch.setattr(os, "statvfs", lambda _: told)
        return system.check_run_directory(machine, EVERYTHING)

    broken(room(100, 0, 100, 7), "has no bytes left", "df ")
    broken(room(100, 7, 100, 0), "has no inodes left", "df ")
    assert room(100, 7, 0, 0).state is State.OK, "btrfs counts no inodes"


def test_gpiod_of_another_version_or_none(machine: FakeMachine) -> None:
    machine.kernel.binding = Bindings("", "", "gpiod cannot be imported: no")
    found = system.check_gpiod(machine, EVERYTHING)
    broken(found, "cannot be imported", "pip install 'gpiod>=2.5,<3'")
    assert "python3-libgpiod" not in found.remedy
    machine.kernel.binding = Bindings("1.6", "/usr/lib/gpiod.so", "it is old")
    broken(system.check_gpiod(machine, EVERYTHING), "it is old", "python3-libgpiod")


def test_no_chips_and_no_driver(machine: FakeMachine) -> None:
    machine.roots.driver.rmdir()
    broken(system.check_aggregator(machine, EVERYTHING), "CONFIG_GPIO_AGGREGATOR", "aggregate: false")
    for node in machine.roots.dev.glob("gpiochip*"):
        node.unlink()
    machine.kernel.nodes = ()
    broken(system.check_chips(machine, EVERYTHING), "shows no GPIO chip", "load the driver")
    assert system.check_permissions(machine, EVERYTHING).state is State.UNKNOWN
    machine.roots.gpio.rmdir()
    broken(system.check_chips(machine, EVERYTHING), "this kernel has no GPIO", "CONFIG_GPIOLIB")


def test_chips_that_are_not_for_this_user(machine: FakeMachine) -> None:
    one, two = machine.kernel.nodes
    machine.kernel.uid = 1000
    machine.kernel.nodes = (one, two._replace(refusal=errno.EACCES, mode=0o600))
    found = system.check_permissions(machine, EVERYTHING)
    broken(found, f"user 1000 cannot open {two.path} (root:gpio 0600): Permission denied", 'GROUP="gpio"')
    assert str(one.path) not in found.cause


def test_configfs_where_sysfs_is_chosen(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.roots.groups.rmdir()
    monkeypatch.setenv("GPIOMUX_AGGREGATOR", "sysfs")
    assert system.check_configfs(machine, EVERYTHING).state is State.NOT_NEEDED


def test_configfs(machine: FakeMachine) -> None:
    machine.roots.groups.rmdir()
    broken(system.check_configfs(machine, EVERYTHING), "is not mounted", "mount -t configfs none ")
    machine.kernel.hidden = False
    assert system.check_configfs(machine, EVERYTHING).state is State.NOT_NEEDED
    machine.kernel.hidden = OSError(errno.EPERM, "Operation not permitted")
    broken(system.check_configfs(machine, EVERYTHING), "does not let us look", "mount -t configfs")
    (machine.roots.proc / "filesystems").write_text("nodev\tproc\n")
    assert system.check_configfs(machine, EVERYTHING).state is State.NOT_NEEDED
    modules = machine.roots.modules / os.uname().release / "modules.dep"
    modules.write_text("kernel/fs/configfs/configfs.ko:\n")
    broken(system.check_configfs(machine, EVERYTHING), "its module is not loaded", "modprobe configfs")


def test_a_relative_run_directory(machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert system.check_run_directory(replace(machine, rundir=RunDir(Path("here/run"))), EVERYTHING).state is State.OK
