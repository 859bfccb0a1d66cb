"""The checks of what all links share: kernel, rights, packages, directories. Each gives one finding."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from gpiomux.aggregator.roots import DOOR, SYSFS
from gpiomux.aggregator.support import MODULE, require_aggregator, require_gpio
from gpiomux.doctor.finding import Finding, not_needed, ok, problem, unknown
from gpiomux.errors import UnsupportedError
from gpiomux.netdev import marks, tuntap

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.doctor.machine import Machine, Node
    from gpiomux.doctor.needs import Needs

TUN = "tun"
IPV6 = "ipv6"
CAPABILITIES = "capabilities"
BPF = "bpf"
PACKET_SOCKET = "packet socket"
NAMESPACES = "namespaces"
RUN_DIRECTORY = "run directory"
GPIOD = "gpiod"
CHIPS = "gpio chips"
PERMISSIONS = "gpio permissions"
AGGREGATOR = "gpio-aggregator"
CONFIGFS = "configfs"

_NO_GPIO = "no link has real lines"
_TUN_DEVICE = (10, 200)
"""Documentation/networking/tuntap.rst."""
_TUN_NODE = f"mknod {tuntap.DEVICE} c 10 200; chmod 0666 {tuntap.DEVICE}"

_NET_ADMIN, _SYS_ADMIN, _SETGID, _SETUID, _SETPCAP, _CHOWN, _FOWNER = 12, 21, 6, 7, 8, 0, 3
"""linux/capability.h."""


def check_tun(machine: Machine, _needs: Needs) -> Finding:
    """The device that interfaces are made from: there, the right one, and to be opened."""
    node = machine.tun
    if node.refusal == errno.ENOENT:
        if machine.has_module("tun"):
            return problem(TUN, f"there is no {node.path}: its module is not loaded", "modprobe tun")
        known = "tun" in _misc_devices(machine)
        cause = "the kernel has it, and nobody has made the node" if known else "this kernel was built without it"
        remedy = _TUN_NODE if known else "build a kernel with CONFIG_TUN"
        return problem(TUN, f"there is no {node.path}: {cause}", remedy)
    if node.device != _TUN_DEVICE:
        what = "not a character device" if node.device is None else "device {}:{}".format(*node.device)
        return problem(TUN, f"{node.path} is {what}, not 10:200", f"rm {node.path}; {_TUN_NODE}")
    if node.refusal in (errno.ENODEV, errno.ENXIO):
        return problem(TUN, f"{node.path} has no driver behind it: {os.strerror(node.refusal)}", "modprobe tun")
    if node.refusal:
        cause = f"{node.path} ({node.access}) cannot be opened by user {machine.user()}: {os.strerror(node.refusal)}"
        return problem(TUN, cause, f"chmod 0666 {node.path}, as udev does; it gives nobody rights over interfaces")
    return ok(TUN, f"{node.path} opens ({node.access})")


def _misc_devices(machine: Machine) -> set[str]:
    try:
        return {line.split()[-1] for line in (machine.roots.proc / "misc").read_text(encoding="ascii").splitlines()}
    except FileNotFoundError:
        return set()


def check_ipv6(machine: Machine, needs: Needs) -> Finding:
    """The kernel's IPv6, for addresses and routes of it."""
    if not needs.ipv6:
        return not_needed(IPV6, "no address and no route is of IPv6")
    place = machine.roots.proc / "sys/net/ipv6"
    if not place.is_dir():
        remedy = "boot without ipv6.disable=1, with CONFIG_IPV6; or leave IPv6 addresses out of the file"
        return problem(IPV6, "the kernel has no IPv6, or it was booted without", remedy)
    if any(_is_set(place / "conf" / which / "disable_ipv6") for which in ("all", "default")):
        remedy = "sysctl net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0"
        return problem(IPV6, "it is switched off on new interfaces (disable_ipv6)", remedy)
    return ok(IPV6, "the kernel has it")


def _is_set(path: Path) -> bool:
    try:
        return path.read_text(encoding="ascii").strip() != "0"
    except FileNotFoundError:
        return False


