"""Where the interfaces of the applied links are now, whatever somebody has done to them with ip(8)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gpiomux.apply.observe import all_namespaces, look_at
from gpiomux.errors import MachineError
from gpiomux.plan.observed import Observed
from gpiomux.plan.scope import Scope, scope_of
from gpiomux.plan.state import Address, Interface
from gpiomux.plan.wanted import wanted_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpiomux.apply.datapaths import Datapaths
    from gpiomux.apply.reports import Report
    from gpiomux.config.model import Config, Netdev
    from gpiomux.rundir import RunDir


class Standing(StrEnum):
    """What is known of an interface."""

    FOUND = "found"
    MISSING = "missing"
    """It is in no network namespace that has a name, and its datapath has none in its hands."""
    OUT_OF_SIGHT = "out-of-sight"
    """Its datapath has it in its hands, so it is in a network namespace without a name."""
    UNKNOWN = "unknown"
    """The network namespaces cannot be looked at."""


def strayed(rundir: RunDir, datapaths: Datapaths, applied: Config, observed: Observed) -> Observed:
    """What was applied and is not where something was applied, but in another named network namespace.

    All of these are looked at if one interface is missing, and only for what is missing: what else bears our tag there
    may be of another daemon, whose run directory has the same path in another mount namespace.

    Args:
        rundir: ours.
        datapaths: our processes.
        applied: what was applied.
        observed: a look at the places where that has something.

    Raises:
        MachineError: something cannot be looked at.
    """
    missing = {it.key for it in wanted_state(applied) if isinstance(it, Interface)} - {it.key for it in observed.state}
    if not missing:
        return Observed()
    found = look_at(_networks(all_namespaces()), rundir, datapaths)
    return Observed(state=frozenset(it for it in found.state if missing.intersection((it.key, *it.requires))))


def present(rundir: RunDir, datapaths: Datapaths, applied: Config) -> Observed:
    """The interfaces and addresses of what was applied, wherever they are.

    Raises:
        MachineError: something cannot be looked at.
    """
    wanted = [it for it in wanted_state(applied) if isinstance(it, Interface)]
    observed = look_at(scope_of(wanted), rundir, datapaths)
    return Observed(state=observed.state | strayed(rundir, datapaths, applied, observed).state)


def interface_to_plain(name: str, netdev: Netdev, found: Observed | MachineError, holder: Report) -> dict[str, Any]:
    """One interface as clients get it: what it is now, its addresses in the order in which they were applied.

    Args:
        name: which it was applied with.
        netdev: as which it was applied.
        found: the answer of `present`, or why there is none.
        holder: what the datapath tells that shall have it.
    """
    if isinstance(found, MachineError):
        return {"state": Standing.UNKNOWN.value, "why": found.message}
    interface = next((it for it in _interfaces(found) if it.name == name), None)
    if interface is None:
        held = isinstance(holder, dict) and name in _members(holder) and name not in holder["gone"]
        return {"state": (Standing.OUT_OF_SIGHT if held else Standing.MISSING).value}
    standing = {it.address for it in found.state if isinstance(it, Address) and it.interface == name}
    return {
        "state": Standing.FOUND.value,
        "name": interface.device,
        "netns": interface.netns,
        "up": interface.up,
        "mtu": interface.mtu,
        "mac": interface.mac,
        "rps": interface.rps,
        "addresses": [address for address in netdev.addresses if address in standing],
    }


def _members(report: Mapping[str, Any]) -> set[str]:
    return {report["link"], *(child["name"] for child in report["children"])}


def _interfaces(found: Observed) -> Iterable[Interface]:
    return (it for it in found.state if isinstance(it, Interface))


def _networks(names: Iterable[str]) -> Scope:
    return Scope(networks=frozenset(names), datapaths=frozenset(), wires=False, chips=False, channels=False)
