"""Findings as tables."""

from __future__ import annotations

from gpiomux.stats.findings import findings_tables
from gpiomux.stats.render import plain_text
from gpiomux.stats.report import Tone


def finding(about: str, subject: str, state: str, remedy: str = "") -> dict[str, str]:
    return {"about": about, "subject": subject, "state": state, "cause": f"cause of {subject}", "remedy": remedy}


FINDINGS = [
    finding("machine", "tun", "ok"),
    finding("machine", "bpf", "problem", "allow it"),
    finding("geth0", "lines", "unknown"),
    finding("geth0", "channels", "not needed"),
    finding("geth1", "lines", "ok"),
]


def test_a_table_for_the_machine_and_for_each_link_with_a_line_for_each_finding() -> None:
    assert plain_text(findings_tables(FINDINGS)) == (
        "machine: 1 problem\n"
        "  tun  ok       cause of tun\n"
        "  bpf  problem  cause of bpf. To do: allow it\n"
        "\n"
        "geth0: 1 unknown\n"
        "  lines     unknown     cause of lines\n"
        "  channels  not needed  cause of channels\n"
        "\n"
        "geth1: ok\n"
        "  lines  ok  cause of lines"
    )


def test_the_worst_gives_the_tone() -> None:
    tables = findings_tables([*FINDINGS, finding("machine", "configfs", "problem", "mount it")])
    assert [table.tone for table in tables] == [Tone.BAD, Tone.WAITING, Tone.GOOD]
    assert tables[0].note == "2 problems"
    assert tables[0].tones == (Tone.GOOD, Tone.BAD, Tone.BAD)
    assert tables[1].tones == (Tone.WAITING, Tone.PLAIN)
