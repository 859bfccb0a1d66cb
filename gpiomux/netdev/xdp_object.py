"""XDP programs of an ELF object, as compilers make them: loaded by libbpf.so.1, with the maps that they use.

libbpf is called through ctypes, and loaded only when an object is: no other package has its relocations, its maps and
its knowledge of old kernels. Signatures are from bpf/libbpf.h of libbpf 1.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from gpiomux.errors import MachineError, UnsupportedError
from gpiomux.netdev.bpf_objects import XDP, OpenProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = "libbpf.so.1"
LIMIT_BYTES = 1 << 24
"""More than any object that the kernel would take."""

_UNSPECIFIED = 0  # BPF_PROG_TYPE_UNSPEC: libbpf does not know the section; old iproute2 objects have `prog`
_LOG_LINES = 20
"""Of libbpf's log, the last ones, where the reason stands; a verifier may say thousands."""
_LINE_BYTES = 1 << 16
_WARNING = 0  # LIBBPF_WARN; the others tell each step
_OWN_ERRORS = 4000  # __LIBBPF_ERRNO__START: numbers that are not the kernel's
_PRINTER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_SILENT = _PRINTER(0)
"""A null pointer: libbpf prints nothing."""


class _OpenOptions(ctypes.Structure):
    """The beginning of struct bpf_object_open_opts."""

    _fields_ = (("size_bytes", ctypes.c_size_t), ("object_name", ctypes.c_char_p))


def read_object(path: str) -> bytes:
    """The content of an object file.

    Raises:
        OSError: it is no file (EINVAL), too large (EFBIG), or cannot be read.
    """
    # Not opened before it is known to be a file: a pipe may stop us, and /dev/watchdog would restart the machine.
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with open(f"/proc/self/fd/{place}", "rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    finally:
        os.close(place)
    if len(content) > LIMIT_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content


def digest_of(content: bytes) -> str:
    """What tells one content of an object file from another."""
    return hashlib.sha256(content).hexdigest()


def require_library() -> None:
    """Make sure that objects can be loaded.

    Raises:
        UnsupportedError: libbpf is not installed.
    """
    _library()


def load_object(path: str, name: str | None) -> OpenProgram:
    """Load one program of an object; the maps that it uses live as long as it does.

    *Threads and processes:* one thread at a time, because libbpf has one log.

    Args:
        path: of the object.
        name: of the program; None: the only XDP program in it.

    Raises:
        UnsupportedError: libbpf is not installed.
        MachineError: the file cannot be read (its errno), is no object or has no such program (EINVAL), or the kernel
            refuses it; the hint is what libbpf says.
    """
    libbpf = _library()
    try:
        content = read_object(path)
    except OSError as err:
        hint = f"name a file that gpiomuxd can read: ls -l {path}"
        raise MachineError(f"cannot read {path}: {err.strerror}", errno=err.errno or 0, hint=hint) from err
    with _log(libbpf) as said:
        options = _OpenOptions(ctypes.sizeof(_OpenOptions), os.fsencode(os.path.basename(path)))
        opened = libbpf.bpf_object__open_mem(content, len(content), ctypes.byref(options))
        if not opened:
            raise _refused(f"{path} is no BPF object", said)
        try:
            program = _choose(libbpf, opened, path, name)
            _unpin(libbpf, opened)
            if libbpf.bpf_object__load(opened):
                raise _refused(f"{path}: cannot load {_name(libbpf, program)}", said)
            fd = os.dup(libbpf.bpf_program__fd(program))
        finally:
            libbpf.bpf_object__close(opened)
    return OpenProgram(fd=fd, digest=digest_of(content))


@cache
def _library() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError as err:
        hint = "install libbpf 1: package libbpf1 of Debian and Ubuntu, libbpf of Fedora and Arch Linux"
        raise UnsupportedError(f"XDP programs from files need {LIBRARY}: {err}", hint=hint) from err
    address, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    signatures: dict[str, tuple[Any, ...]] = {
        "libbpf_set_print": (address, _PRINTER),
        "bpf_object__open_mem": (address, text, ctypes.c_size_t, address),
        "bpf_object__next_program": (address, address, address),
        "bpf_object__next_map": (address, address, address),
        "bpf_map__set_pin_path": (number, address, text),
        "bpf_object__load": (number, address),
        "bpf_object__close": (None, address),
        "bpf_program__name": (text, address),
        "bpf_program__type": (number, address),
        "bpf_program__set_type": (number, address, number),
        "bpf_program__set_autoload": (number, address, ctypes.c_bool),
        "bpf_program__fd": (number, address),
    }
    for function, (result, *arguments) in signatures.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def _choose(libbpf: Any, opened: int, path: str, name: str | None) -> int:
    """The wanted program of an object; the others will not be loaded."""
    programs: list[int] = []
    while program := libbpf.bpf_object__next_program(opened, programs[-1] if programs else None):
        programs.append(program)
    usable = [it for it in programs if libbpf.bpf_program__type(it) in (XDP, _UNSPECIFIED)]
    chosen = [it for it in usable if name is None or _name(libbpf, it) == name]
    if len(chosen) != 1:
        has = ", ".join(_name(libbpf, it) for it in usable) or "none"
        lacks = "just one XDP program" if name is None else f"an XDP program {name}"
        raise MachineError(
            f"{path} does not have {lacks}; it has: {has}",
            errno=errno.EINVAL,
            hint="choose one of them by its name" if usable else 'compile it with SEC("xdp")',
        )
    for it in programs:
        libbpf.bpf_program__set_autoload(it, it == chosen[0])
    libbpf.bpf_program__set_type(chosen[0], XDP)
    return chosen[0]


def _unpin(libbpf: Any, opened: int) -> None:
    """Give each map to this program alone: under the name that an object wants for one, in /sys/fs/bpf, somebody else's
    may stand, which libbpf would take, and what it puts there stays when the program is detached."""
    place = None
    while place := libbpf.bpf_object__next_map(opened, place):
        libbpf.bpf_map__set_pin_path(place, None)


def _name(libbpf: Any, program: int) -> str:
    text: bytes = libbpf.bpf_program__name(program)
    return text.decode(errors="replace")


@contextmanager
def _log(libbpf: Any) -> Iterator[list[str]]:
    """What libbpf says within the block, instead of printing it."""
    said: list[str] = []
    line = ctypes.create_string_buffer(_LINE_BYTES)

    def take(level: int, form: bytes, arguments: int) -> int:
        if level != _WARNING:
            return 0
        # A va_list goes through as it came: where it is no pointer, the ABI hands over a pointer to it.
        length: int = _vsnprintf(line, _LINE_BYTES, form, arguments)
        said.extend(text.removeprefix("libbpf: ") for text in line.value.decode(errors="replace").splitlines())
        return length

    printer = _PRINTER(take)
    libbpf.libbpf_set_print(printer)
    try:
        yield said
    finally:
        libbpf.libbpf_set_print(_SILENT)


_vsnprintf = ctypes.CDLL(None).vsnprintf
_vsnprintf.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)


def _refused(what: str, said: list[str]) -> MachineError:
    number = ctypes.get_errno()
    number = number if 0 < number < _OWN_ERRORS else errno.EINVAL
    lines = [line.strip() for line in said if line.strip() and not line.startswith("--")]
    return MachineError(f"{what}: {os.strerror(number)}", errno=number, hint="; ".join(lines[-_LOG_LINES:]))
