"""What is ours bears a tag that names its link."""

from __future__ import annotations

import pytest

from gpiomux.netdev.tags import NETNS_ALIAS, link_of, tag


def test_a_tag_names_its_link() -> None:
    assert tag("geth0") == "gpiomux:geth0"
    assert link_of(tag("geth0")) == "geth0"


@pytest.mark.parametrize("alias", [None, "", "gpiomux", "gpiomux:", "uplink", " gpiomux:geth0", "Gpiomux:geth0"])
def test_without_a_tag_it_is_not_ours(alias: str | None) -> None:
    assert link_of(alias) is None


def test_the_tag_of_a_namespace_is_documented() -> None:
    assert NETNS_ALIAS == "gpiomux:netns"
