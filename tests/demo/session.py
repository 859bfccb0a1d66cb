"""The session that the README shows: read from there, typed into a terminal, and held against it line by line.

`python -m tests.demo.session` types it anew and prints what it then is, for the README. What may differ: VARYING.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from tests.demo import demo, shell
from tests.demo.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

README = demo.ROOT / "README.md"
COLUMNS, ROWS = 100, 50
BLOCK = re.compile(r"^    # gpiomux apply (?:.*\n)(?:(?:    .*)?\n)*?    # exit\n", re.MULTILINE)
"""The session in the README: from the first command to the last, indented as code is."""

VARYING = (
    (r"\bpid \d+", "pid N"),
    (r"\bepoch 0x[0-9a-f]+", "epoch N"),
    (r"\bup \d+ (?:s|min(?: \d+ s)?)", "up T"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE"),
    (r"^/.*/(?=configs/)", "CHECKOUT/"),
    (r"\btime[= ][\d.]+ ?ms", "time T"),
    (r"min/avg/max/mdev = [\d./]+ ms(?:, pipe \d+)?", "min/avg/max/mdev = T"),
    (r"^  lines      (?:asleep|polling), .*(?:\n {13}.*)*", "  lines      COUNTERS"),
    (r"^  marks      .*(?:\n {13}.*)*", "  marks      METHOD"),
    (r"peer: \d+ frames received, 0 damaged, 0 of \d+ bits", "peer: N frames received, 0 damaged, 0 of N bits"),
    (r"^  traffic    in .*(?:\n {13}.*)*", "  traffic    RATES"),
    (r" *\b[\d.]+ [kM]?bit/s(?: *[▁▂▃▄▅▆▇█]+)? *", " RATE "),
    (r"\b(state|marks) +in +out\b *", r"\1 in out "),
)
"""What differs from one session to the next by its nature, and what is compared instead: numbers of processes, epochs,
times, the place of the checkout, counters of a moment, how the kernel carries marks, rates with their sparklines and
the blanks that make columns of them."""


def session() -> list[str]:
    """The lines of the session in the README.

    Raises:
        ValueError: there is none, or more than one.
    """
    (block,) = BLOCK.findall(README.read_text())
    return textwrap.dedent(block).splitlines()


def commands(lines: Sequence[str]) -> list[str]:
    """What is typed in a session."""
    return [line.removeprefix(shell.PROMPT) for line in lines if line.startswith(shell.PROMPT)]


def comparable(lines: Sequence[str]) -> list[str]:
    """Lines with a placeholder for each part that differs by nature."""
    made = "\n".join(lines)
    for pattern, placeholder in VARYING:
        made = re.sub(pattern, placeholder, made, flags=re.MULTILINE)
    return made.splitlines()


def replay(typed: Sequence[str]) -> list[str]:
    """Type commands into a shell on a terminal, in this process's namespaces, each when the one before is done.

    The last one is `exit`, which ends the shell.

    Raises:
        TerminalError: a command hangs.
    """
    with Terminal(shell.command(), shell.environment(), demo.ROOT, columns=COLUMNS, rows=ROWS) as terminal:
        shown = wait_for_prompt(terminal, 1)
        for number, command in enumerate(typed[:-1], 2):
            terminal.type(command)
            shown = wait_for_prompt(terminal, number)
            if command.startswith("gpiomux apply"):
                wait_for_carrier()
        return [*shown[:-1], shell.PROMPT + typed[-1]]


def wait_for_carrier() -> None:
    """Until every link has one: whoever reads what was printed before typing on takes longer than that.

    Raises:
        StepError: gpiomux answers no more.
    """
    while not all(link["carrier"] for link in links()):
        time.sleep(0.05)


def links() -> list[dict[str, object]]:
    """What `status` tells of each link.

    Raises:
        StepError: gpiomux answers no more.
    """
    done = subprocess.run([demo.GPIOMUX, "status", "--json"], text=True, capture_output=True)
    demo.require(done.returncode == 0, done.stderr)
    links: list[dict[str, object]] = json.loads(done.stdout)["links"]
    return links


def wait_for_prompt(terminal: Terminal, number: int) -> list[str]:
    """Wait for the prompt of this number; what is shown then.

    Raises:
        TerminalError: the command before it hangs.
    """
    prompt = shell.PROMPT.rstrip()
    return terminal.wait_for(
        lambda lines: lines and lines[-1] == prompt and sum(line.startswith(prompt) for line in lines) == number,
        f"there is no prompt number {number}",
    )


def main() -> int:
    """Print the README's session as it is now."""
    demo.prepare("session")
    try:
        print(textwrap.indent("\n".join(replay(commands(session()))), "    ", lambda line: line.strip() != ""))
    finally:
        demo.take_down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
