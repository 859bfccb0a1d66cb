"""Every verb of the command line, declared once.

`parser` reads well-formed command lines by this table, `app` makes of it what typer needs for all others and for help.
"""

from __future__ import annotations

from gpiomux.cli.verb import Argument, Option, Verb

_FILE = Argument(metavar="FILE", help="Configuration, gpiomux.yaml(5); - reads standard input.")
_LINK = Argument(metavar="LINK", help="Name of a link.")
_A_LINK = Argument(metavar="LINK", required=False, help="Name of a link; none: all of them.")
_CHILD = Argument(metavar="CHILD", help="Name of a child interface.")
_INTERFACE = Argument(metavar="INTERFACE", help="Name of a link or of a child.")
_MARK = Argument(metavar="MARK", help="Netfilter mark, decimal or hexadecimal: 7 or 0x7.")
_JSON = Option(name="--json", help="Print JSON, for programs.")
_PERSIST = Option(name="--persist", help="Write the change into the applied file as well.")
_RESET = Option(name="--reset-overlay", help="Drop what was changed at run time and is not in FILE.")

COMPLETION_VARIABLE = "_GPIOMUX_COMPLETE"
"""A shell that wants to know what to offer sets it; typer has settled the name."""
LONGEST_CONFIRM_S = 24 * 60 * 60
"""As the daemon has it."""
LONGEST_INTERVAL_S = 60 * 60
HISTORY = 10
"""Configurations that the daemon remembers."""

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
        options=(_JSON, _RESET),
    ),
    Verb(
        name="apply",
        help="Make the running links those of a configuration.\n\n"
        "Links that it does not name are taken down. gpiomuxd is started if it does not run.",
        performs="change:apply",
        arguments=(_FILE,),
        options=(
            Option(
                name="--confirm",
                metavar="SECONDS",
                bounds=(1, LONGEST_CONFIRM_S),
                help="Take it back after this time, unless confirmed. Prints a token for confirm.",
            ),
            _RESET,
        ),
    ),
    Verb(
        name="confirm",
        help="Keep what apply --confirm has applied.",
        performs="change:confirm",
        arguments=(
            Argument(metavar="TOKEN", required=False, help="What apply --confirm has printed; none: whatever waits."),
        ),
    ),
    Verb(
        name="rollback",
        help="Apply again what was applied before.",
        performs="change:rollback",
        arguments=(
            Argument(metavar="N", required=False, bounds=(1, HISTORY), help="How many configurations back; none: 1."),
        ),
    ),
    Verb(
        name="history",
        help="Print what was applied, when and by whom.",
        performs="show:history",
        options=(_JSON,),
    ),
    Verb(
        name="show",
        help="Print the running configuration, as apply accepts it.",
        performs="show:show",
        options=(_JSON,),
    ),
    Verb(
        name="restart",
        help="Start the process of a link anew.\n\nThe interface stays, with its addresses and routes.",
        performs="change:restart",
        arguments=(_LINK,),
    ),
    Verb(
        name="down",
        help="Take links down, and remove all that was made for them.",
        performs="change:down",
        arguments=(Argument(metavar="LINK", help="Names of links; none: all of them.", required=False, many=True),),
        options=(Option(name="--all", help="Everything of gpiomux on this machine, also what no gpiomuxd knows of."),),
    ),
    Verb(
        name="status",
        help="Print how each link is.\n\n"
        "With --diff, the exit status is that of plan: 0: nothing differs, 2: something does, 1: an error.",
        performs="show:status",
        arguments=(_A_LINK,),
        options=(
            _JSON,
            Option(name="--diff", help="Print what apply would repair: what is not as the applied configuration says."),
        ),
    ),
    Verb(
        name="stats",
        help="Print what links, lines and interfaces have counted.\n\n"
        "Counted since the last reset. With --watch again and again, with how fast it grows, until interrupted.",
        performs="stats:stats",
        arguments=(_A_LINK,),
        options=(
            _JSON,
            Option(name="--watch", help="Print it again each second."),
            Option(name="--interval", metavar="SECONDS", bounds=(1, LONGEST_INTERVAL_S), help="Between two; none: 1."),
            Option(name="--reset", help="Count from here; nothing is lost between what is printed and the reset."),
        ),
    ),
    Verb(
        name="info",
        help="Print what a link is made of.\n\n"
        "Driver, interface, medium, lines, peer, rings and marks, as lines of key and value.",
        performs="show:info",
        arguments=(_LINK,),
        options=(_JSON,),
    ),
    Verb(
        name="top",
        help="Show all links at a glance.\n\nAgain and again, with the rates of the last moments, until Ctrl-C.",
        performs="top:top",
        options=(
            Option(name="--interval", metavar="SECONDS", bounds=(1, LONGEST_INTERVAL_S), help="Between two; none: 1."),
            Option(name="--count", metavar="N", bounds=(1, 1_000_000), help="Looks; none: without end."),
        ),
    ),
    Verb(
        name="metrics",
        help="Print all counters as OpenMetrics text, for Prometheus.\n\nThey grow on when stats are reset.",
        performs="metrics:metrics",
        options=(
            Option(
                name="--listen",
                metavar="[ADDRESS:]PORT",
                help="Serve them at /metrics over HTTP instead, on loopback only, until Ctrl-C.",
            ),
        ),
    ),
    Verb(
        name="chips",
        help="Print the GPIO chips of this machine and their lines.",
        performs="show:chips",
        options=(_JSON,),
    ),
    Verb(
        name="doctor",
        help="Find what links lack on this machine.\n\nEach line says ok, or a problem and what to do. "
        "With FILE, what its links need; without, all that any may. Exit status 0: all is ok, 1: something is not.",
        performs="doctor:doctor",
        arguments=(Argument(metavar="FILE", required=False, help="Configuration; none: whatever links may need."),),
        options=(
            _JSON,
            Option(
                name="--wiring",
                metavar="LINK",
                help="Move the lines of LINK, which is down, and see what is wired to what: run it at both ends at "
                "once. LINK,FAR_LINK if both are on this machine.",
            ),
            Option(
                name="--seconds",
                metavar="SECONDS",
                bounds=(1, 3600),
                help="How long --wiring waits for the other end; none: 60.",
            ),
        ),
    ),
    Verb(
        name="wiring",
        help="Print which pin is wired to which.\n\n"
        "With PEER_FILE, the configuration of the other board, each wire has both of its ends. No daemon is asked.",
        performs="wiring:wiring",
        arguments=(
            _FILE,
            Argument(metavar="PEER_FILE", required=False, help="Configuration of the other board; none: only roles."),
        ),
        options=(Option(name="--output", short="-o", metavar="SVG_FILE", help="Draw it into this file, as SVG."),),
    ),
    Verb(
        name="probe",
        help="Measure round trips, loss and wrong bits of a running link.\n\n"
        "Without an IP address, and without a carrier too. Ctrl-C ends it early. "
        "Exit status 0: a reply has come, 1: none has.",
        performs="probe:probe",
        arguments=(_LINK,),
        options=(
            Option(name="--count", metavar="N", bounds=(1, 1_000_000), help="Probes to send; none: 10."),
            Option(name="--interval", metavar="MS", bounds=(10, 60_000), help="Milliseconds between two; none: 1000."),
            Option(name="--size", metavar="BYTES", bounds=(16, 512), help="Length of the pattern; none: 64."),
            _JSON,
        ),
    ),
    Verb(
        name="generate",
        help="Send packets out through a link or a child.\n\n"
        "ARP requests (mode eth), UDP to port 9 (eth and net_hdr), or experimental data (eth and raw). "
        "Ctrl-C ends it early.",
        performs="generate:generate",
        arguments=(
            Argument(metavar="KIND", help="arp, udp or raw.", offers=("arp", "udp", "raw")),
            _INTERFACE,
        ),
        options=(
            Option(name="--rate", metavar="PPS", bounds=(1, 1_000_000), help="Packets in a second; none: 100."),
            Option(name="--count", metavar="N", bounds=(1, 1_000_000_000), help="Packets to send; none: 100."),
            Option(
                name="--size",
                metavar="BYTES",
                bounds=(1, 65_535),
                help="Length of a packet without the header of the link; none: 28 for arp, else 64.",
            ),
            Option(name="--mark", metavar="MARK", help="Netfilter mark of the packets; none: 0."),
            Option(name="--to", metavar="ADDRESS", help="Who is asked for, or gets it; none: see gpiomux(1)."),
            Option(name="--source", metavar="ADDRESS", help="Sender; none: the address of the interface."),
            _JSON,
        ),
    ),
    Verb(
        name="debug",
        help="Log what a running link carries.\n\n"
        "LEVEL is off, packets (or on), frames: packets and frames; none: print how it is. The output goes into the "
        "log of gpiomuxd, rate-limited, until it is switched off or the link is restarted.",
        performs="debug:debug",
        arguments=(_LINK, Argument(metavar="LEVEL", required=False, help="off, on, packets or frames.")),
        options=(
            Option(name="--follow", help="Print it here instead, all of it, until Ctrl-C; the log is left as it is."),
        ),
    ),
    Verb(
        name="capture",
        help="Write the frames of a running link into a file for Wireshark.\n\n"
        "Until Ctrl-C, or as long as the options say. The packets themselves are what tcpdump sees on the interface.",
        performs="capture:capture",
        arguments=(_LINK,),
        options=(
            Option(name="--write", short="-w", metavar="FILE", help="The file, pcapng; - writes standard output."),
            Option(name="--count", metavar="N", bounds=(1, 1_000_000_000), help="End after so many frames."),
            Option(name="--seconds", metavar="SECONDS", bounds=(1, 86_400), help="End after so long."),
        ),
    ),
    Verb(
        name="scope",
        help="Show the waveform of a running link's lines.\n\n"
        "With its words and frames. Without a file it is drawn here. Ctrl-C ends it early.",
        performs="scope:scope",
        arguments=(_LINK,),
        options=(
            Option(name="--seconds", metavar="SECONDS", bounds=(1, 3600), help="Look for so long."),
            Option(name="--words", metavar="N", bounds=(1, 100_000), help="Look until so many were moved; none: 100."),
            Option(name="--output", short="-o", metavar="VCD_FILE", help="Write it for GTKWave or PulseView instead."),
            Option(name="--png", metavar="PNG_FILE", help="Draw a picture into a file instead."),
        ),
    ),
    Verb(
        name="add-child",
        help="Give a link a child.\n\n"
        "CHILD becomes an interface that shares LINK and receives the packets with its marks.",
        performs="edit:add_child",
        arguments=(_LINK, _CHILD),
        options=(_PERSIST,),
    ),
    Verb(
        name="del-child",
        help="Remove a child.\n\nPackets with its marks arrive on the link's own interface again.",
        performs="edit:del_child",
        arguments=(_CHILD,),
        options=(_PERSIST,),
    ),
    Verb(
        name="add-mark",
        help="Let packets with a mark arrive on a child.",
        performs="edit:add_mark",
        arguments=(_CHILD, _MARK),
        options=(_PERSIST,),
    ),
    Verb(
        name="del-mark",
        help="Take a mark of a child away.",
        performs="edit:del_mark",
        arguments=(_CHILD, _MARK),
        options=(_PERSIST,),
    ),
    Verb(
        name="set-pmtu",
        help="Limit IP packets that leave through a link with a mark.\n\n"
        "Larger ones are cut into fragments, or their sender is told, as by a router.",
        performs="edit:set_pmtu",
        arguments=(_LINK, _MARK, Argument(metavar="BYTES", bounds=(68, 65535), help="The most bytes of a packet.")),
        options=(_PERSIST,),
    ),
    Verb(
        name="del-pmtu",
        help="Limit packets with a mark no longer.",
        performs="edit:del_pmtu",
        arguments=(_LINK, _MARK),
        options=(_PERSIST,),
    ),
    Verb(
        name="set-poll",
        help="Choose how a link waits for its lines, or for its channel.\n\n"
        "auto: look for a while, then sleep; irq: sleep at once; busy: never sleep.",
        performs="edit:set_poll",
        arguments=(_LINK, Argument(metavar="MODE", help="auto, irq or busy.", offers=("auto", "irq", "busy"))),
        options=(
            Option(
                name="--idle",
                metavar="US",
                bounds=(1, 1_000_000),
                help="Microseconds for which auto looks on after the last word; none: what fits the medium.",
            ),
            Option(
                name="--budget",
                metavar="N",
                bounds=(1, 65536),
                help="Words after which interfaces get their turn; none: what fits the medium.",
            ),
            _PERSIST,
        ),
    ),
    Verb(
        name="xdp attach",
        help="Let an XDP program see each packet that arrives, before the network stack does.\n\n"
        "It takes the place of the one that gpiomux has attached there before; one of somebody else stays.",
        performs="edit:attach_xdp",
        arguments=(
            _INTERFACE,
            Argument(metavar="OBJECT", help="pass, drop, or a file with BPF programs.", offers=("pass", "drop")),
        ),
        options=(
            Option(name="--program", metavar="NAME", help="Which program of the file; none: the only one."),
            Option(name="--mode", metavar="MODE", help="native or generic; none: native where that is possible."),
            _PERSIST,
        ),
    ),
    Verb(
        name="xdp show",
        help="Print the XDP program of each interface, also those of others.",
        performs="show:show_xdp",
        arguments=(Argument(metavar="INTERFACE", help="Name of a link or a child; none: all.", required=False),),
        options=(_JSON,),
    ),
    Verb(
        name="xdp detach",
        help="Take the XDP program of gpiomux off an interface.",
        performs="edit:detach_xdp",
        arguments=(_INTERFACE,),
        options=(_PERSIST,),
    ),
    Verb(
        name="completion",
        help="Print the script that completes command lines in a shell.",
        performs="completion:completion",
        arguments=(Argument(metavar="SHELL", help="bash, zsh or fish.", offers=("bash", "zsh", "fish")),),
    ),
)

GROUPS: dict[str, str] = {"xdp": "XDP programs, which see a packet before the stack does."}
"""First word of verbs with two -> what its help says."""

VERBS = {verb.name: verb for verb in _TABLE}
"""Name -> verb, in the order in which help and manual list them."""


def canonical(word: str) -> str:
    """A verb as `VERBS` spells it: muennet_cfg has underscores, and its users may go on writing them."""
    return word.replace("_", "-")
