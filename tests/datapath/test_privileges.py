"""A process that has given its privileges up: it is nobody, can do nothing, and cannot come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from gpiomux.datapath.privileges import NOBODY, maps

PROGRAM = """
import ctypes, json, os, subprocess, sys  # now: afterwards the library may not be readable
from pathlib import Path
from gpiomux.datapath.privileges import drop_privileges

def attempt(what, *arguments):
    try:
        what(*arguments)
    except OSError as err:
        return err.errno
    return 0

uid_map, gid_map = Path("/proc/self/uid_map"), Path(sys.argv[1])
drop_privileges(uid_map, gid_map)
status = dict(line.split(":", 1) for line in Path("/proc/thread-self/status").read_text().splitlines())
libc = ctypes.CDLL(None, use_errno=True)
print(json.dumps({
    "status": {name: text.split() for name, text in status.items()},
    "dumpable": libc.prctl(3, 0, 0, 0, 0),
    "regain_user": attempt(os.setresuid, 0, 0, 0) if os.geteuid() else None,
    "unshare_network": libc.unshare(0x40000000),
    "groups": os.getgroups(),
    "shadow": attempt(open, "/etc/shadow"),
    "by_exec": os.popen("grep -h ^Cap /proc/self/status").read().split(),
}))
"""


def after_dropping(gid_map: str = "/proc/self/gid_map") -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, gid_map], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("gid_map", ["/proc/self/gid_map", "/dev/null"], ids=["mapped", "nobody-to-become"])
def test_no_capability_is_left(gid_map: str) -> None:
    """Also where a user namespace maps no other user: then only the capabilities can go."""
    told = after_dropping(gid_map)
    status = told["status"]
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name][0], 16) == 0, name
    assert status["NoNewPrivs"] == ["1"]
    assert told["dumpable"] == 0
    assert told["unshare_network"] == -1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a bounding set to drop, and a user to leave")
def test_root_cannot_come_back() -> None:
    told = after_dropping("/dev/null")
    assert int(told["status"]["CapBnd"][0], 16) == 0
    # Even as uid 0: an executed program gets no capability.
    capabilities = told["by_exec"]
    assert {int(word, 16) for word in capabilities if not word.startswith("Cap")} == {0}


def becomes_nobody() -> bool:
    with open("/proc/self/uid_map", encoding="ascii") as uids, open("/proc/self/gid_map", encoding="ascii") as gids:
        return os.geteuid() == 0 and maps(uids.read(), NOBODY) and maps(gids.read(), NOBODY)


@pytest.mark.skipif(not becomes_nobody(), reason="no other user to become: not root, or a user namespace maps one only")
def test_root_becomes_nobody() -> None:
    told = after_dropping()
    status = told["status"]
    assert status["Uid"] == status["Gid"] == [str(NOBODY)] * 4
    assert told["groups"] == []
    assert told["regain_user"]
    assert told["shadow"]


@pytest.mark.parametrize(
    ("id_map", "contained"),
    [
        ("         0          0 4294967295\n", True),
        ("0 1000 1\n", False),
        ("0 1000 1\n1 100000 65536\n", True),
        ("0 0 65534\n", False),
        ("0 0 65535\n", True),
        ("65534 5 1\n", True),
        ("65535 5 1\n", False),
        ("", False),
    ],
)
def test_what_an_id_map_contains(id_map: str, contained: bool) -> None:
    assert maps(id_map, NOBODY) == contained
