"""The text of a configuration file, and how a fault names a place in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from gpiomux.errors import ConfigError, Fault

Path = tuple[str | int, ...]
"""Keys and indices from the top of the document."""

LIMIT_BYTES = 1 << 20
LIMIT_SHOWN = 160
"""Characters of a source line that a fault shows."""

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""As libyaml counts lines; str.splitlines knows more."""
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""All that is not c-printable in YAML 1.2, chapter 5.1."""
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Position(NamedTuple):
    """Line and column, both from 1, the column in characters."""

    line: int
    column: int


TOP = Position(1, 1)


class Refusal(NamedTuple):
    """Why a text stands for no value."""

    message: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The lines of one file, for the faults found in it."""

    file: str
    """As the user named it."""
    lines: tuple[str, ...]

    def fault(self, position: Position, path: Path, message: str, expected: str = "") -> Fault:
        """A fault at a place; a place behind the end of the text becomes the end of its last line."""
        line, column = position
        if line > len(self.lines):
            line, column = len(self.lines), len(self.lines[-1]) + 1
        shown = self.lines[line - 1] if column <= LIMIT_SHOWN else ""
        return Fault(
            file=self.file,
            line=line,
            column=column,
            path=path_text(path),
            message=message,
            expected=expected,
            source_line=_FORBIDDEN.sub("\ufffd", shown[:LIMIT_SHOWN]),
        )


def path_text(path: Path) -> str:
    """`links[1].lines.out`, as faults name a place in the document."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step)}]"
    return text


def quoted(text: str) -> str:
    """Text in quotes, on one line, cut to a length that fits into a message."""
    return repr(text if len(text) <= LIMIT_SHOWN // 4 else f"{text[: LIMIT_SHOWN // 4]}...")


def decode(data: bytes, file: str) -> str:
    """The text of a file.

    Raises:
        ConfigError: the bytes are too many, or not UTF-8.
    """
    if len(data) > LIMIT_BYTES:
        raise _too_large(file)
    try:
        return data.decode()
    except UnicodeDecodeError as err:
        text = Text(file=file, lines=_split(data.decode(errors="replace")))
        place = _end_of(data[: err.start].decode())
        message = f"byte 0x{data[err.start]:02x} is not UTF-8"
        raise ConfigError((text.fault(place, (), message, "save the file as UTF-8 text"),)) from err


def open_text(content: str, file: str) -> Text:
    """The lines of `content`, which must be text that YAML allows.

    libyaml would name the place of a forbidden character by an offset in bytes, and PyYAML cannot hand lone
    surrogates to it.

    Raises:
        ConfigError: the text is too large, or holds a character that YAML does not allow.
    """
    if len(content) > LIMIT_BYTES:
        raise _too_large(file)
    text = Text(file=file, lines=_split(content))
    found = _FORBIDDEN.search(content)
    if found is not None:
        message = f"the character U+{ord(found[0]):04X} is not allowed in YAML"
        fault = text.fault(
            _end_of(content[: found.start()]), (), message, "remove it; between double quotes \\x or \\u can name it"
        )
        raise ConfigError((fault,))
    return text


def _too_large(file: str) -> ConfigError:
    text = Text(file=file, lines=("",))
    return ConfigError((text.fault(TOP, (), "the file is too large", f"expected at most {LIMIT_BYTES} bytes"),))


def _split(content: str) -> tuple[str, ...]:
    return tuple(_LINE_BREAK.split(content))


def _end_of(content: str) -> Position:
    lines = _LINE_BREAK.split(content)
    return Position(len(lines), len(lines[-1]) + 1)
