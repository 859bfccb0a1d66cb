"""Every verb of the command line, declared once.

`parser` reads well-formed command lines by this table, `app` makes of it what typer needs for all others and for help.
"""

from __future__ import annotations

from gpiomux.cli.verb import Argument, Option, Verb

_FILE = Argument(metavar="FILE", help="Configuration, gpiomux.yaml(5); - reads standard input.")
_LINK = Argument(metavar="LINK", help="Name of a link.")
_CHILD = Argument(metavar="CHILD", help="Name of a child interface.")
_MARK = Argument(metavar="MARK", help="Netfilter mark, decimal or hexadecimal: 7 or 0x7.")
_JSON = Option(name="--json", help="Print JSON, for programs.")

_TABLE = (
    Verb(
        name="validate",
        help="Check a configuration.\n\n"
        "All faults are listed at once, each with its place. No daemon is asked, nothing is changed.",
        performs="show:validate",
        arguments=(_FILE,),
        options=(_JSON,),
    ),
    Verb(
        name="plan",
        help="Print what apply would do.\n\nExit status 0: nothing to do, 2: something to do, 1: an error.",
        performs="show:plan",
        arguments=(_FILE,),
        options=(_JSON,),
    ),
    Verb(
        name="apply",
        help="Make the running links those of a configuration.\n\n"
        "Links that it does not name are taken down. gpiomuxd is started if it does not run.",
        performs="change:apply",
        arguments=(_FILE,),
    ),
    Verb(
        name="show",
        help="Print the running configuration, as apply accepts it.",
        performs="show:show",
        options=(_JSON,),
    ),
    Verb(
        name="status",
        help="Print how each link is.",
        performs="show:status",
        options=(_JSON,),
    ),
    Verb(
        name="stats",
        help="Print what links, lines and interfaces have counted.",
        performs="show:stats",
        options=(_JSON,),
    ),
    Verb(
        name="chips",
        help="Print the GPIO chips of this machine and their lines.",
        performs="show:chips",
        options=(_JSON,),
    ),
    Verb(
        name="add-child",
        help="Give a link a child.\n\n"
        "CHILD becomes an interface that shares LINK and receives the packets with its marks.",
        performs="change:add_child",
        arguments=(_LINK, _CHILD),
    ),
    Verb(
        name="del-child",
        help="Remove a child.\n\nPackets with its marks arrive on the link's own interface again.",
        performs="change:del_child",
        arguments=(_CHILD,),
    ),
    Verb(
        name="add-mark",
        help="Let packets with a mark arrive on a child.",
        performs="change:add_mark",
        arguments=(_CHILD, _MARK),
    ),
    Verb(
        name="del-mark",
        help="Take a mark of a child away.",
        performs="change:del_mark",
        arguments=(_CHILD, _MARK),
    ),
    Verb(
        name="down",
        help="Take links down, and remove all that was made for them.",
        performs="change:down",
        arguments=(Argument(metavar="LINK", help="Names of links; none: all of them.", required=False, many=True),),
    ),
)

VERBS = {verb.name: verb for verb in _TABLE}
"""Name -> verb, in the order in which help and manual list them."""


def canonical(word: str) -> str:
    """A verb as `VERBS` spells it: muennet_cfg has underscores, and its users may go on writing them."""
    return word.replace("_", "-")
