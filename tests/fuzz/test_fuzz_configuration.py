"""A short run of the fuzzer for configurations, and some of its documents through the real programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from gpiomux.errors import ConfigError
from tests import snapshot
from tests.e2e.daemons import Daemons
from tests.fuzz.documents import DOCUMENTS
from tests.fuzz.fuzz_configuration import check, loaded

if TYPE_CHECKING:
    from pathlib import Path


def test_no_document_is_too_much() -> None:
    outcomes = check(150)
    assert set(outcomes) <= {"refused", "unsupported", "planned"}
    assert outcomes["refused"] > 10
    assert outcomes["planned"] > 5


@pytest.mark.netns
def test_what_is_refused_changes_nothing(tmp_path: Path, network: None) -> None:
    daemons = Daemons(tmp_path)
    daemons.start()
    before = daemons.snapshot()
    refused = 0

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)
    @given(DOCUMENTS)
    def each(document: Any) -> None:
        nonlocal refused
        if loaded(document) is None:
            refused += 1
            assert isinstance(daemons.failure(json.dumps(document)), ConfigError)

    each()
    assert refused > 5
    assert snapshot.differing(before, daemons.snapshot()) == []
    daemons.close()