def check_capabilities(machine: Machine, needs: Needs) -> Finding:
    """Rights of who makes links, but those for BPF and packet sockets, for which the kernel is asked itself."""
    wanted = {_NET_ADMIN: "CAP_NET_ADMIN (interfaces)"}
    if needs.namespaces:
        wanted[_SYS_ADMIN] = "CAP_SYS_ADMIN (network namespaces)"
    if machine.user() == 0:  # only root becomes another user; what another user starts stays that user's
        wanted |= {_SETUID: "CAP_SETUID", _SETGID: "CAP_SETGID", _SETPCAP: "CAP_SETPCAP (datapaths without rights)"}
    if needs.access:
        wanted |= {_CHOWN: "CAP_CHOWN", _FOWNER: "CAP_FOWNER (access to chips)"}
    effective = machine.capabilities()
    missing = [name for number, name in wanted.items() if not effective >> number & 1]
    if not missing:
        return ok(CAPABILITIES, f"user {machine.user()} has what is needed")
    remedy = "run gpiomuxd as root; in a container or a unit, grant these; for a trial: unshare -rnm"
    return problem(CAPABILITIES, f"user {machine.user()} lacks {', '.join(missing)}", remedy)


def check_bpf(machine: Machine, _needs: Needs) -> Finding:
    """The best way to carry marks: programs on the interfaces."""
    refusals = {method: machine.marks_refusal(method) for method in (marks.TCX, marks.CLSACT)}
    granted = [method for method, refusal in refusals.items() if refusal is None]
    if granted:
        return ok(BPF, f"the kernel lets marks be carried by {granted[0]}")
    told = "; ".join(f"{method}: {refusal}" for method, refusal in refusals.items())
    remedy = (
        "grant gpiomuxd CAP_BPF, CAP_NET_ADMIN and bpf(2), on a kernel with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF"
    )
    return problem(BPF, f"the kernel refuses ({told}): {marks.limits(marks.PACKET_SOCKET)}", remedy)


def check_packet_socket(machine: Machine, _needs: Needs) -> Finding:
    """The other way to carry marks, by SO_RCVMARK of a packet socket."""
    refusal = machine.marks_refusal(marks.PACKET_SOCKET)
    if refusal is None:
        return ok(PACKET_SOCKET, "the kernel tells marks to it (SO_RCVMARK)")
    if None in (machine.marks_refusal(marks.TCX), machine.marks_refusal(marks.CLSACT)):
        return not_needed(PACKET_SOCKET, f"marks are carried by BPF (here the kernel refuses: {refusal})")
    remedy = "grant gpiomuxd CAP_NET_RAW, on Linux 5.19 or newer with CONFIG_PACKET; or grant it BPF"
    return problem(PACKET_SOCKET, f"the kernel refuses: {refusal}; there is no way to carry marks", remedy)


def check_namespaces(machine: Machine, needs: Needs) -> Finding:
    """Network namespaces in the kernel; whether those of the file can be entered is asked for each link."""
    if not needs.namespaces:
        return not_needed(NAMESPACES, "no interface lives in a network namespace")
    if (machine.roots.proc / "self/ns/net").exists():
        return ok(NAMESPACES, "the kernel has network namespaces")
    return problem(NAMESPACES, "this kernel has no network namespaces", "build a kernel with CONFIG_NET_NS")


def check_run_directory(machine: Machine, _needs: Needs) -> Finding:
    """Where sockets and records are: there or to be made, and to be written to."""
    root = machine.rundir.root
    place = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not place.is_dir():
        return problem(RUN_DIRECTORY, f"{place} is not a directory", f"mv {place} {place}.old")
    if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        about = place.stat()
        cause = f"user {machine.user()} may not write to {place} ({about.st_uid}:{about.st_gid}"
        cause += f" {stat.S_IMODE(about.st_mode):04o})"
        return problem(RUN_DIRECTORY, cause, "become root; or name another directory in GPIOMUX_RUN_DIR")
    room = os.statvfs(place)  # a file system that does not count its inodes says that it has none at all
    full = [
        what
        for what, all_, free in (("bytes", room.f_blocks, room.f_bavail), ("inodes", room.f_files, room.f_favail))
        if all_ and not free
    ]
    if full:
        return problem(RUN_DIRECTORY, f"the file system of {place} has no {full[0]} left", f"make room: df {place}")
    return ok(RUN_DIRECTORY, f"{root} is there" if place == root else f"{root} can be made")


