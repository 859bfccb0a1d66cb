"""A kernel is taken from the cache exactly if it was made from today's inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel import build, cache
from tests.kernel.failure import KernelError

if TYPE_CHECKING:
    from pathlib import Path


def put(place: Path, version: str) -> cache.Kernel:
    """Into the cache, as if it had just been built."""
    made = place / "made"
    made.mkdir()
    for name in ("linux", "dtc"):
        (made / name).touch()
    return cache.keep(made, place / cache.key(version), version)


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    assert cache.find(tmp_path, None) is None
    kernel = put(tmp_path, "7.3")
    assert kernel.linux.exists()
    assert cache.find(tmp_path, None) == cache.find(tmp_path, "7.3") == kernel
    assert cache.find(tmp_path, "7.4") is None


@pytest.mark.parametrize("number", range(len(cache.INPUTS)))
def test_a_changed_input_needs_another_kernel(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "7.3")
    changed = tmp_path / "changed"
    changed.write_bytes(cache.INPUTS[number].read_bytes() + b"\n")
    inputs = [*cache.INPUTS]
    inputs[number] = changed
    monkeypatch.setattr(cache, "INPUTS", tuple(inputs))
    assert cache.find(tmp_path, None) is None


def test_a_kernel_of_the_same_inputs_is_replaced(tmp_path: Path) -> None:
    first = put(tmp_path, "7.3")
    first.linux.with_name("version").unlink()
    assert put(tmp_path, "7.3") == first
    assert cache.find(tmp_path, None) == first


def test_the_oldest_kernels_go(tmp_path: Path) -> None:
    kernels = [put(tmp_path, f"7.{minor}") for minor in range(cache.KEPT + 2)]
    assert sum(kernel.linux.exists() for kernel in kernels) == cache.KEPT
    assert kernels[-1].linux.exists()


def test_a_missing_build_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match="flex bison bc gcc make xz-utils libc6-dev") as caught:
        cache.get_kernel()
    assert caught.value.hint.startswith("sudo apt-get install ")


def test_sources_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KernelError, match=r"linux\.tar\.xz: No such file"):
        cache.get_kernel(tmp_path / "linux.tar.xz")


def test_an_option_that_got_lost_is_noticed() -> None:
    wanted = "# A heading.\nCONFIG_A=y\nCONFIG_B=8\nCONFIG_C=y\n# CONFIG_D is not set\n# CONFIG_E is not set\n"
    config = "CONFIG_A=y\nCONFIG_B=2\n# CONFIG_C is not set\n# CONFIG_D is not set\nCONFIG_E=y\n"
    assert build.lost_options(wanted, config) == ["# CONFIG_E is not set", "CONFIG_B=8", "CONFIG_C=y"]
