"""gpiomux.stats.render: columns stand in line."""

from __future__ import annotations

from gpiomux.stats.render import numeric_columns, plain_text
from gpiomux.stats.report import Table

PROPERTIES = Table(title="geth0", note="carrier", rows=(("mode", "raw"), ("datapath", "pid 7")))
COUNTS = Table(title="counts", columns=("interface", "rx"), rows=(("geth0", "5"), ("c", "1234")))


def test_columns_are_aligned_and_numbers_stand_right() -> None:
    assert plain_text([PROPERTIES, COUNTS]) == (
        "geth0: carrier\n"
        "  mode      raw\n"
        "  datapath  pid 7\n"
        "\n"
        "counts\n"
        "  interface    rx\n"
        "  geth0         5\n"
        "  c          1234"
    )


def test_a_column_is_numeric_if_all_of_it_is() -> None:
    assert numeric_columns(COUNTS) == (False, True)
    assert numeric_columns(Table(title="", rows=(("1", "2"), ("x", "3")))) == (False, True)
    assert numeric_columns(Table(title="", columns=("a", "b"), rows=())) == (False, False)


def test_a_table_without_rows_is_its_title() -> None:
    assert plain_text([Table(title="empty", rows=())]) == "empty"
