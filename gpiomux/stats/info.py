"""What a link is made of, as lines `key: value`, in the manner of `ethtool -i` and of muennet's `info` file. Pure.

Keys are dotted where several stand for parts of one thing. What a medium does not have gives no line.
"""

from __future__ import annotations

from gpiomux.stats.report import (
    child_words,
    datapath_words,
    epoch_words,
    marks_words,
    peer_words,
    program_words,
)
from gpiomux.stats.whereabouts import interface_words

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpiomux.stats.report import Answer

    Pair = tuple[str, str]


def info_lines(info: Answer) -> list[str]:
    """The lines of an answer to `info`."""
    parts = (_interface(info), _medium(info), _lines(info), _peering(info), _state(info))
    return [f"{key}: {value}" for part in parts for key, value in part]


def _interface(info: Answer) -> Iterator[Pair]:
    yield "driver", info["driver"]
    yield "version", info["version"]
    yield "interface", f"{info['name']} ({info['kind']})"
    if info["netns"]:
        yield "netns", info["netns"]
    yield "mode", info["mode"]
    yield "flags", " ".join(info["flags"]) or "(none)"
    yield "mtu", str(info["mtu"])
    yield "state", interface_words(info)


def _medium(info: Answer) -> Iterator[Pair]:
    yield "medium", info["medium"]
    if info["wire"]:
        yield "wire", f"{info['wire']}, end {info['end']}"
    if info["medium"] == "gpio":
        chip = info["chip"]
        yield "chip", f"{chip['node']} [{chip['label']}]" if chip else "(none)"
    for way, path in (info["channels"] or {}).items():
        yield f"channel.{way}", path
    sizes = info["element_bytes"] or {}
    for way, end in (("out", "writer"), ("in", "reader")):  # muennet's words
        if sizes.get(way):
            yield f"{end}.element_size", str(sizes[way])


def _lines(info: Answer) -> Iterator[Pair]:
    for way, roles in (info["lines"] or {}).items():
        for role, offsets in roles.items():
            yield f"lines.{way}.{role}", ", ".join(map(str, offsets))
    if info["code"]:
        yield "code", ", ".join([info["code"]["name"], *_options(info["code"])])
    if info["poll"]:
        yield "poll", ", ".join([info["poll"]["mode"], *_options(info["poll"])])


def _options(of: Answer) -> list[str]:
    return [f"{key} {value}" for key, value in of.items() if key not in ("name", "mode") and value is not None]


def _peering(info: Answer) -> Iterator[Pair]:
    for end, number in (info["protocol"] or {}).items():
        yield f"protocol.{end}", f"{number:#x}"
    if info["delivery"]:
        yield "delivery", info["delivery"]
    yield "carrier", "yes" if info["carrier"] else f"no: {info['reason']}" if info["reason"] else "no"
    if info["epoch"]:
        yield "epoch", epoch_words(info["epoch"])
    yield "peer", peer_words(info["peer"])


def _state(info: Answer) -> Iterator[Pair]:
    for name, ring in info["rings"].items():
        yield f"ring.{name}", f"{ring['filled']} of {ring['size']} {ring['unit']}"
    yield "datapath", datapath_words(info["datapath"])
    if info["marks"]["method"]:
        yield "marks", marks_words(info["marks"])
    for mark, limit_bytes in info["pmtu"]:
        yield f"pmtu.{mark}", str(limit_bytes)
    if info["xdp"]:
        yield "xdp", program_words(info["xdp"])
    for child in info["children"]:
        yield f"child.{child['name']}", child_words(child)
    for name, count in info["stats"].items():
        yield f"stats.{name}", str(count)
