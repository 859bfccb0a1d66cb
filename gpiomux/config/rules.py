"""What a schema cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpiomux.config.source import Source
    from gpiomux.config.text import Path
    from gpiomux.errors import Fault


def rule_faults(source: Source, broken: frozenset[Path]) -> list[Fault]:
    """Faults."""
    return []
