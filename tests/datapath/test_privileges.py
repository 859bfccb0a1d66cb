"""A process that has given its privileges up: it is another user, can do nothing, and cannot come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpiomux.datapath.privileges import USER_IDS, free_user_id, maps, user_ids_in_use
from gpiomux.errors import MachineError
from tests import namespaces

PROGRAM = """
import ctypes, json, os, subprocess, sys  # now: afterwards the library may not be readable
from pathlib import Path
from gpiomux.datapath.privileges import USER_IDS, drop_privileges, limit_privileges

def attempt(what, *arguments):
    try:
        what(*arguments)
    except OSError as err:
        return err.errno
    return 0

uid_map, gid_map = Path("/proc/self/uid_map"), Path(sys.argv[1])
limit_privileges()
drop_privileges(USER_IDS[3], uid_map, gid_map)
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


@pytest.mark.parametrize("gid_map", ["/proc/self/gid_map", "/dev/null"], ids=["mapped", "no-other-user"])
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


@pytest.mark.skipif(not namespaces.has_other_users(), reason="not root, or a user namespace maps one user only")
def test_root_becomes_another_user() -> None:
    told = after_dropping()
    status = told["status"]
    assert status["Uid"] == status["Gid"] == [str(USER_IDS[3])] * 4
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
    assert maps(id_map, 65534) == contained


def test_user_ids_in_use(tmp_path: Path) -> None:
    for pid, lines in {"1": "Name:\tinit\nUid:\t0\t0\t0\t0\n", "77": "Uid:\t60706\t0\t0\t0\n"}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "status").write_text(lines)
    (tmp_path / "78").mkdir()  # a process that ends this moment
    (tmp_path / "uptime").touch()
    assert user_ids_in_use(tmp_path) == {0, 60706}
    assert os.getuid() in user_ids_in_use(Path("/proc"))


def test_a_free_user_id() -> None:
    assert free_user_id({0, USER_IDS[0], USER_IDS[2]}) == USER_IDS[1]
    with pytest.raises(MachineError, match="in use"):
        free_user_id(set(USER_IDS))


def test_the_fork_server_may_change_its_user_and_nothing_else() -> None:
    program = "from gpiomux.datapath.privileges import *; limit_privileges(); print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    status = dict(line.split(":", 1) for line in told.splitlines() if line)
    allowed = 1 << 6 | 1 << 7 if os.geteuid() == 0 else 0
    assert [int(status[name], 16) for name in ("CapPrm", "CapEff")] == [allowed] * 2
    assert [int(status[name], 16) for name in ("CapInh", "CapAmb")] == [0] * 2
    if os.geteuid() == 0:
        assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].split() == ["1"]
