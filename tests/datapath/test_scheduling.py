"""A shorter slice, read back from the kernel where it grants one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from gpiomux.datapath import scheduling

READ_BACK = """
import ctypes, struct
from gpiomux.datapath.scheduling import SLICE_NS, ask_for_short_turns
granted = ask_for_short_turns()
attributes = ctypes.create_string_buffer(56)
assert ctypes.CDLL(None).syscall(315, 0, attributes, 56, 0) == 0  # sched_getattr
print(granted, struct.unpack_from("=Q", attributes, 24)[0] == SLICE_NS)
"""


def kernel_version() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split(".")[:2])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of sched_getattr is that of x86_64")
@pytest.mark.skipif(kernel_version() < (6, 12), reason="slices can be asked for since Linux 6.12")
def test_the_kernel_grants_what_is_asked() -> None:
    answer = subprocess.run([sys.executable, "-c", READ_BACK], check=True, capture_output=True, text=True).stdout
    assert answer.split() == ["True", "True"]


def test_an_unknown_architecture_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc64")
    assert not scheduling.ask_for_short_turns()
