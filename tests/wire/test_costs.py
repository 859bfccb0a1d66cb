"""What the protocol costs in words, held to what was promised; virtual time, so exact on every machine."""

from __future__ import annotations

from gpiomux.wire.timing import MAX_FRAME_DATA_BYTES, OVERHEAD_BYTES
from tests.bench.words import UNEQUAL_ERROR_RATE, echo_words, unequal


def test_a_ping_under_load_costs_four_idle_ones_and_a_fragment_at_most() -> None:
    """Even the slowest, while both ends are offered twice the bulk that the line carries."""
    idle, _ = echo_words(loaded=False)
    _, slowest = echo_words(loaded=True)
    assert slowest <= 4 * idle + MAX_FRAME_DATA_BYTES + OVERHEAD_BYTES


def test_acknowledgements_leave_a_narrow_line_to_its_data() -> None:
    """Eight noisy lines one way ask for many acknowledgements on the one line back."""
    alone, both = (unequal(error_rate=UNEQUAL_ERROR_RATE, both=both) for both in (False, True))
    assert both.acknowledgements < 0.15
    assert both.narrow > 0.6
    assert both.wide > 0.97 * alone.wide
