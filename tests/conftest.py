"""What holds for every test: a private world around it, and nothing left behind.

The whole run lives in network and mount namespaces of its own (tests/namespaces.py), so no test can reach the
machine's interfaces, namespaces or /run, whoever starts it. A test marked `netns` gets an empty network of its own
inside. Where the machine allows no namespaces or no TUN device such tests are skipped with the reason; with the
environment variable CI set they fail instead, because there nobody reads the reasons.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator

collect_ignore = ["packaging"]
"""Needs the network of the machine: `make test-packages` runs it without this file."""
RUN_DIRECTORY = Path("/run/gpiomux")
GRACE_S = 10.0
"""How long a process that was told to end may take before it counts as left behind."""

# No deadline: the time one example takes says nothing on a loaded machine. In CI the examples are always the same.
settings.register_profile("gpiomux", deadline=None, print_blob=True, derandomize="CI" in os.environ)

_refusal = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Enter the private world before the first test; remember why it is not to be had."""
    settings.load_profile("gpiomux")
    # Whoever was started in the background by a shell without job control ignores it, and so would every test.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Inside a user namespace every look-up says root, and pytest would fight root for its temporary directory.
    os.environ.setdefault("LOGNAME", str(os.getuid()))
    try:
        namespaces.enter_private()
        config.stash[_refusal] = namespaces.tun_refusal()
    except OSError as err:
        config.stash[_refusal] = f"no private namespaces for this user: {err}"
    namespaces.reap_orphans()


def pytest_report_header(config: pytest.Config) -> str:
    """Say at the top what the tests marked `netns` will do."""
    return f"netns: {config.stash[_refusal] or 'real interfaces, in private namespaces'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests on real interfaces come last: what is wrong below them shows sooner and clearer elsewhere."""
    items.sort(key=lambda item: item.get_closest_marker("netns") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that this machine cannot run, or fail it in CI."""
    reason = item.config.stash[_refusal]
    if reason and item.get_closest_marker("netns"):
        if "CI" in os.environ:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves a descriptor, a process, an interface, a namespace or a run directory."""
    descriptors = _descriptors()
    children = namespaces.child_processes()
    interfaces = namespaces.interfaces()
    yield
    left = [f"process {pid}: {command}" for pid, command in _end_children(children).items()]
    if _opened_since(descriptors):
        gc.collect()  # a reference circle may hold a descriptor that nobody can reach any more; slow, so only then
    left += _opened_since(descriptors)
    left += [f"interface {name}" for name in namespaces.interfaces() - interfaces]
    for name in namespaces.network_names():
        left.append(f"network namespace {name}")
        _remove_network(name)
    if RUN_DIRECTORY.exists():
        left += [f"file {path}" for path in (RUN_DIRECTORY, *RUN_DIRECTORY.rglob("*"))]
        shutil.rmtree(RUN_DIRECTORY)
    if left:
        pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest, nothing_left: None) -> Iterator[None]:
    """Give a test marked `netns` an empty network namespace: the thread of the test and all that it starts."""
    if request.node.get_closest_marker("netns") is None:
        yield
        return
    with namespaces.fresh_network():
        yield


def _descriptors() -> dict[int, str]:
    """What is open in this process: number and target."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
    return found


def _opened_since(before: dict[int, str]) -> list[str]:
    """The descriptors that were not there before, as lines for the message."""
    return [f"descriptor {fd}: {name}" for fd, name in _descriptors().items() if before.get(fd) != name]


def _end_children(before: dict[int, str]) -> dict[int, str]:
    """Wait for new children that are about to end, kill and return those that stay."""
    give_up = time.monotonic() + GRACE_S
    while True:
        left = {pid: command for pid, command in namespaces.child_processes().items() if pid not in before}
        if not left or time.monotonic() > give_up:
            break
        time.sleep(0.02)
    with contextlib.suppress(ChildProcessError):
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        # What ended by itself, orphans that were handed to this process included (namespaces.reap_orphans).
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return left


def _remove_network(name: str) -> None:
    """Take a named namespace away as `ip netns del` does; a plain file in its place goes as well."""
    path = namespaces.NETNS_DIRECTORY / name
    namespaces.unmount(path)
    path.unlink()
