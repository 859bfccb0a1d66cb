"""What tshark makes of captures with our dissector, and what our own decoder says in its place."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from gpiomux.wire import frame as frames
from gpiomux.wire.frame import Ack, Data, Hello, Probe
from tests.cli.commands import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DISSECTOR = ROOT / "configs" / "wireshark" / "gpiomux.lua"
_HELLO = ("version", "mode", "mtu")
_IDS = ("reader", "writer", "epoch", "peer_epoch")
_STREAM = ("position", "acknowledgement", "range.position", "range.length")
_PROBE = ("number", "received", "damaged", "pattern_bits", "wrong_bits")
FIELDS = tuple(
    f"gpiomux.{name}" for name in ("kind", "flags", *_HELLO, *_IDS, *_STREAM, *(f"probe.{name}" for name in _PROBE))
)
"""Everything that a frame says, as the dissector calls it."""


def need_tshark() -> None:
    """Skip a test where there is no tshark; in CI it fails."""
    if shutil.which("tshark") is None:
        if "CI" in os.environ:
            pytest.fail("no tshark: install tshark")
        pytest.skip("no tshark")


def dissected(path: Path, *fields: str, only: str = "", passes: int = 1) -> list[list[str]]:
    """What tshark says of some fields of each frame that passes the display filter `only`, the last time it looks."""
    words = ["tshark", *(["-2"] if passes == 2 else []), "-X", f"lua_script:{DISSECTOR}", "-r", str(path)]
    words += ["-T", "fields", "-E", "aggregator=,"]
    words += ["-Y", only] if only else []
    words += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Lua" not in done.stderr, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def decoded(data: bytes, *, datagram: bool) -> list[str]:
    """All `FIELDS` of a frame as our decoder has them, written as tshark does."""
    frame = frames.decode(data)
    said = {"kind": str(data[0] >> 4), "flags": f"{data[0] & 15:#04x}"}
    if isinstance(frame, Hello):
        said |= {name: str(getattr(frame, name)) for name in _HELLO}
        said |= {name: f"{getattr(frame, name):#018x}" for name in _IDS}
    elif isinstance(frame, Data) and datagram:
        said["position"] = str(frame.position + (frame.acknowledgement << 16))
    elif isinstance(frame, Data):
        said |= {"position": str(frame.position), "acknowledgement": str(frame.acknowledgement)}
    elif isinstance(frame, Ack):
        said["acknowledgement"] = str(frame.acknowledgement)
        said["range.position"] = ",".join(str(position) for position, _ in frame.ranges)
        said["range.length"] = ",".join(str(length) for _, length in frame.ranges)
    elif isinstance(frame, Probe):
        said |= {f"probe.{name}": str(getattr(frame, name)) for name in _PROBE}
    return [said.get(name.removeprefix("gpiomux."), "") for name in FIELDS]
