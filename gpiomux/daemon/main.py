"""The program `gpiomuxd`: its options, and the one place where its errors become an exit status."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from gpiomux import log
from gpiomux.control.messages import Failure, encode_reply
from gpiomux.daemon.notify import Starter
from gpiomux.errors import GpiomuxError
from gpiomux.rundir import RunDir
from gpiomux.version import VERSION


def main() -> None:
    """Run `gpiomuxd` with the arguments of this process.

    Raises:
        SystemExit: always at the end, or on an error; the statuses are those of gpiomux(1).
    """
    options = _parser().parse_args()
    rundir = RunDir.from_environment()
    rundir = RunDir(rundir.root.absolute())
    log.set_up("gpiomuxd")
    starter = Starter()
    try:
        if options.answer is not None:
            _answer(rundir, options.answer)
        else:
            _serve(rundir, starter, exit_when_idle=options.exit_when_idle)
    except GpiomuxError as err:
        starter.refused(encode_reply(Failure(err)))
        print(f"gpiomuxd: {err.message}", file=sys.stderr)
        if err.hint:
            print(f"  hint: {err.hint}", file=sys.stderr)
        raise SystemExit(err.exit_status) from None
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gpiomuxd",
        description="Keeps network links over GPIO lines running; gpiomux(1) tells it what to do.",
        epilog="It logs to standard error. The run directory is /run/gpiomux, or GPIOMUX_RUN_DIR.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gpiomuxd {VERSION}")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--exit-when-idle", action="store_true", help="end when no link is left")
    modes.add_argument(
        "--answer", type=int, metavar="FD", help="answer one client on the connected socket FD, change nothing, and end"
    )
    return parser


def _answer(rundir: RunDir, fd: int) -> None:
    from gpiomux.daemon import oneshot  # late: --help and --version need none of this

    oneshot.answer(rundir, fd)


def _serve(rundir: RunDir, starter: Starter, *, exit_when_idle: bool) -> None:
    from gpiomux.daemon import lock, privileges
    from gpiomux.daemon.service import Service

    privileges.require_net_admin(Path("/proc/self/status"))

    async def run() -> None:
        await Service(rundir, starter, exit_when_idle=exit_when_idle).run()

    with lock.held(rundir):
        asyncio.run(run())
