"""What the test kernel's tools have to say: progress, and the one error."""

from __future__ import annotations

import sys


class KernelError(Exception):
    """The test kernel cannot be built or does not come up; `hint` says what to do, or what a tool had to say."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def report(self) -> str:
        """The error as its reader sees it."""
        return f"error: {self}\n{self.hint}".rstrip()


def say(text: str) -> None:
    """Report progress, on stderr."""
    print(f"test kernel: {text}", file=sys.stderr, flush=True)
