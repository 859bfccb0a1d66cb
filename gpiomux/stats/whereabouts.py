"""What is said of an interface: as it is now, and what of that is not as it was applied. Pure."""

from __future__ import annotations

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from typing import Any

    Answer = dict[str, Any]

RPS = "under RPS, which loses marks"
"""Said of an interface that hands packets to other CPUs (rps_cpus in sysfs)."""


def interface_words(applied: Answer) -> str:
    """One line about an interface.

    Args:
        applied: a link or a child of the answer to `status`, whose `interface` is what was found.
    """
    now = applied["interface"]
    match now["state"]:
        case "found":
            words = ["up" if now["up"] else "down"]
            if now["netns"]:
                words.append(f"in netns {now['netns']}")
            if now["name"] != applied["name"]:
                words.append(f"named {now['name']}")
            if now["mtu"] != applied["mtu"]:
                words.append(f"with mtu {now['mtu']}")
            if now["rps"]:
                words.append(RPS)
            return ", ".join([" ".join(words), *now["addresses"]])
        case "unknown":
            return f"unknown: {now['why']}"
        case "out-of-sight":
            return "in a network namespace without a name"
        case _:
            return "removed; 'gpiomux apply' makes it again"


def difference_words(applied: Answer) -> str:
    """What is to be said of an interface beside its carrier; empty if it is up and as it was applied.

    Args:
        applied: as of `interface_words`.
    """
    now = applied["interface"]
    if now["state"] == "unknown":
        return ""
    if now["state"] != "found":
        return interface_words(applied)
    words = [] if now["up"] else ["down"]
    if now["netns"] != applied["netns"]:
        words.append(f"in netns {now['netns']}" if now["netns"] else "in the netns of gpiomuxd")
    if now["name"] != applied["name"]:
        words.append(f"named {now['name']}")
    if now["mtu"] != applied["mtu"]:
        words.append(f"with mtu {now['mtu']}")
    if now["rps"]:
        words.append(RPS)
    return " ".join(words)
