"""What an unquoted YAML scalar means: the core schema of YAML 1.2, chapter 10.3, and nothing else.

YAML 1.1, which PyYAML resolves by default, reads 12:34:56 as a sexagesimal number, `no` as false and 0660 as octal.
Here a MAC address stays text, and so does `no`; a number that the two versions read differently is refused.
"""

from __future__ import annotations

import math
import re

from gpiomux.config.text import Refusal

Scalar = bool | int | float | str | None

LONGEST_NUMBER = 40
"""Characters; far beyond 2^64, far below what makes Python's int() slow."""

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OCTAL_OF_1_1 = re.compile(r"[-+]?0[0-9]+")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolve(text: str) -> Scalar | Refusal:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        return Refusal(f"{text} is not a finite number", "expected a number, or text in quotes")
    if _HEX.fullmatch(text) or _OCTAL.fullmatch(text) or _FLOAT.fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> int | float | Refusal:
    """The number that `text`, which looks like one, stands for."""
    if len(text) > LONGEST_NUMBER:
        return Refusal(f"the number {text[:16]}... has {len(text)} characters", f"expected at most {LONGEST_NUMBER}")
    if _OCTAL_OF_1_1.fullmatch(text):
        return Refusal(
            f"{text} is octal in YAML 1.1 and decimal in YAML 1.2",
            f'put it in quotes if it is text or a file mode: "{text}"; write a number without leading zeros',
        )
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text) or _OCTAL.fullmatch(text):
        return int(text, 0)
    number = float(text)
    return number if math.isfinite(number) else Refusal(f"the number {text} is too large", "expected a finite number")
