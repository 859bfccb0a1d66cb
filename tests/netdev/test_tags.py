"""What is ours bears a tag that names its link."""

from __future__ import annotations

import pytest

from gpiomux.netdev.tags import names_of, netns_tag, tag


def test_a_tag_names_its_link() -> None:
    assert tag("geth0") == "gpiomux:geth0"
    assert names_of(tag("geth0")) == ("geth0", "geth0")


def test_the_tag_of_a_child_names_both() -> None:
    assert tag("geth0", name="geth0") == tag("geth0")
    assert tag("geth0", name="child1") == "gpiomux:geth0/child1"
    assert tag("geth0", "/run/b", name="child1") == "gpiomux:geth0/child1@/run/b"
    assert names_of(tag("geth0", "/run/b", name="child1"), "/run/b") == ("geth0", "child1")


@pytest.mark.parametrize(
    "alias", [None, "", "gpiomux", "gpiomux:", "uplink", " gpiomux:geth0", "Gpiomux:geth0", "gpiomux:/x"]
)
def test_without_a_tag_it_is_not_ours(alias: str | None) -> None:
    assert names_of(alias) is None


def test_each_run_directory_has_tags_of_its_own() -> None:
    assert tag("geth0", "/run/b") == "gpiomux:geth0@/run/b"
    for owner in ("", "/run/b", "/run/b@c"):
        mine = tag("geth0", owner)
        others = {"", "/run/b", "/run/b@c", "/run/c"} - {owner}
        assert names_of(mine, owner) == ("geth0", "geth0")
        assert [names_of(mine, other) for other in others] == [None, None, None]


def test_the_tag_of_a_namespace_is_documented() -> None:
    assert netns_tag() == "gpiomux:netns"
    assert netns_tag("/run/b") == "gpiomux:netns@/run/b"
