"""Counters since the last reset. The numbers themselves only grow, so that nobody else's reading is disturbed. Pure."""

from __future__ import annotations

from typing import Any

Counted = dict[str, Any]
"""Name -> number, or such an object again; what is no whole number (a state such as `sleeping`) is not counted."""


class SinceReset:
    """Remembers where the numbers stood at the last reset."""

    def __init__(self) -> None:
        self._base: Counted = {}

    def counted(self, totals: Counted) -> Counted:
        """What was counted since the last reset; states as they are."""
        return _less(totals, self._base)

    def reset(self, totals: Counted) -> None:
        """Count these from here; what is not among them counts on."""
        interfaces = {**self._base.get("interfaces", {}), **totals.get("interfaces", {})}
        self._base = {**self._base, **totals, "interfaces": interfaces}

    def forget(self, interface: str) -> None:
        """An interface is gone: one that comes under its name later counts from zero again."""
        self._base.get("interfaces", {}).pop(interface, None)


def _less(totals: Counted, base: Counted) -> Counted:
    return {
        name: _less(value, base.get(name, {}))
        if isinstance(value, dict)
        else value - base.get(name, 0)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
        for name, value in totals.items()
    }
