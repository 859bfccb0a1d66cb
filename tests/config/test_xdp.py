"""gpiomux.config.xdp and its rules: programs, their paths, and modes that the interface really has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gpiomux.config.load import load_file, load_text
from gpiomux.config.model import Mode, Xdp, XdpMode
from gpiomux.config.overlay import Edit, edited, lost, overlay
from gpiomux.config.persist import edited_text
from gpiomux.config.plain import config_to_plain
from gpiomux.config.text import quoted
from gpiomux.config.xdp import NATIVE_MTU, chosen_mode, native_obstacle, xdp_from_plain, xdp_to_plain
from gpiomux.errors import ConfigError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from gpiomux.config.model import Config

LINK = """\
links:
  - name: geth0
    mode: {mode}
    medium: sim
    wire: {{name: w, external: true}}
    protocol: {{reader: 1, writer: 2}}
    {more}
    children:
      - name: child1
        {child}
"""


def text(xdp: str, *, mode: str = "eth", more: str = "", child: str = "marks: []") -> str:
    return LINK.format(mode=mode, more=f"{more}\n    xdp: {xdp}" if more else f"xdp: {xdp}", child=child)


def xdp_of(document: str, path: str = "/etc/x/net.yaml") -> Xdp | None:
    return load_text(document, "net.yaml", path).links[0].netdev.xdp


def faults(document: str, path: str = "/etc/x/net.yaml") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(document, "net.yaml", path)
    return [fault.render().split("\n")[0] for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("drop", Xdp(program="drop")),
        ("{program: pass, mode: generic}", Xdp(program="pass", mode=XdpMode.GENERIC)),
        ("/a/f.o", Xdp(program="/a/f.o")),
        ("./drop", Xdp(program="/etc/x/drop")),
        ("f.o", Xdp(program="/etc/x/f.o")),
        ("{program: ../y//f.o, name: only, mode: native}", Xdp(program="/etc/y/f.o", name="only", mode=XdpMode.NATIVE)),
    ],
)
def test_what_a_program_may_be(stated: str, meant: Xdp) -> None:
    assert xdp_of(text(stated)) == meant
    child = load_text(text("pass", child=f"xdp: {stated}"), "net.yaml", "/etc/x/net.yaml").links[0].children[0]
    assert child.netdev.xdp == meant
    assert xdp_from_plain(xdp_to_plain(meant)) == meant


def test_a_child_does_not_inherit_the_program_of_its_link() -> None:
    assert load_text(text("drop"), "net.yaml").links[0].children[0].netdev.xdp is None


def test_what_is_shown_can_be_applied_from_anywhere() -> None:
    config = load_text(text("{program: f.o, name: only}", child="xdp: drop"), "net.yaml", "/etc/x/net.yaml")
    assert load_text(json.dumps(config_to_plain(config)), "<stdin>") == config


def test_a_path_begins_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(text("f.o"))
    xdp = load_file(tmp_path / "net.yaml").links[0].netdev.xdp
    assert xdp == Xdp(program=f"{tmp_path}/f.o")


@pytest.mark.parametrize("stated", ["f.o", "{program: f.o}"])
def test_a_relative_path_without_a_file_is_a_fault(stated: str) -> None:
    column = 10 if stated == "f.o" else 20
    place = "xdp" if stated == "f.o" else "xdp.program"
    assert faults(text(stated), "") == [
        f"net.yaml:7:{column}: links[0].{place}: the path 'f.o' is relative, "
        "and this configuration is no file with a directory"
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (text("{program: drop, name: x}"), "the program drop is built in and has no name"),
        (text("{program: drop, mode: native}", mode="net_hdr"), "no native XDP here: mode net_hdr has a TUN device"),
        (text("{program: drop, mode: native}", mode="raw"), "no native XDP here: mode raw has a TUN device"),
        (text("{program: drop, mode: native}", more="rx_ring: 5"), "no native XDP here: rx_ring limits"),
        (text("{program: drop, mode: native}", more=f"mtu: {NATIVE_MTU + 1}"), "does not fit into a page"),
        (text("drop", more="mtu: 9000", child="xdp: {program: drop, mode: native}"), "does not fit into a page"),
        (text("{mode: native}"), "'program' is missing"),
        (text("{program: 7}"), "links[0].xdp.program"),
        (text("{program: drop, mode: fast}"), "links[0].xdp.mode"),
        (text('""'), "links[0].xdp"),
        (text('"a\\0b"'), "links[0].xdp"),
        (text("[drop]"), "links[0].xdp"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(document: str, said: str) -> None:
    found = faults(document)
    assert len(found) == 1
    assert said in found[0]


def test_a_small_child_of_a_large_link_runs_native() -> None:
    document = text("drop", more="mtu: 9000", child="{mtu: 1500, xdp: {program: drop, mode: native}}").replace(
        "- name: child1\n        {", "- {name: child1, "
    )
    assert load_text(document, "net.yaml").links[0].children[0].netdev.xdp is not None


def test_native_is_chosen_where_it_is_possible() -> None:
    free, told = Xdp(program="drop"), Xdp(program="drop", mode=XdpMode.GENERIC)
    assert chosen_mode(free, Mode.ETH, None, NATIVE_MTU)[0] is XdpMode.NATIVE
    for mode, rx_ring, mtu in ((Mode.RAW, None, 100), (Mode.ETH, 1, 100), (Mode.ETH, None, NATIVE_MTU + 1)):
        chosen, why = chosen_mode(free, mode, rx_ring, mtu)
        assert chosen is XdpMode.GENERIC
        assert why == native_obstacle(mode, rx_ring, mtu) != ""
    assert chosen_mode(told, Mode.ETH, None, 100) == (XdpMode.GENERIC, "")


# What is changed at run time.


def attach(interface: str, program: str, name: str = "", mode: str = "") -> Edit:
    return Edit("xdp attach", {"interface": interface, "program": program, "name": name, "mode": mode})


def detach(interface: str) -> Edit:
    return Edit("xdp detach", {"interface": interface})


BASE = load_text(text("drop", child="marks: [7]"), "net.yaml")


def after(config: Config, *edits: Edit) -> Config:
    for it in edits:
        config = edited(config, it.verb, it.args)
    return config


@pytest.mark.parametrize(
    ("edits", "left"),
    [
        ((attach("geth0", "pass"),), ["xdp attach geth0 pass"]),
        ((attach("geth0", "pass"), attach("geth0", "drop")), []),
        ((detach("geth0"),), ["xdp detach geth0"]),
        ((detach("geth0"), attach("geth0", "drop")), []),
        (
            (attach("child1", "/a/f.o", "only", "generic"),),
            ["xdp attach child1 /a/f.o --program only --mode generic"],
        ),
        (
            (Edit("add-child", {"link": "geth0", "child": "new"}), attach("new", "drop")),
            ["add-child geth0 new", "xdp attach new drop"],
        ),
        ((attach("child1", "drop"), Edit("del-child", {"child": "child1"})), ["del-child child1"]),
    ],
)
def test_what_was_changed_at_run_time(edits: tuple[Edit, ...], left: list[str]) -> None:
    running = after(BASE, *edits)
    assert [str(it) for it in overlay(BASE, running)] == left
    assert after(BASE, *overlay(BASE, running)) == running
    assert lost(BASE, running, running) == ()
    assert [str(it) for it in lost(BASE, running, BASE)] == left


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (attach("geth9", "drop"), "there is no link or child 'geth9'"),
        (attach("geth0", "f.o"), "geth0: the path 'f.o' is relative"),
        (attach("geth0", "/a\0b"), r"geth0: '/a\x00b' is no path"),
        (attach("geth0", "/" + "a/" * 2100), f"geth0: {quoted('/' + 'a/' * 2100)} is no path"),
        (attach("geth0", "/f.o", "a b"), "geth0: 'a b' is not the name of a function"),
        (attach("geth0", "drop", "x"), "geth0: the program drop is built in and has no name"),
        (attach("geth0", "drop", mode="fast"), "fast is no mode of XDP"),
        (detach("child1"), "child1 has no XDP program of gpiomux"),
    ],
)
def test_a_change_that_makes_no_sense(edit: Edit, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        after(BASE, edit)
    assert caught.value.message == said


@pytest.mark.parametrize(("mode", "more"), [("net_hdr", ""), ("eth", "rx_ring: 5"), ("eth", f"mtu: {NATIVE_MTU + 1}")])
def test_native_is_refused_at_run_time_as_well(mode: str, more: str) -> None:
    config = load_text(text("drop", mode=mode, more=more), "net.yaml")
    with pytest.raises(UsageError) as caught:
        after(config, attach("geth0", "drop", mode="native"))
    shown = 1500 if not more.startswith("mtu") else NATIVE_MTU + 1
    expected = native_obstacle(Mode(mode), 5 if "rx_ring" in more else None, shown)
    assert caught.value.message == f"geth0: {expected}"


PLAIN = """\
links:
  - name: geth0
    mode: eth
    medium: sim
    wire: {name: w, external: true}
    protocol: {reader: 1, writer: 2}
