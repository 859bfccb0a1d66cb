"""gpiomux.cli.top: the links again and again, against a daemon that speaks the real protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli import answers
from tests.cli.commands import spawn

if TYPE_CHECKING:
    from gpiomux.rundir import RunDir
    from tests.cli.fake_daemon import FakeDaemon


def test_so_many_looks_and_no_more(daemon: FakeDaemon) -> None:
    daemon.answers = {"status": answers.status(), "stats": {"links": []}}
    with spawn("top", "--count", "2", "--interval", "1") as watching:
        shown, errors = watching.communicate()
    assert (watching.returncode, errors) == (0, "")
    assert shown.count("0 of 0 with a carrier") == 2
    assert [request.verb for request in daemon.requests] == ["status", "stats"] * 2
    assert daemon.requests[1].args == {"total": True}


def test_it_ends_with_the_daemon_and_starts_no_other(daemon: FakeDaemon, rundir: RunDir) -> None:
    daemon.answers = {"status": answers.status(), "stats": {"links": []}}
    with spawn("top", "--interval", "1") as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert "with a carrier" in watching.stdout.readline()
        rundir.control_socket.unlink()
        watching.stdout.read()
        assert watching.wait() == 3
        assert watching.stderr.read().startswith("gpiomux: gpiomuxd is not running\n")
    assert not rundir.control_socket.exists()
