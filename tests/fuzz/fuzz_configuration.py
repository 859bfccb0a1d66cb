"""Looks for configurations that gpiomux cannot stand: `python -m tests.fuzz.fuzz_configuration [DOCUMENTS]`.

Each is refused with faults that can be shown, or becomes a plan that can be read; never anything else.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings

from gpiomux.config.load import load_text
from gpiomux.errors import ConfigError, UnsupportedError
from gpiomux.plan.diff import make_plan
from gpiomux.plan.observed import Observed
from gpiomux.plan.wanted import wanted_state
from tests.fuzz.documents import DOCUMENTS

if TYPE_CHECKING:
    from gpiomux.config.model import Config

USUAL = 2000


def loaded(document: Any) -> Config | None:
    """The configuration that a document is, or None if it is refused, with faults that can be shown."""
    try:
        return load_text(json.dumps(document), "x.yaml")
    except ConfigError as err:
        faults = err.faults
    assert faults
    assert all(fault.render().startswith("x.yaml:") for fault in faults)
    return None


def outcome(document: Any) -> str:
    """What becomes of a document: `refused`, `unsupported`, or `planned`."""
    config = loaded(document)
    if config is None:
        return "refused"
    try:
        wanted = wanted_state(config)
    except UnsupportedError:
        return "unsupported"
    plan = make_plan(wanted, Observed())
    assert len({operation.resource.key for operation in plan.operations}) == len(plan.operations) == len(wanted)
    assert all(operation.describe().isprintable() for operation in plan.operations)
    return "planned"


def check(documents: int) -> Counter[str]:
    """Try so many documents; how many had which outcome."""
    outcomes: Counter[str] = Counter()

    @settings(max_examples=documents, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(DOCUMENTS)
    def each(document: Any) -> None:
        outcomes[outcome(document)] += 1

    each()
    return outcomes


if __name__ == "__main__":
    print(dict(check(int(sys.argv[1]) if len(sys.argv) > 1 else USUAL)))
