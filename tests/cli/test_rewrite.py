"""gpiomux.cli.rewrite: a file is changed together with the links, or neither is."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.cli.rewrite import Replacement
from gpiomux.config.load import load_text
from gpiomux.config.overlay import edited
from gpiomux.config.plain import config_to_plain
from gpiomux.errors import ConflictError, MachineError
from tests import namespaces
from tests.cli.fake_daemon import plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.cli.fake_daemon import FakeDaemon

TEXT = """\
# mine
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: {name: cable, external: true}
    protocol: {reader: 1, writer: 2}
    children:
      - {name: child1}  # management
"""
WITH_MARK = TEXT.replace("child1}", "child1, marks: [7]}")
ADD = {"verb": "add-mark", "args": {"child": "child1", "mark": 7}}
DONE = plan("+ mark 7 to child1 of geth0")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "links.yaml"
    path.write_text(TEXT)
    return path


def running(path: str, text: str = TEXT, overlay: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An answer to `show`: a file and what was changed since."""
    config = load_text(text, "applied")
    for edit in overlay or []:
        config = edited(config, edit["verb"], edit["args"])
    return {"config": config_to_plain(config), "overlay": overlay or [], "path": path}


@pytest.fixture
def answering(daemon: FakeDaemon, file: Path) -> FakeDaemon:
    """A daemon that has applied the file, and performs what it is asked for."""
    daemon.answers |= {"show": running(str(file)), "add-mark": DONE, "persisted": {}}
    return daemon


def verbs(daemon: FakeDaemon) -> list[str]:
    return [request.verb for request in daemon.requests]


def test_the_file_says_what_the_links_do(run: Run, answering: FakeDaemon, file: Path) -> None:
    assert run("add-mark", "--persist", "child1", "0x7") == (0, f"+ mark 7 to child1 of geth0\n~ file {file}\n", "")
    assert file.read_text() == WITH_MARK
    assert verbs(answering) == ["show", "add-mark", "persisted"]
    assert answering.requests[-1].args == {"edit": ADD}
    assert sorted(os.listdir(file.parent)) == ["links.yaml", "run"]


def test_changes_of_before_do_not_matter(run: Run, answering: FakeDaemon, file: Path) -> None:
    since = [{"verb": "add-child", "args": {"link": "geth0", "child": "child2"}}]
    answering.answers["show"] = running(str(file), overlay=since)
    assert run("add-mark", "--persist", "child1", "7").status == 0
    assert file.read_text() == WITH_MARK


def test_what_was_changed_before_can_be_written_later(run: Run, answering: FakeDaemon, file: Path) -> None:
    answering.answers["show"] = running(str(file), overlay=[ADD])
    assert run("add-mark", "--persist", "child1", "7") == (0, f"~ file {file}\n", "")
    assert file.read_text() == WITH_MARK
    assert verbs(answering) == ["show", "persisted"]


def test_what_the_file_says_already_is_nothing_to_do(run: Run, answering: FakeDaemon, file: Path) -> None:
    file.write_text(WITH_MARK)
    answering.answers |= {"show": running(str(file), WITH_MARK), "add-mark": plan()}
    assert run("add-mark", "--persist", "child1", "7") == (0, "nothing to do\n", "")
    assert file.read_text() == WITH_MARK


def test_a_file_that_was_changed_since_is_refused(run: Run, answering: FakeDaemon, file: Path) -> None:
    for text in (TEXT.replace("child1", "child9"), TEXT.replace("reader: 1", "reader: 3"), "linkz: []\n"):
        file.write_text(text)
        status, out, err = run("add-mark", "--persist", "child1", "7")
        assert (status, out) == (1, "")
        assert err.startswith(f"gpiomux: {file} was changed since it was applied; nothing was changed now\n  hint: ")
        assert file.read_text() == text
    assert set(verbs(answering)) == {"show"}


def test_what_came_through_a_pipe_has_no_file(run: Run, answering: FakeDaemon) -> None:
    answering.answers["show"] = running("")
    status, _, err = run("add-mark", "--persist", "child1", "7")
    assert status == 1
    assert "was not applied from a file" in err
    assert "'gpiomux show > FILE'" in err
    assert verbs(answering) == ["show"]


def test_a_file_that_is_gone_is_named(run: Run, answering: FakeDaemon, file: Path) -> None:
    file.unlink()
    status, _, err = run("add-mark", "--persist", "child1", "7")
    assert (status, verbs(answering)) == (1, ["show"])
    assert f"{file}: No such file or directory; nothing was changed" in err


def test_an_edit_of_what_only_runs_is_refused(run: Run, answering: FakeDaemon, file: Path) -> None:
    since = [{"verb": "add-child", "args": {"link": "geth0", "child": "child2"}}]
    answering.answers["show"] = running(str(file), overlay=since)
    status, _, err = run("add-mark", "--persist", "child2", "7")
    assert (status, verbs(answering)) == (2, ["show"])
    assert f"{file}: there is no child" in err
    assert "nothing was changed" in err


def test_what_the_daemon_refuses_leaves_the_file(run: Run, answering: FakeDaemon, file: Path) -> None:
    answering.answers["add-mark"] = ConflictError("not now")
    assert run("add-mark", "--persist", "child1", "7") == (1, "", "gpiomux: not now\n")
    assert file.read_text() == TEXT
    assert sorted(os.listdir(file.parent)) == ["links.yaml", "run"]


def test_a_directory_that_cannot_be_written_stops_everything(
    run: Run, answering: FakeDaemon, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    status, out, err = run("add-mark", "--persist", "child1", "7")
    assert (status, out, verbs(answering)) == (1, "", ["show"])
    assert f"{file} cannot be written: Permission denied; nothing was changed\n  hint: " in err


# ---- Replacement


def test_owner_mode_and_symbolic_link_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    if namespaces.has_other_users():
        os.chown(file, 1234, 4321)
    before = file.stat()
    link = tmp_path / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to("../links.yaml")
    with Replacement(str(link), TEXT, "new\r\n") as replacement:
        assert file.read_text() == TEXT
        replacement.put()
    assert link.is_symlink()
    after = file.stat()
    assert file.read_bytes() == b"new\r\n"
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, before.st_uid, before.st_gid)


def test_what_somebody_else_has_written_meanwhile_is_not_overwritten(file: Path) -> None:
    with Replacement(str(file), TEXT, "new\n") as replacement:
        file.write_text("theirs\n")
        with pytest.raises(ConflictError, match="the links are changed, the file is not"):
            replacement.put()
    assert file.read_text() == "theirs\n"
    assert sorted(os.listdir(file.parent)) == ["links.yaml"]


def test_a_replacement_that_is_not_put_leaves_nothing(file: Path) -> None:
    with Replacement(str(file), TEXT, "new\n"):
        assert len(os.listdir(file.parent)) == 2
    assert os.listdir(file.parent) == ["links.yaml"]
    assert file.read_text() == TEXT


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MachineError, match="No space left on device; nothing was changed") as caught:
        Replacement(str(file), TEXT, "new\n")
    assert caught.value.errno == 28
    assert (os.listdir(file.parent), file.read_text()) == (["links.yaml"], TEXT)
