"""Everything about a machine that gpiomux could change, as data that two moments can be compared by.

Left out is what nobody chose: numbers that the kernel hands out (interface and process ids, counters), the addresses
and routes that it makes by itself once there is a carrier, and the carrier, which comes and goes with the peer.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpiomux.netdev import syscalls
from tests import namespaces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_IP = ("link show", "addr show", "route show table all", "rule show")
_IPV6 = ("route show table all", "rule show")
_FLEETING = {"ifindex", "operstate", "flags", "link_index", "preferred_life_time", "valid_life_time", "tentative"}
# The kernel itself goes from eui64 to random as soon as a TUN device has a carrier (addrconf_dev_config).
_FLEETING |= {"inet6_addr_gen_mode"}
# And it gives a device that goes up a queueing discipline, which then stays. One that somebody chose has a handle.
_FLEETING |= {"qdisc"}
_DEFAULT_HANDLE = "0:"
_BPF_PROG_QUERY = 16
_TCX = {"tcx ingress": 46, "tcx egress": 47}
_UNSTABLE_FILES = {"gpiomuxd.lock", "gpiomuxd.log", "gpiomuxd.sock"}
"""They belong to a daemon, not to what is applied."""

Snapshot = dict[str, Any]


def take(run_directory: Path, *, records: bool = True) -> Snapshot:
    """The machine at this moment, seen from the network namespace that the caller is in.

    Args:
        run_directory: that of gpiomux.
        records: with what gpiomux has noted there in JSON files: when what was applied.
    """
    names = sorted(namespaces.network_names())
    return {
        "networks": {"here": _steady_network(""), **{name: _steady_network(name) for name in names}},
        "files": {name: about for name, about in _files(run_directory) if records or not name.endswith(".json")},
        "datapaths": sorted(_datapaths(run_directory)),
    }


def differing(before: Snapshot, after: Snapshot) -> list[str]:
    """What is not the same, one line each; empty if nothing."""
    return list(_differing("", before, after))


def _differing(place: str, before: object, after: object) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differing(f"{place}/{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for sign, entries, others in (("-", before, after), ("+", after, before)):
            yield from (f"{place}: {sign} {json.dumps(entry)}" for entry in entries if entry not in others)
    elif before != after:
        yield f"{place}: was {json.dumps(before)}, is {json.dumps(after)}"


def _steady_network(name: str) -> dict[str, Any]:
    try:
        return _network(name)
    except (subprocess.CalledProcessError, OSError):  # something comes or goes this very moment: it is like no other
        return {"cannot be looked at": time.monotonic_ns()}


def _network(name: str) -> dict[str, Any]:
    within = ("-netns", name) if name else ()
    told: dict[str, Any] = {}
    for program, questions in ((("ip",), _IP), (("ip", "-6"), _IPV6)):
        answers = _answers([*program, "-details", *within], questions)
        for question, answer in zip(questions, answers, strict=True):
            told[" ".join((*program, question))] = sorted(_steady(answer), key=json.dumps)
    filters = [f"filter show dev {interface} {way}" for interface in _interfaces(name) for way in ("ingress", "egress")]
    of_traffic = ("qdisc show", *filters)
    for question, answer in zip(of_traffic, _answers(["tc", *within], of_traffic), strict=True):
        told[question] = sorted(_steady(answer), key=json.dumps)
    told["tcx"] = _programs(name)
    return told


def _answers(program: list[str], questions: Iterable[str]) -> list[list[dict[str, Any]]]:
    """What ip(8) or tc(8) says to questions, all put to one process."""
    command = [*program, "-json", "-batch", "-"]
    done = subprocess.run(command, input="\n".join(questions), capture_output=True, text=True, check=True)
    answers = []
    text = done.stdout.strip()
    while text:
        answer, length = json.JSONDecoder().raw_decode(text)
        answers.append(answer)
        text = text[length:].lstrip()
    return answers


def _interfaces(name: str) -> list[str]:
    if not name:
        return sorted(namespaces.interfaces())
    with namespaces.inside(name):
        return sorted(namespaces.interfaces())


def _programs(name: str) -> dict[str, int]:
    """How many programs TCX runs on each interface, in each direction."""

    def count(interface: str, kind: int) -> int:
        # union bpf_attr, query: target, attach type, flags, attach flags, program ids, their number, ...
        attributes = struct.pack("=IIIIQI36x", socket.if_nametoindex(interface), kind, 0, 0, 0, 0)
        try:
            syscalls.bpf(_BPF_PROG_QUERY, attributes)
        except OSError:  # no TCX here, or not for this user
            return 0
        return int(struct.unpack_from("=I", attributes, 24)[0])  # the kernel has written into our bytes

    def counts() -> dict[str, int]:
        return {
            f"{interface} {word}": count(interface, kind)
            for interface in sorted(namespaces.interfaces())
            for word, kind in _TCX.items()
        }

    if not name:
        return counts()
    with namespaces.inside(name):
        return counts()


def _steady(answer: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in answer:
        to = entry.get("dst", "")
        if (
            not entry
            or entry.get("handle") == _DEFAULT_HANDLE
            or to.startswith(("fe80:", "ff00:"))
            or (":" in to and entry.get("type") == "local")
        ):
            continue
        steady = {key: value for key, value in entry.items() if key not in _FLEETING}
        steady["up"] = "UP" in entry.get("flags", ())
        if "addr_info" in entry:
            mine = [each for each in entry["addr_info"] if not each["local"].startswith("fe80:")]
            steady["addr_info"] = sorted(_steady(mine), key=json.dumps)
        yield steady


def _files(root: Path) -> Iterator[tuple[str, str]]:
    found = [Path(place, name) for place, *names in os.walk(root) for name in (*names[0], *names[1])]
    for path in sorted(found):
        try:
            about = path.lstat()
            content = path.read_text() if path.suffix == ".json" else ""
        except FileNotFoundError:  # it goes this very moment
            continue
        # The directory of all wires, for one, stays when the last of them has gone. The running record is copied into
        # the history before a change begins.
        passing = path.name in _UNSTABLE_FILES or path.parent.name == "history"
        if passing or (stat.S_ISDIR(about.st_mode) and path.parent == root):
            continue
        yield str(path.relative_to(root)), f"{stat.filemode(about.st_mode)} {about.st_uid} {about.st_gid} {content}"


def _datapaths(run_directory: Path) -> Iterator[str]:
    """The links that a process runs for, and all that is alive of it: no socket, no process, and no other way round."""
    for path in (run_directory / "links").glob("*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            try:
                sock.connect(os.fspath(path))
                sock.send(b'{"do": "report"}')
                report = json.loads(sock.recv(1 << 16) or b"{}").get("ok", {})
            except (ConnectionError, FileNotFoundError):  # it has ended, or ends this very moment
                yield f"{path.stem}: nobody answers"
                continue
            kept = {key: report.get(key) for key in ("link", "transport", "mtu", "gone")}
            kept["children"] = sorted(report.get("children", ()), key=json.dumps)
            yield f"{path.stem}: {json.dumps(kept)}"
