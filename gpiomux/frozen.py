"""Frozen values for what every short command imports: a frozen dataclass without the price of `dataclasses`.

To import `dataclasses` takes longer than to start Python, because it imports `inspect`; a command of a few dozen
milliseconds feels that. Everything else in gpiomux uses dataclasses.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as of `typing`, which costs a third of Python's own start
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn, dataclass_transform
else:

    def dataclass_transform(**_meaning):
        """For the type checker only."""
        return lambda kind: kind


@dataclass_transform(frozen_default=True)
class Frozen:
    """The base of a value: its fields are the annotations of the class, in their order, with defaults.

    Made like a dataclass, by place or by name; equal and hashed by its fields; never changed.
    """

    _names: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        cls._names = tuple(cls.__annotations__)

    def __init__(self, *placed: object, **named: object) -> None:
        """Set every field.

        Raises:
            TypeError: a field has no value, or has two, or there is none of that name.
        """
        kind = type(self)
        fields = kind._names
        given = dict(zip(fields, placed, strict=False))
        if len(placed) > len(fields) or given.keys() & named.keys() or named.keys() - set(fields):
            raise TypeError(f"{kind.__name__} has the fields {', '.join(fields)}")
        given |= named
        missing = [name for name in fields if name not in given and name not in vars(kind)]
        if missing:
            raise TypeError(f"{kind.__name__} needs a value for {', '.join(missing)}")
        self.__dict__.update({name: given[name] if name in given else vars(kind)[name] for name in fields})

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """What its fields are called, in their order."""
        return cls._names

    def plain(self) -> dict[str, Any]:
        """Its fields by name, a new dictionary."""
        return dict(vars(self))
