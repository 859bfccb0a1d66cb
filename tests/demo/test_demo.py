"""The demo holds, says what it needs, and leaves nothing, also when it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "tests.demo.demo"]
STEPS = 8


@pytest.mark.netns
def test_every_step_holds() -> None:
    done = subprocess.run(DEMO, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("✓") == STEPS
    assert done.stdout.endswith(f"{STEPS} of {STEPS} steps held\n")


@pytest.mark.netns
def test_an_interrupted_demo_takes_everything_down() -> None:
    """What it would leave, the fixture `nothing_left` would find."""
    with subprocess.Popen(DEMO, cwd=ROOT, text=True, stdout=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("4."):  # the links run
                break
        demo.send_signal(signal.SIGTERM)
        rest = demo.stdout.read()
    assert demo.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in rest


@pytest.mark.netns
def test_without_tun_it_says_what_to_do() -> None:
    hidden = f"mount -t tmpfs tmpfs /dev/net && exec {sys.executable} -m tests.demo.demo"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", hidden], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 1
    assert done.stderr.startswith("gpiomux demo: /dev/net/tun is missing: ")
    assert "modprobe tun" in done.stderr
    assert done.stdout == ""
