"""Which package answers to the name `gpiod`: libgpiod's own binding of version 2, or another one in front of it.

Debian's python3-libgpiod up to 12 (bookworm) is version 1 of the binding, under the same name; so is a package of
another author on PyPI before 2.0. Neither has `LineSettings`.
"""

from __future__ import annotations

from typing import NamedTuple


class Bindings(NamedTuple):
    """A package as it was imported."""

    version: str
    """In its own words; empty if it does not say."""
    path: str
    """Where it lies; empty if there is none."""
    fault: str
    """Why it does not serve; empty if it does."""

    @property
    def remedy(self) -> str:
        """What to do about the fault."""
        install = "pip install 'gpiod>=2.5,<3' where gpiomux is installed"
        if not self.path:
            return install
        return f"{install}; take python3-libgpiod, or what PYTHONPATH names, out of its way"


def bindings() -> Bindings:
    """Import it, and look."""
    try:
        import gpiod  # late: this is the question
    except ImportError as err:
        return Bindings("", "", f"gpiod cannot be imported: {err}")
    version, path = str(getattr(gpiod, "__version__", "")), str(getattr(gpiod, "__file__", ""))
    if hasattr(gpiod, "LineSettings"):
        return Bindings(version, path, "")
    old = f"version {version}" if version else "a version without number"
    return Bindings(version, path, f"gpiod in {path} is {old}, whose functions are those of libgpiod 1")
