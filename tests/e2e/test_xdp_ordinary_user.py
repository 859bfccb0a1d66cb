"""XDP where nobody may load a BPF program, as in a user namespace: an error that says so, before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpiomux.netdev.marks import refusal_of
from tests.e2e.host import links_file

if TYPE_CHECKING:
    from tests.e2e.host import Host

pytestmark = pytest.mark.netns


def test_what_cannot_be_loaded_is_refused_before_anything_is_done(host: Host) -> None:
    if refusal_of("bpf-tcx") is None or refusal_of("bpf-clsact") is None:
        pytest.skip("BPF programs can be loaded here")
    text = links_file(mode="eth")
    refused = host.ask("apply", host.file(text.replace("name: geth1,", "name: geth1, xdp: drop,")))
    assert refused.exit_status == 1
    assert "interface geth1: no XDP program can be attached" in refused.errors
    host.apply(text)
    refused = host.ask("xdp", "attach", "geth0", "pass")
    assert refused.exit_status == 1
    assert "interface geth0: no XDP program can be attached" in refused.errors
    assert host.gpiomux("apply", host.file(text)) == "nothing to do\n"
