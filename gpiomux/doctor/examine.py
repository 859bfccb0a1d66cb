"""All checks in their order: what `gpiomux doctor` prints, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiomux.aggregator import sources
from gpiomux.doctor import links, system
from gpiomux.doctor.finding import State, ok, problem, unknown, without_consequences
from gpiomux.doctor.needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpiomux.config.model import Config, Link
    from gpiomux.doctor.finding import Finding
    from gpiomux.doctor.machine import Machine
    from gpiomux.doctor.needs import Needs

SHARED = "shared lines"

_SYSTEM: tuple[tuple[Callable[[Machine, Needs], Finding], tuple[str, ...]], ...] = (
    (system.check_run_directory, ()),
    (system.check_capabilities, ()),
    (system.check_tun, ()),
    (system.check_ipv6, ()),
    (system.check_namespaces, ()),
    (system.check_bpf, (system.CAPABILITIES,)),
    (system.check_packet_socket, (system.CAPABILITIES,)),
    (system.check_gpiod, ()),
    (system.check_chips, ()),
    (system.check_permissions, (system.CHIPS,)),
    (system.check_aggregator, (system.CHIPS,)),
    (system.check_configfs, (system.CAPABILITIES, system.AGGREGATOR)),
)
_SIGHT = (system.GPIOD, system.CHIPS, system.PERMISSIONS)
"""Without these nothing is seen of chips and their lines."""
_LINES: tuple[tuple[Callable[[links.Scene, Link], Finding], str], ...] = (
    (links.check_lines, links.LINES),
    (links.check_users, links.USERS),
    (links.check_interrupts, links.INTERRUPTS),
)
_REST: tuple[Callable[[links.Scene, Link], Finding], ...] = (
    links.check_accounts,
    links.check_netns,
    links.check_channels,
)


def examine(machine: Machine, config: Config | None) -> list[Finding]:
    """Look at everything that a configuration needs; without one, at everything that links can need.

    Raises:
        MachineError: a chip went, or was closed, while it was looked at.
    """
    needs = needs_of(config)
    findings: list[Finding] = []
    for check, on in _SYSTEM:
        findings.append(without_consequences(check(machine, needs), findings, on))
    if config is None:
        return findings
    blind = next((it.subject for it in findings if it.subject in _SIGHT and it.state is not State.OK), "")
    scene = links.Scene(machine=machine)
    if blind and needs.gpio:
        findings.append(unknown(SHARED, blind))
    elif needs.gpio:
        scene = links.Scene(machine=machine, chips=machine.chips(), owners=machine.owners())
        findings.append(_check_shared(scene, config))
    for link in config.links:
        for look, subject in _LINES:
            if blind and links.real_lines(link) is not None:
                findings.append(unknown(subject, blind, about=link.name))
            else:
                findings.append(look(scene, link))
        findings += [look(scene, link) for look in _REST]
    return findings


def _check_shared(scene: links.Scene, config: Config) -> Finding:
    """A line that two links take, one by its name and one by its offset: the file does not show it."""
    taken = [(link.name, place) for link in config.links for place in scene.places(link)[0]]
    if faults := sources.doubles(taken):
        return problem(SHARED, "; ".join(faults), "take each line once")
    return ok(SHARED, "no line is taken twice")
