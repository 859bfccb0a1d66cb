"""gpiomux.frozen: a value that is made, compared and refused as a frozen dataclass is."""

from __future__ import annotations

import pytest

from gpiomux.frozen import Frozen


class Mark(Frozen):
    """What the tests make."""

    child: str
    number: int = 7


class Other(Frozen):
    """The same fields, another thing."""

    child: str
    number: int = 7


def test_fields_are_given_by_place_or_by_name_and_have_defaults() -> None:
    assert Mark("a", 1) == Mark(child="a", number=1)
    assert Mark("a").plain() == {"child": "a", "number": 7}
    assert repr(Mark("a")) == "Mark(child='a', number=7)"


def test_equal_is_what_has_the_same_kind_and_fields() -> None:
    assert {Mark("a"), Mark("a"), Mark("a", 8)} == {Mark("a"), Mark("a", 8)}
    assert Mark("a") != Other("a")


def test_a_value_never_changes() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        Mark("a").number = 8  # type: ignore[misc]


def test_what_is_plain_can_be_changed_without_harm() -> None:
    mark = Mark("a")
    mark.plain()["number"] = 8
    assert mark.number == 7


@pytest.mark.parametrize(
    ("placed", "named"), [((), {}), (("a", 1, 2), {}), (("a",), {"child": "b"}), (("a",), {"colour": "red"})]
)
def test_other_fields_are_refused(placed: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Mark"):
        Mark(*placed, **named)  # type: ignore[arg-type]
