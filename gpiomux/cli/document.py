"""A configuration as YAML text that people like to read and `gpiomux apply` accepts."""

from __future__ import annotations

from typing import Any

import yaml

from gpiomux.config.scalar import resolve

WIDTH = 110
"""Characters in a line before a short list is broken."""


class _Hexadecimal(int):
    """A number that people write with 0x."""


class _Dumper(yaml.SafeDumper):
    """Lists in the indentation of the manual, short collections on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key, which PyYAML does not do by itself."""
        super().increase_indent(flow, False)


def _hexadecimal(dumper: yaml.SafeDumper, number: _Hexadecimal) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:int", hex(number))


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # PyYAML quotes what YAML 1.1 would not read as text; our reader follows YAML 1.2, where 1e5 is a number as well.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if resolve(text) == text else '"')


_Dumper.add_representer(_Hexadecimal, _hexadecimal)
_Dumper.add_representer(str, _text)


def to_yaml(plain: dict[str, Any]) -> str:
    """Write a configuration in its plain form (`gpiomux.config.plain`), in the order of its keys.

    Protocol ids are written in hexadecimal, as muennet and its users do.
    """
    return yaml.dump(
        _with_hexadecimal_ids(plain), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=WIDTH
    )


def _with_hexadecimal_ids(plain: dict[str, Any]) -> dict[str, Any]:
    links = []
    for link in plain["links"]:
        ids = {name: _Hexadecimal(number) for name, number in link.get("protocol", {}).items()}
        links.append({**link, "protocol": ids} if ids else link)
    return {**plain, "links": links}
