"""What the kernel says to a program it cannot attach; the rest is shown in test_marks.py and test_ports.py."""

from __future__ import annotations

import errno

import pytest

from gpiomux.netdev import clsact

pytestmark = pytest.mark.netns


def test_an_interface_that_does_not_exist() -> None:
    with pytest.raises(OSError) as caught:
        clsact.attach(0x7FFFFFFF, 0, 0)
    assert caught.value.errno == errno.ENODEV
