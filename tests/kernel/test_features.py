"""What gpiomux needs of a kernel besides GPIO is there: TUN, namespaces, BPF on them, both packet filters."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gpiomux.netdev import marks
from tests import namespaces
from tests.kernel.boot import SHARE

pytestmark = pytest.mark.kernel


def run(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def test_tun_devices_can_be_made() -> None:
    assert namespaces.tun_refusal() == ""


@pytest.mark.parametrize("method", ["bpf-tcx", "bpf-clsact", "packet-socket"])
def test_marks_can_be_carried(method: str) -> None:
    assert marks.refusal_of(method) is None


@pytest.mark.netns
def test_named_network_namespaces_are_joined_by_veth() -> None:
    run("ip", "netns", "add", "there")
    try:
        run("ip", "link", "add", "here0", "type", "veth", "peer", "name", "there0", "netns", "there")
        assert "there0" in run("ip", "-n", "there", "link")
        # Entering the namespace changes the root as well: it must be the overlay, not the bare files of the host.
        run("ip", "netns", "exec", "there", "sh", "-c", "echo yes >/tmp/writable && rm /tmp/writable")
    finally:
        run("ip", "netns", "del", "there")


@pytest.mark.netns
@pytest.mark.parametrize("program", ["iptables-legacy", "ip6tables-legacy", "iptables-nft"])
def test_iptables_sets_marks(program: str) -> None:
    run(program, "-t", "mangle", "-A", "OUTPUT", "-m", "mark", "--mark", "1", "-j", "MARK", "--set-mark", "7")
    assert "0x7" in run(program, "-t", "mangle", "-S", "OUTPUT")


@pytest.mark.netns
def test_nft_sets_marks() -> None:
    run("nft", "add table inet t; add chain inet t c { type filter hook output priority mangle; }")
    run("nft", "add rule inet t c meta mark 1 meta mark set 7")
    assert "mark set 0x00000007" in run("nft", "list", "ruleset")


def test_only_the_shared_directory_is_written_on_the_host(tmp_path: Path) -> None:
    written, shared = tmp_path / "written", Path(os.environ[SHARE], "written")
    for path in (written, shared):
        path.write_text("here")
    host = tmp_path / "host"
    host.mkdir()
    run("mount", "-t", "hostfs", "-o", "/", "none", str(host))
    try:
        assert not (host / written.relative_to("/")).exists()
        assert (host / shared.relative_to("/")).read_text() == "here"
    finally:
        run("umount", str(host))


def test_two_processors_run() -> None:
    """Both ends of a link poll: with one processor a test would measure the scheduler."""
    assert (os.cpu_count() or 0) >= 2
