"""A kernel with GPIO chips and the aggregator driver, as a plain tree: what files and directories of it do.

Only what the driver's documentation and its source promise (drivers/gpio/gpio-aggregator.c, fs/configfs): attributes
come and go with their directory, `live` makes and removes a device, `new_device` says nothing of what it makes. It
may be told to refuse one step. The test kernel (tests/kernel) shows the same against the real thing.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gpiod
from gpiod.line import Direction

from gpiomux.aggregator import configfs, device, sysfs
from gpiomux.aggregator.kernel_files import refused
from gpiomux.aggregator.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

AGGREGATOR = "gpio-aggregator"
LINE = {"name": "", "used": False, "consumer": ""}


class FakeKernel:
    """Below a directory, and in place of the calls that reach the kernel.

    Attributes:
        roots: where everything is.
        log: what was made, removed and written below /sys, in order.
        refuse_at: the step that fails, counted from 0 over `log`; None: none.
        refusal: the number of the error then.
        dumb: devices are made without a chip, as when their lines cannot be had and only the log says so.
    """

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.roots = Roots(
            sys=directory / "sys",
            dev=directory / "dev",
            proc=directory / "proc",
            modules=directory / "modules",
            run=directory / "run",
        )
        self.log: list[str] = []
        self.refuse_at: int | None = None
        self.refusal = errno.EIO
        self.dumb = False
        for path in (self.roots.devices, self.roots.driver, self.roots.groups, self.roots.dev, self.roots.proc):
            path.mkdir(parents=True)
        for name in ("new_device", "delete_device", "bind", "unbind"):
            (self.roots.driver / name).touch()
        self._mkdir, self._rmdir = os.mkdir, os.rmdir
        monkeypatch.setattr(os, "mkdir", self._make_directory)
        monkeypatch.setattr(os, "rmdir", self._remove_directory)
        monkeypatch.setattr(gpiod, "Chip", FakeChip)
        for module in (configfs, sysfs, device):
            monkeypatch.setattr(module, "write_patiently", self._write)
        for module in (configfs, device):
            monkeypatch.setattr(module, "write", self._write)

    def chip(self, label: str, lines: Sequence[str | None]) -> Path:
        """A chip with lines of these names."""
        number = next(number for number in range(99) if not (self.roots.dev / f"gpiochip{number}").exists())
        node = self.roots.dev / f"gpiochip{number}"
        node.write_text(json.dumps({"label": label, "lines": [{**LINE, "name": name or ""} for name in lines]}))
        return node

    def platform_device(self, name: str, driver: str = "", override: str = "(null)") -> None:
        """A device that was there before, bound to a driver or not."""
        place = self.roots.devices / name
        place.mkdir()
        (place / "driver_override").write_text(f"{override}\n")
        if driver:
            below = self.roots.platform / "drivers" / driver
            below.mkdir(exist_ok=True)
            for attribute in ("bind", "unbind"):
                (below / attribute).touch()
            (place / "driver").symlink_to(below)

    def hold(self, label: str, offset: int, consumer: str) -> None:
        """Let somebody hold a line."""
        self._change_line(label, offset, used=True, consumer=consumer)

    def rename(self, label: str, offset: int, name: str) -> None:
        """Give a line another name."""
        self._change_line(label, offset, name=name)

    def _change_line(self, label: str, offset: int, **values: object) -> None:
        for node in self.roots.dev.iterdir():
            about = json.loads(node.read_text())
            if about["label"] == label:
                about["lines"][offset] |= values
                node.write_text(json.dumps(about))

    def snapshot(self) -> dict[str, str]:
        """Everything that is there, links and contents included."""
        found = {}
        for root in (self.roots.sys, self.roots.dev, self.roots.run):
            for path in sorted(root.rglob("*")):
                content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
                found[str(path)] = content
        return found

    # What the kernel does.

    def _step(self, text: str) -> None:
        fd = os.open(self.roots.driver, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise AssertionError(f"{text} without the lock")
        except BlockingIOError:
            pass
        finally:
            os.close(fd)
        self.log.append(text)
        if self.refuse_at == len(self.log) - 1:
            raise OSError(self.refusal, os.strerror(self.refusal))

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.roots.sys / "bus/platform" if self._is_platform(path) else self.roots.groups))

    def _is_platform(self, path: Path) -> bool:
        return path.is_relative_to(self.roots.platform)

    def _make_directory(self, path: str | Path, mode: int = 0o777) -> None:
        place = Path(path)
        if not place.is_relative_to(self.roots.groups) or place == self.roots.groups:
            self._mkdir(path, mode)
            return
        self._step(f"mkdir {self._shown(place)}")
        self._mkdir(path)
        attributes = {"live": "0\n", "dev_name": f"{AGGREGATOR}.{self._free_number()}\n"}
        if place.parent != self.roots.groups:
            attributes = {"key": "\n", "offset": "-1\n", "name": "\n"}
        for name, text in attributes.items():
            (place / name).write_text(text)

    def _remove_directory(self, path: str | Path, **options: Any) -> None:
        place = Path(path)
        if not place.is_relative_to(self.roots.groups) or place == self.roots.groups:
            self._rmdir(path, **options)
            return
        self._step(f"rmdir {self._shown(place)}")
        if any(below.is_dir() for below in place.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        for attribute in place.iterdir():
            attribute.unlink()
        self._rmdir(path)

    def _write(self, path: Path, text: str, *_: object) -> None:
        if not path.is_file():
            raise refused(path, errno.ENOENT)
        try:
            self._step(f"{self._shown(path)} <- {text.rstrip()}")
            acts: dict[str, Callable[[Path, str], None]] = {
                "live": self._go_live,
                "new_device": self._new_device,
                "delete_device": self._delete_device,
                "bind": self._bind,
                "unbind": self._unbind,
            }
            acts.get(path.name, self._store)(path, text)
        except OSError as err:
            raise refused(path, err.errno or 0) from err

    def _store(self, path: Path, text: str) -> None:
        shown = "(null)" if path.name == "driver_override" and not text.strip() else text.strip()
        path.write_text(f"{shown}\n")

    def _go_live(self, path: Path, text: str) -> None:
        name = (path.parent / "dev_name").read_text().strip()
        if text == "0":
            self._remove_device(name)
        else:
            groups = sorted(path.parent.glob("line*"), key=lambda below: int(below.name.removeprefix("line")))
            if not groups or self.dumb:
                raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
            self._make_device(name, [_line_of(below) for below in groups])
        path.write_text(f"{text}\n")

    def _new_device(self, path: Path, text: str) -> None:
        words = text.split()
        pairs = [
            (label, int(offset))
            for label, offsets in zip(words[::2], words[1::2], strict=True)
            for offset in offsets.split(",")
        ]
        number = self._free_number()
        mirror = self.roots.groups / f"{sysfs.MIRROR}{number}"
        self._mkdir(mirror)
        (mirror / "dev_name").write_text(f"{AGGREGATOR}.{number}\n")
        (mirror / "live").write_text("0\n" if self.dumb else "1\n")
        for index, (label, offset) in enumerate(pairs):
            self._mkdir(mirror / f"line{index}")
            for name, content in (("key", label), ("offset", str(offset)), ("name", "")):
                (mirror / f"line{index}" / name).write_text(f"{content}\n")
        self._make_device(f"{AGGREGATOR}.{number}", pairs)

    def _delete_device(self, path: Path, text: str) -> None:
        number = text.removeprefix(f"{AGGREGATOR}.")
        if not (self.roots.groups / f"{sysfs.MIRROR}{number}").is_dir():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.forget_mirror(number)
        self._remove_device(text)

    def _bind(self, path: Path, text: str) -> None:
        place = self.roots.devices / text
        override = (place / "driver_override").read_text().strip()
        if not place.is_dir() or override not in ("(null)", path.parent.name):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        (place / "driver").symlink_to(path.parent)
        if path.parent.name == AGGREGATOR and not self.dumb:
            self._mkdir(place / self.chip(text, [None]).name)

    def _unbind(self, path: Path, text: str) -> None:
        place = self.roots.devices / text
        if not (place / "driver").is_symlink() or (place / "driver").readlink() != path.parent:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        (place / "driver").unlink()
        self._remove_chip(place)

    def _free_number(self) -> int:
        taken = {path.read_text().strip() for path in self.roots.groups.glob("*/dev_name")}
        taken |= {path.name for path in self.roots.devices.iterdir()}
        return next(number for number in range(99) if f"{AGGREGATOR}.{number}" not in taken)

    def _make_device(self, name: str, pairs: Sequence[tuple[str, int]]) -> None:
        place = self.roots.devices / name
        self._mkdir(place)
        if not self.dumb:
            self._hold_all(pairs, name)
            self._mkdir(place / self.chip(name, [None] * len(pairs)).name)

    def forget_mirror(self, number: str) -> None:
        """Let configfs no longer show, or never have shown as before Linux 6.16, a device made through sysfs."""
        mirror = self.roots.groups / f"{sysfs.MIRROR}{number}"
        for path in sorted(mirror.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else self._rmdir(path)
        self._rmdir(mirror)

    def _remove_device(self, name: str) -> None:
        place = self.roots.devices / name
        self._hold_all([], name)
        self._remove_chip(place)
        self._rmdir(place)

    def _remove_chip(self, place: Path) -> None:
        for below in place.glob("gpiochip*"):
            (self.roots.dev / below.name).unlink()
            self._rmdir(below)

    def _hold_all(self, pairs: Sequence[tuple[str, int]], name: str) -> None:
        """Let a device hold these lines and no others."""
        for node in self.roots.dev.glob("gpiochip*"):
            about = json.loads(node.read_text())
            for offset, line in enumerate(about["lines"]):
                if (about["label"], offset) in pairs or (line["name"], -1) in pairs:
                    line |= {"used": True, "consumer": name}
                elif line["consumer"] == name:
                    line |= {"used": False, "consumer": ""}
            node.write_text(json.dumps(about))


def _line_of(below: Path) -> tuple[str, int]:
    return (below / "key").read_text().strip(), int((below / "offset").read_text())


class FakeChip:
    """`gpiod.Chip` for a node of the fake kernel: a file that holds what is to be told."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if not text:
            os.close(self.fd)
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        self._about = json.loads(text)

    def __enter__(self) -> FakeChip:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def get_info(self) -> SimpleNamespace:
        return SimpleNamespace(label=self._about["label"], num_lines=len(self._about["lines"]))

    def get_line_info(self, offset: int) -> SimpleNamespace:
        return SimpleNamespace(
            offset=offset, direction=Direction.INPUT, active_low=False, **self._about["lines"][offset]
        )
