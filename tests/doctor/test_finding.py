"""Findings, and those that another explains."""

from __future__ import annotations

import pytest

from gpiomux.doctor.finding import Finding, State, not_needed, ok, problem, unknown, without_consequences


def test_a_finding_as_plain_data() -> None:
    assert problem("tun", "there is none", "modprobe tun", about="geth0").plain() == {
        "about": "geth0",
        "subject": "tun",
        "state": "problem",
        "cause": "there is none",
        "remedy": "modprobe tun",
    }


@pytest.mark.parametrize("before", [problem("rights", "none", "get some"), unknown("rights", "sense")])
def test_a_problem_that_another_explains_is_unknown(before: Finding) -> None:
    found = without_consequences(problem("bpf", "refused", "allow it", about="geth0"), [before], ["rights"])
    assert (found.about, found.subject, found.state, found.remedy) == ("geth0", "bpf", State.UNKNOWN, "")
    assert "rights" in found.cause


def test_what_is_ok_in_spite_of_it_stays_ok() -> None:
    broken = problem("rights", "none", "get some")
    for fine in (ok("bpf", "granted"), not_needed("bpf", "no links")):
        assert without_consequences(fine, [broken], ["rights"]) is fine


def test_a_problem_of_its_own_stays_one() -> None:
    own = problem("bpf", "refused", "allow it")
    assert without_consequences(own, [ok("rights", "all"), problem("tun", "none", "make it")], ["rights"]) is own
