"""The program `gpiomux`: the one place where an error becomes a message and an exit status.

Starting must be fast, so nothing is imported here before it is needed: `gpiomux --version` costs little more than bare
Python.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from gpiomux.version import VERSION

TYPE_CHECKING = False  # as of `typing`, which takes longer to import than all of this module
if TYPE_CHECKING:
    from types import TracebackType

    from gpiomux.cli.verb import Call
    from gpiomux.errors import GpiomuxError

FAILED = 1
"""Also what `plan` and `status --diff` say about any error, because their 2 means that something would change."""
INTERRUPTED = 130
"""As a shell reports a process that SIGINT has ended: 128 + 2."""
BROKEN_PIPE = 141
"""As a shell reports a process that SIGPIPE has ended: 128 + 13."""
DEBUG_VARIABLE = "GPIOMUX_DEBUG"
"""Set to anything, a fault of gpiomux itself shows where it happened."""


def main(arguments: list[str] | None = None) -> int:
    """Perform one command line and return the exit status.

    Args:
        arguments: without the name of the program; None for those of this process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words == ["--version"]:
        print(f"gpiomux {VERSION}")
        return 0
    sys.excepthook = _internal_error
    try:
        return _perform(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        return BROKEN_PIPE
    except OSError as err:
        # Everything else that can fail tells so by an error of ours: what is left is our own output.
        _abandon_stdout()
        print(f"gpiomux: cannot write the output: {err.strerror}", file=sys.stderr)
        return FAILED


def _perform(words: list[str]) -> int:
    """Parse and perform; the exit status of success, or of an error after its message."""
    from gpiomux.cli.parser import parse
    from gpiomux.cli.verbs import COMPLETION_VARIABLE
    from gpiomux.errors import GpiomuxError

    if COMPLETION_VARIABLE in os.environ:
        _complete()
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that this locale cannot write becomes an escape; it is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = (parse(words) or _ask_typer(words)).perform()
    except GpiomuxError as error:
        status = _error_status(words, error.exit_status)
        _tell(error)
    except SystemExit as end:
        # From typer, which has printed the help, or what is wrong with the command line.
        status = _error_status(words, end.code if isinstance(end.code, int) else FAILED)
    if sys.stdout is not None:
        sys.stdout.flush()
    return status


def _ask_typer(words: list[str]) -> Call:
    from gpiomux.cli import app  # late: it costs more than all the rest

    return app.parse(words)


def _complete() -> None:
    from gpiomux.cli import app

    app.complete()


def _error_status(words: list[str], status: int) -> int:
    """Of an error: 2 would mean that something differs where the command line asks for just that."""
    return FAILED if status and (words[:1] == ["plan"] or (words[:1] == ["status"] and "--diff" in words)) else status


def _tell(error: GpiomuxError) -> None:
    """Print an error as every command does: its faults if it has any, then object and cause, then what to do."""
    from gpiomux.cli import output
    from gpiomux.errors import ConfigError

    if isinstance(error, ConfigError):
        for fault in error.faults:
            output.note(fault.render())
    output.note(f"gpiomux: {error.message}")
    if error.hint:
        output.note(f"  hint: {error.hint}")


def _abandon_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail on it again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _internal_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in two lines what a traceback would say in thirty: only a fault of gpiomux itself comes here."""
    if os.environ.get(DEBUG_VARIABLE):
        sys.__excepthook__(kind, error, trace)
        return
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}" if trace is not None else ""
    print(f"gpiomux: internal error: {kind.__name__}: {error}{place}", file=sys.stderr)
    print(f"  hint: please report it, with what {DEBUG_VARIABLE}=1 prints", file=sys.stderr)