def check_gpiod(machine: Machine, needs: Needs) -> Finding:
    """The package of that name: there are two, and others."""
    if not needs.gpio:
        return not_needed(GPIOD, _NO_GPIO)
    found = machine.bindings()
    if not found.fault:
        return ok(GPIOD, f"version {found.version} in {found.path}")
    return problem(GPIOD, found.fault, found.remedy)


def check_chips(machine: Machine, needs: Needs) -> Finding:
    """GPIO in the kernel, and at least one chip."""
    if not needs.gpio:
        return not_needed(CHIPS, _NO_GPIO)
    try:
        require_gpio(machine.roots)
    except UnsupportedError as err:
        return problem(CHIPS, err.message, err.hint)
    count = len(machine.gpio_nodes)
    return ok(CHIPS, f"the kernel shows {count} chip{'s' if count != 1 else ''}")


def check_permissions(machine: Machine, needs: Needs) -> Finding:
    """Whether the nodes of all chips can be opened: udev rules give them to a group, or to root alone."""
    if not needs.gpio:
        return not_needed(PERMISSIONS, _NO_GPIO)
    nodes = machine.gpio_nodes
    closed = [node for node in nodes if node.refusal]
    if not nodes:
        return unknown(PERMISSIONS, CHIPS)
    if not closed:
        return ok(PERMISSIONS, ", ".join(f"{path} {access}" for access, path in _by_access(nodes)))
    told = ", ".join(f"{node.path} ({node.access}): {os.strerror(node.refusal)}" for node in closed)
    remedy = 'become root; or join their group, which a udev rule sets: SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"'
    return problem(PERMISSIONS, f"user {machine.user()} cannot open {told}", remedy)


def _by_access(nodes: list[Node]) -> list[tuple[str, str]]:
    """Each kind of access with the nodes that have it."""
    kinds = dict.fromkeys(node.access for node in nodes)
    return [(kind, " ".join(node.path.name for node in nodes if node.access == kind)) for kind in kinds]


def check_aggregator(machine: Machine, needs: Needs) -> Finding:
    """The driver that gathers lines into a chip for each link."""
    if not needs.aggregator:
        return not_needed(AGGREGATOR, _NO_GPIO if not needs.gpio else "all links run on their source chips")
    try:
        require_aggregator(machine.roots)
    except UnsupportedError as err:
        return problem(AGGREGATOR, err.message, err.hint)
    return ok(AGGREGATOR, f"the driver is there: {machine.roots.driver}")


def check_configfs(machine: Machine, needs: Needs) -> Finding:
    """The better of the driver's two doors; a kernel before 6.16 has the other one only."""
    if not needs.aggregator:
        return not_needed(CONFIGFS, "no lines are gathered")
    if machine.door() == SYSFS:
        return not_needed(CONFIGFS, f"{DOOR} has chips made through sysfs")
    roots = machine.roots
    if roots.groups.is_dir():
        return ok(CONFIGFS, f"{roots.groups} is there")
    if "configfs" not in machine.file_systems():
        loadable = machine.has_module("configfs")
        if not loadable:
            return not_needed(CONFIGFS, f"this kernel has none; chips are made through sysfs ({MODULE}/new_device)")
        return problem(CONFIGFS, "its module is not loaded", f"modprobe configfs; {_mount(machine)}")
    try:
        hidden = machine.configfs_hides_aggregator()
    except OSError as err:
        cause = f"it is not mounted on {roots.configfs}, and the kernel does not let us look into it: {err.strerror}"
        return problem(CONFIGFS, cause, _mount(machine))
    if not hidden:
        return not_needed(CONFIGFS, "this kernel makes chips through sysfs only (configfs: Linux 6.16)")
    cause = f"it is not mounted on {roots.configfs}: chips would be made through sysfs, without names for their lines"
    return problem(CONFIGFS, cause, _mount(machine))


def _mount(machine: Machine) -> str:
    return f"mount -t configfs none {machine.roots.configfs}"
