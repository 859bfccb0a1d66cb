"""Draws the pictures of the manual: `status`, `top` and `scope` as a terminal shows them, and `scope --png`.

`make pictures` writes them into man/, from links over simulated lines in namespaces of their own. What is in them is
what the commands print at that moment; tests/demo/terminal.py is the terminal. Whoever changes them looks at each.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from rich.color import Color
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.demo import demo, session, shell
from tests.demo.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.style import Style

PLACE = demo.ROOT / "man"
FILE = Path("/run/links.yaml")
LINKS = """\
links:
  - name: geth0
    mode: net_hdr
    medium: sim
    wire: {name: cable0, end: a}
    protocol: {reader: 0x12, writer: 0x8}
    addresses: [10.10.0.1/24]
    children:
      - {name: mgmt, marks: [7], addresses: [10.10.7.1/24]}
  - name: geth1
    mode: eth
    medium: sim
    wire: {name: cable1, end: a}
    protocol: {reader: 0x20, writer: 0x21}
  - name: board0
    mode: net_hdr
    medium: sim
    wire: {name: cable0, end: b}
    protocol: {reader: 0x8, writer: 0x12}
    netns: far
    addresses: [10.10.0.2/24]
    children:
      - {name: board-mgmt, marks: [7], addresses: [10.10.7.2/24]}
  - name: board1
    mode: eth
    medium: sim
    wire: {name: cable1, end: b}
    protocol: {reader: 0x21, writer: 0x22}
    netns: far
"""
"""Two cables to a board, which here is a namespace; on the second, the ids of the protocol do not fit."""

COLUMNS, ROWS = 110, 60
FONT_PIXELS, LINE_PIXELS, MARGIN_PIXELS = 15, 19, 16
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
THEME = TerminalTheme(
    (30, 34, 42),
    (220, 223, 228),
    [(40, 44, 52), (224, 108, 117), (152, 195, 121), (229, 192, 123), (97, 175, 239), (198, 120, 221), (86, 182, 194),
     (220, 223, 228)],
)  # fmt: skip
"""Background, foreground, and the eight colours of a dark terminal."""
_CONSOLE = Console()
DIM = 0.6
"""Share of the foreground in text that is to be faint."""


def main() -> int:
    """Draw all pictures; the exit status."""
    demo.prepare("pictures")
    try:
        FILE.write_text(LINKS)
        demo.gpiomux("apply", str(FILE), show=False)
        _wait_for_first_carrier()
        # Before the traffic: what it leaves in the queues would go on for a while.
        with _a_packet():
            _terminal("gpiomux scope --seconds 2 geth0", "terminal-scope.png")
        with _a_packet():
            demo.gpiomux("scope", "--seconds", "2", "--png", str(PLACE / "scope.png"), "geth0", show=False)
        with _traffic():
            _terminal("gpiomux top --count 20", "terminal-top.png")
            _terminal("gpiomux status", "terminal-status.png")
    finally:
        demo.take_down()
    return 0


def _wait_for_first_carrier() -> None:
    while not any(link["carrier"] for link in session.links()):
        time.sleep(0.05)


@contextlib.contextmanager
def _traffic() -> Iterator[None]:
    """Packets without a mark that come and go, and a few to the board's child."""
    bursts = "while :; do ping -q -c 30 -i 0.1 -s 1200 10.10.0.2; sleep 2; done"
    with _running("sh", "-c", bursts), _running("ping", "-q", "-i", "0.3", "-s", "400", "-m", "7", "10.10.7.2"):
        yield


def _a_packet() -> contextlib.AbstractContextManager[None]:
    """A short one and its echo, a moment later than whoever looks for them begins."""
    return _running("sh", "-c", "sleep 1; ping -q -c 1 -s 8 10.10.0.2")


@contextlib.contextmanager
def _running(*words: str) -> Iterator[None]:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _terminal(command: str, name: str) -> None:
    """Type a command into a terminal, and draw what it then shows."""
    with Terminal(shell.command(), shell.environment(), demo.ROOT, columns=COLUMNS, rows=ROWS) as terminal:
        session.wait_for_prompt(terminal, 1)
        terminal.type(command)
        session.wait_for_prompt(terminal, 2)
        lines = terminal.coloured().splitlines()[:-1]
    # Rare colours are kept too: a word that is green stays green.
    _drawn(lines).quantize(64, Image.Quantize.MAXCOVERAGE).save(PLACE / name, "PNG", optimize=True)


def _drawn(lines: list[str]) -> Image.Image:
    fonts = {
        bold: ImageFont.truetype(FONTS / f"DejaVuSansMono{'-Bold' if bold else ''}.ttf", FONT_PIXELS)
        for bold in (False, True)
    }
    advance = fonts[False].getlength("0")
    texts = [Text.from_ansi(line) for line in lines]
    width = max(len(text.plain.rstrip()) for text in texts)
    size = (round(advance * width) + 2 * MARGIN_PIXELS, LINE_PIXELS * len(lines) + 2 * MARGIN_PIXELS)
    picture = Image.new("RGB", size, tuple(THEME.background_color))
    draw = ImageDraw.Draw(picture)
    for row, text in enumerate(texts):
        for column, char in enumerate(text.plain):
            style = text.get_style_at_offset(_CONSOLE, column)
            place = (MARGIN_PIXELS + column * advance, MARGIN_PIXELS + row * LINE_PIXELS)
            draw.text(place, char, fill=_colour(style), font=fonts[bool(style.bold)])
    return picture


def _colour(style: Style) -> tuple[int, int, int]:
    colour = style.color or Color.default()
    red, green, blue = colour.get_truecolor(THEME)
    if style.dim:
        shares = zip((red, green, blue), THEME.background_color, strict=True)
        red, green, blue = (round(front * DIM + back * (1 - DIM)) for front, back in shares)
    return red, green, blue


if __name__ == "__main__":
    sys.exit(main())
