"""The units for systemd: systemd itself accepts them, and what they start works as they start it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.host import GPIOMUX, PATIENCE_S, ROOT, Host

UNITS = ROOT / "packaging" / "systemd"
DAEMON_UNIT, APPLY_UNIT = UNITS / "gpiomuxd.service", UNITS / "gpiomux.service"
PROGRAMS = Path(sys.executable).parent

CAPABILITIES = {"bpf": 39, "perfmon": 38}
"""Linux 5.8; setpriv(1) may know them by number only."""


def values(unit: Path, key: str) -> list[str]:
    """What a unit says about a key, each word of each of its lines."""
    lines = [line.partition("=") for line in unit.read_text().splitlines() if not line.startswith(("#", "["))]
    return [word for name, _, value in lines if name == key for word in value.split()]


def command(unit: Path, key: str) -> list[str]:
    """A command of a unit, with the program that is installed here."""
    program, *words = values(unit, key)
    return [str(PROGRAMS / program), *words]


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing; on Debian it is in the package systemd")
    for unit in (DAEMON_UNIT, APPLY_UNIT):
        # The programs need not be where systemd looks for them.
        text = re.sub(r"^(Exec\w+)=", rf"\1={PROGRAMS}/", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", *map(str, tmp_path.iterdir())],
        text=True, capture_output=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


class Manager:
    """Starts the daemon as its unit says, and listens as systemd does."""

    def __init__(self, directory: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(directory / "notify"))
        self.socket.settimeout(PATIENCE_S)
        self._directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        kept = [word.removeprefix("CAP_").lower() for word in values(DAEMON_UNIT, "CapabilityBoundingSet")]
        bounding = ",".join(["-all", *(f"+cap_{CAPABILITIES[it]}" if it in CAPABILITIES else f"+{it}" for it in kept)])
        assert values(DAEMON_UNIT, "NoNewPrivileges") == ["yes"]
        limits = ["setpriv", "--no-new-privs", "--bounding-set", bounding, "--inh-caps", "-all"]
        environment = {"NOTIFY_SOCKET": str(self._directory / "notify"), "WATCHDOG_USEC": "200000"}
        with (self._directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*limits, *command(DAEMON_UNIT, "ExecStart")], stderr=log, env={**os.environ, **environment}
            )

    def expect(self, word: str) -> None:
        """Wait until the daemon says a word; signs of life may come before."""
        while (said := self.socket.recv(4096).decode()) != word:
            assert said == "WATCHDOG=1"

    def stop(self) -> None:
        """End it as KillMode=process does: its own process and no other."""
        assert values(DAEMON_UNIT, "KillMode") == ["process"]
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.expect("STOPPING=1")
        assert self.process.wait() == 0


@pytest.mark.netns
def test_what_the_units_start_works(host: Host, tmp_path: Path) -> None:
    manager = Manager(tmp_path)
    with manager.socket:
        manager.start()
        manager.expect("READY=1")
        for _ in range(3):
            manager.expect("WATCHDOG=1")
        file = host.file((ROOT / "configs/two-links.yaml").read_text())
        words = [file if word == "/etc/gpiomux.yaml" else word for word in command(APPLY_UNIT, "ExecStart")]
        assert words == [str(GPIOMUX), "apply", file]
        host.run(*words)
        host.wait_for_carrier()
        pids = host.datapaths()
        manager.stop()
        assert host.status()["daemon"] is None
        manager.start()
        manager.expect("READY=1")
        host.gpiomux("apply", file)
        assert host.datapaths() == pids
        host.gpiomux("down")
        manager.stop()
    assert b"Traceback" not in (tmp_path / "log").read_bytes()