"""


@pytest.mark.parametrize(
    ("before", "edit", "then"),
    [
        ("    # end\n", attach("geth0", "drop"), "    xdp: drop\n    # end\n"),
        ("    xdp: drop  # all\n", attach("geth0", "pass"), "    xdp: pass  # all\n"),
        ("    xdp: drop\n", attach("geth0", "drop", mode="generic"), "    xdp: {program: drop, mode: generic}\n"),
        (
            "    xdp: {program: drop, mode: generic}\n",
            attach("geth0", "/a b/c.o", "x"),
            '    xdp: {program: "/a b/c.o", name: x}\n',
        ),
        ("    xdp: drop  # all\n    mtu: 1400\n", detach("geth0"), "    mtu: 1400\n"),
        (
            "    xdp:\n      program: drop\n      # why\n      mode: generic\n    up: true\n",
            detach("geth0"),
            "      # why\n    up: true\n",
        ),
        ("    children: [{name: c}]\n", attach("c", "drop"), "    children: [{name: c, xdp: drop}]\n"),
        ("    children: [{name: c, xdp: drop, up: true}]\n", detach("c"), "    children: [{name: c, up: true}]\n"),
        (
            "    children:\n      - name: c\n        xdp: drop\n      - name: d\n",
            detach("c"),
            "    children:\n      - name: c\n      - name: d\n",
        ),
    ],
)
def test_a_change_is_written_where_it_belongs(before: str, edit: Edit, then: str) -> None:
    assert edited_text(PLAIN + before, "/etc/net.yaml", edit.verb, edit.args) == PLAIN + then


def test_what_stands_in_the_line_of_a_dash_is_left_to_its_writer() -> None:
    document = PLAIN.replace("  - name: geth0\n", "  - xdp: drop\n    name: geth0\n")
    with pytest.raises(UnsupportedError) as caught:
        edited_text(document, "/etc/net.yaml", "xdp detach", {"interface": "geth0"})
    assert "xdp detach geth0" in caught.value.hint
