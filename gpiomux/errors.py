"""Every error gpiomux raises on purpose, in one tree.

    GpiomuxError                      exit status 1
    ├── UsageError                    2   the command line or a request is wrong
    ├── ConfigError                   2   the configuration is wrong; carries every Fault
    ├── UnsupportedError              1   this kernel or machine cannot do it
    ├── MachineError (OSError)        1   the kernel refused an operation; errno is kept
    ├── ConflictError                 1   something that we may not touch is in the way
    ├── DaemonError                   3   gpiomuxd is not running or does not answer
    └── ProtocolError (ValueError)    1   bytes from a peer or client make no sense

Only `gpiomux.cli` and the two `main` functions turn an error into an exit status. An error states the object, the
cause and, as `hint`, what to do about it; where nobody can know better, what usually helps. The statuses are listed in
gpiomux(1), all messages in tests/messages.txt.
"""

from __future__ import annotations

import errno as numbers

from gpiomux.frozen import Frozen

REMEDIES = {
    numbers.EPERM: "this needs root, or the capabilities that 'gpiomux doctor' names",
    numbers.EACCES: "become root, or let this user in: 'ls -l' and 'ls -ld' of its directory show who may",
    numbers.ENOSPC: "make room on the file system, or in the kernel's tables that its log names",
    numbers.EDQUOT: "make room in the user's quota",
    numbers.EROFS: "make the file system writable, or choose another place (GPIOMUX_RUN_DIR for the run directory)",
    numbers.ENOMEM: "free memory, or raise the limit of gpiomuxd (MemoryMax= of its unit)",
    numbers.EMFILE: "raise the limit of open files of gpiomuxd (LimitNOFILE= of its unit)",
    numbers.ENFILE: "raise the limit of open files of the machine (sysctl fs.file-max)",
    numbers.EAGAIN: "try again; if it was a process that could not start, raise their limit (TasksMax= of the unit)",
    numbers.EBUSY: "end what uses it, then try again",
    numbers.EINTR: "try again",
    numbers.ENODEV: "look whether the device is still there: ip link, gpioinfo",
}
"""Error number -> what usually helps."""


class GpiomuxError(Exception):
    """The base of all errors below; never raised itself.

    Attributes:
        message: object and cause, one line, no trailing full stop.
        hint: what the user can do, one line; `remedy` where no better one is given.
    """

    exit_status: int = 1
    remedy: str = ""
    """What usually helps."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.remedy

    def __str__(self) -> str:
        return self.message

    def told(self) -> str:
        """Message and hint in one line, as the log has them where no client is told."""
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class UsageError(GpiomuxError):
    """A command line or a request names something that does not exist or makes no sense."""

    exit_status = 2


class Fault(Frozen):
    """One mistake in a configuration file."""

    file: str
    """As the user named it."""
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    path: str
    """Where in the document, for example `links[1].lines.out`; empty for the document itself."""
    message: str
    """What is wrong."""
    expected: str = ""
    """What would be right, or a suggestion; may be empty."""
    source_line: str = ""
    """The text of the offending line, for the caret; empty where the file has no such line."""

    def render(self) -> str:
        """The fault as a user sees it: `file:line:column: path: message`, the line, a caret, what was expected."""
        place = f"{self.file}:{self.line}:{self.column}"
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        if self.source_line:
            shown = self.source_line.replace("\t", " ")
            text += f"\n    {shown}\n    {' ' * (self.column - 1)}^"
        if self.expected:
            text += f"\n    {self.expected}"
        return text


class ConfigError(GpiomuxError):
    """A configuration is not usable; `faults` lists everything that is wrong with it, in file order."""

    exit_status = 2

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        count = len(faults)
        super().__init__(f"{count} fault{'s' if count != 1 else ''} in the configuration")


class UnsupportedError(GpiomuxError):
    """The kernel, its options or the machine's permissions do not allow what is asked."""


class MachineError(GpiomuxError, OSError):
    """The kernel refused an operation.

    Attributes:
        errno: the kernel's error number.
    """

    remedy = "'gpiomux doctor' looks for what is missing, and the kernel's log (dmesg) may say more"

    def __init__(self, message: str, *, errno: int, hint: str = "") -> None:
        GpiomuxError.__init__(self, message, hint=hint or REMEDIES.get(errno, ""))
        self.errno = errno


class ConflictError(GpiomuxError):
    """Something is in the way that nobody asked us to touch: an object without our tag, or a change at run time."""


class DaemonError(GpiomuxError):
    """The daemon is not running, does not answer, or breaks off."""

    exit_status = 3
    remedy = "'gpiomux doctor' looks for what is missing, and the log of gpiomuxd may say more"


class ProtocolError(GpiomuxError, ValueError):
    """Bytes received from a peer, a file or a socket client do not follow the format."""

    remedy = "both programs should be of the same version of gpiomux: see gpiomux --version and gpiomuxd --version"
