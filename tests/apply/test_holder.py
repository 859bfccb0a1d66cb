"""Who listens on a socket, as /proc knows it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from gpiomux.apply.holder import holder_of

if TYPE_CHECKING:
    from pathlib import Path


def test_who_listens_is_found_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "a socket"
    assert holder_of(path) is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.bind(str(path))
        assert holder_of(path) is None
        sock.listen(1)
        assert holder_of(path) == os.getpid()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(path))
            assert holder_of(path) == os.getpid()
    assert holder_of(path) is None
