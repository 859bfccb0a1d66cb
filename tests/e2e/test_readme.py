"""The README's session, typed on a terminal word for word, shows what the README shows; and the shell for trying it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.demo import session
from tests.demo.demo import GPIOMUX, ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.netns


@pytest.mark.skipif("CI" not in os.environ and shutil.which("tmux") is None, reason="there is no tmux in PATH")
def test_the_session_of_the_readme_is_what_a_terminal_shows() -> None:
    shown = session.session()
    assert len(session.commands(shown)) >= 8
    assert session.comparable(session.replay(session.commands(shown))) == session.comparable(shown)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("0% packet loss", "1% packet loss"),
        ("geth0  carrier", "geth0  no carrier"),
        ("mark 7 to child1", "mark 8 to child1"),
        ("0 damaged", "1 damaged"),
        ("reads 0x8", "reads 0x9"),
        ("netns far", "netns near"),
        ("2 of 2", "1 of 2"),
    ],
)
def test_what_gpiomux_answers_for_is_compared(word: str, other: str) -> None:
    """The placeholders leave no more out than differs by its nature."""
    shown = session.session()
    changed = [line.replace(word, other) for line in shown]
    assert changed != shown
    assert session.comparable(changed) != session.comparable(shown)


FAULTY = """\
links:
  - name: geth0
    mode: net_hdr
    meduim: sim
    wire: {name: cable0, external: true}
    protocol: {reader: 0x12, writer: 0}
"""


def test_the_faults_in_the_readme_are_what_validate_says(tmp_path: Path) -> None:
    (tmp_path / "links.yaml").write_text(FAULTY)
    done = subprocess.run(
        [GPIOMUX, "validate", "links.yaml"], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert textwrap.indent(f"$ gpiomux validate links.yaml\n{done.stdout}", "    ") in session.README.read_text()


def test_the_shell_takes_down_what_was_made_in_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo.shell"],
        input="gpiomux apply configs/two-links.yaml\nip netns list\nfalse\n",
        text=True,
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "+ datapath of geth0" in done.stdout
    assert done.stdout.endswith("far\n")
    # That no process is left behind is checked after every test.
