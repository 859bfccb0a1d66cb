"""A thread visits another network namespace and comes back."""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from gpiomux.errors import MachineError
from gpiomux.netdev import netns, syscalls
from gpiomux.netdev.inside import DIRECTORY, THREAD_NETNS, entered, returning

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns


def here() -> str:
    return os.readlink(THREAD_NETNS)


@pytest.fixture
def far() -> Iterator[None]:
    netns.create("far")
    yield
    netns.remove("far")


def test_none_changes_nothing() -> None:
    home = here()
    with entered(None):
        assert here() == home


@pytest.mark.usefixtures("far")
def test_the_thread_is_inside_and_then_back() -> None:
    home = here()
    with entered("far"):
        assert here() != home
        with entered("far"):
            pass
        assert here() != home
    assert here() == home


@pytest.mark.usefixtures("far")
def test_the_thread_comes_back_from_an_error() -> None:
    home = here()
    with pytest.raises(ZeroDivisionError), entered("far"):
        raise ZeroDivisionError
    assert here() == home


@pytest.mark.usefixtures("far")
def test_other_threads_stay_where_they_are() -> None:
    home = here()
    seen = []
    stay, look = threading.Event(), threading.Event()

    def other() -> None:
        stay.set()
        look.wait()
        seen.append(here())

    thread = threading.Thread(target=other)
    thread.start()
    stay.wait()
    with entered("far"):
        look.set()
        thread.join()
    assert seen == [home]


@pytest.mark.usefixtures("far")
def test_a_socket_stays_where_it_was_opened() -> None:
    with entered("far"):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock, pytest.raises(OSError) as caught:
        sock.connect(("127.0.0.1", 9))  # `lo` of a new namespace is down
    assert caught.value.errno == errno.ENETUNREACH


def test_an_unknown_namespace() -> None:
    home = here()
    with pytest.raises(MachineError, match="network namespace nowhere: No such file") as caught, entered("nowhere"):
        pytest.fail("entered")
    assert caught.value.errno == errno.ENOENT
    assert here() == home


def test_a_file_that_is_no_namespace() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    (DIRECTORY / "file").touch()
    try:
        with pytest.raises(MachineError, match="cannot enter the network namespace file") as caught, entered("file"):
            pytest.fail("entered")
        assert caught.value.errno == errno.EINVAL
    finally:
        (DIRECTORY / "file").unlink()


def test_returning_from_a_namespace_without_name() -> None:
    home = here()
    with returning():
        syscalls.unshare(syscalls.CLONE_NEWNET)
        assert here() != home
    assert here() == home
