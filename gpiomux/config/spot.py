"""A place in a document that a rule looks at: only what the schema has found sound is visible from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpiomux.config.source import Source
    from gpiomux.config.text import Path
    from gpiomux.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A sound value, where it is, and the way from it to others."""

    source: Source
    broken: frozenset[Path]
    """Places whose values have a fault already; rules see them as absent."""
    unsound: frozenset[Path]
    """The broken places, and all that contain one."""
    path: Path
    value: Any

    @staticmethod
    def top(source: Source, broken: frozenset[Path]) -> Spot:
        """The document itself, which must not be broken."""
        unsound = frozenset(path[:length] for path in broken for length in range(len(path) + 1))
        return Spot(source=source, broken=broken, unsound=unsound, path=(), value=source.data)

    @property
    def line(self) -> int:
        """Where it is, from 1."""
        return self.source.values[self.path].line

    def get(self, *keys: str) -> Any:
        """The value below, or None if it is absent or has a fault."""
        spot = self.below(*keys)
        return None if spot is None else spot.value

    def below(self, *keys: str) -> Spot | None:
        """The place below, or None if it is absent or has a fault."""
        value, path = self.value, self.path
        for key in keys:
            path = (*path, key)
            if not isinstance(value, dict) or key not in value or path in self.broken:
                return None
            value = value[key]
        return replace(self, path=path, value=value)

    def items(self, *keys: str) -> list[Spot]:
        """The sound items of the list below; none if the list itself is absent or has a fault."""
        spot = self.below(*keys)
        if spot is None or not isinstance(spot.value, list):
            return []
        items = (replace(spot, path=(*spot.path, index), value=value) for index, value in enumerate(spot.value))
        return [item for item in items if item.path not in self.broken]

    def mentions(self, key: str) -> bool:
        """Whether the file has the key, sound or not."""
        return isinstance(self.value, dict) and key in self.value

    def sound(self, *keys: str) -> bool:
        """Whether nothing at or below the place has a fault; so it is where the file has no such place."""
        return (*self.path, *keys) not in self.unsound and not self._inside_broken(*keys)

    def _inside_broken(self, *keys: str) -> bool:
        return any((*self.path, *keys[:length]) in self.broken for length in range(len(keys)))

    def fault(self, message: str, expected: str = "") -> Fault:
        """A fault of this value."""
        return self.source.fault(self.path, message, expected)

    def key_fault(self, key: str, message: str, expected: str = "") -> Fault:
        """A fault of a key of this mapping."""
        return self.source.key_fault((*self.path, key), message, expected)
