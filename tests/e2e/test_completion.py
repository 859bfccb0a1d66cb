"""Tab in a shell: verbs, options and the names of what runs, as bash gets them from the script that it sources."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.host import GPIOMUX, ROOT

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns

TWO_LINKS = str(ROOT / "configs" / "two-links.yaml")
PRESS_TAB = """
source <(gpiomux completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_gpiomux_completion gpiomux
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*words: str) -> list[str]:
    """What bash shows for a command line whose last word is not finished."""
    command = ["bash", "-c", PRESS_TAB, "bash", "gpiomux", *words]
    path = f"{Path(GPIOMUX).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(command, text=True, capture_output=True, env={"PATH": path}, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_names_come_from_the_running_daemon(host: Host) -> None:
    host.apply(Path(TWO_LINKS).read_text())
    for words in (("add-child", "geth0", "child1"), ("add-mark", "child1", "7"), ("add-mark", "child1", "0x10")):
        host.gpiomux(*words)
    assert offered("restart", "") == ["geth0", "geth1"]
    assert offered("restart", "geth1") == ["geth1"]
    assert offered("del-child", "") == ["child1"]
    assert offered("del-mark", "child1", "") == ["7", "16"]


def test_verbs_options_and_words_need_no_daemon(host: Host) -> None:
    assert offered("sta") == ["stats", "status"] or offered("sta") == ["status", "stats"]
    assert "--json" in offered("status", "--")
    assert offered("completion", "") == ["bash", "zsh", "fish"]
    assert offered("restart", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(host: Host, shell: str) -> None:
    assert "_GPIOMUX_COMPLETE" in host.gpiomux("completion", shell)


def test_another_shell_is_refused(host: Host) -> None:
    answer = host.ask("completion", "tcsh")
    assert answer.exit_status == 2
    assert "there is one for bash, zsh, fish" in answer.errors
