"""The demo: one `gpiomux apply`, and packets cross simulated GPIO lines between two network interfaces.

Runs in network and mount namespaces of its own, for an ordinary user inside a user namespace, so it never touches the
machine's interfaces. It needs `ip` (iproute2) and /dev/net/tun, and nothing else that is not installed with gpiomux.
The exit status is 0 only if every step held; whatever happens, everything is taken down again, and that is checked.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests import namespaces, traffic

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
GPIOMUX = Path(sys.executable).with_name("gpiomux")
FAR_END = Path(__file__).with_name("far_end.py")
CONFIGURATION = "configs/two-links.yaml"
RUN_DIRECTORY = Path("/run/gpiomux")

NEAR, FAR = "10.10.0.1", "10.10.0.2"
PORT = 5000
MARK = 7
PINGS = 10
BULK_BYTES = 1 << 20
BULK_PATIENCE_S = 300.0
PATIENCE_S = 60.0
"""For what takes a moment: a carrier, the end of a process. Generous, because the machine may be slow."""

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class StepError(Exception):
    """A step did not hold; the text says what was seen instead."""


def paint(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if COLOUR else text


def say(text: str) -> None:
    print(text, flush=True)


def require(held: object, otherwise: str) -> None:
    """Go on only if `held`.

    Raises:
        StepError: it does not hold.
    """
    if not held:
        raise StepError(otherwise)


def gpiomux(*words: str, show: bool = True) -> str:
    """Run one command line as a user would, print it with its output, and return the output.

    Raises:
        StepError: its exit status is not 0.
    """
    if show:
        say("  " + paint("36", f"$ gpiomux {' '.join(words)}"))
    done = subprocess.run([GPIOMUX, *words], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if show or done.returncode:
        for line in done.stdout.splitlines():
            say(f"    {line}")
    require(done.returncode == 0, f"gpiomux {words[0]} ended with status {done.returncode}")
    return done.stdout


def in_far(*words: str, show: bool = True) -> list[str]:
    """The command line that runs the far end's script inside the namespace `far`."""
    if show:
        say("  " + paint("36", f"$ ip netns exec far python {FAR_END.relative_to(ROOT)} {' '.join(words)}"))
    return ["ip", "netns", "exec", "far", sys.executable, str(FAR_END), *words]


def apply() -> str:
    gpiomux("apply", CONFIGURATION)
    names = namespaces.interfaces()
    require("geth0" in names, f"no interface geth0 here, only {sorted(names)}")
    with namespaces.inside("far"):
        require("geth1" in namespaces.interfaces(), "no interface geth1 in the namespace far")
    return "geth0 is here, geth1 in the namespace far, and a process drives the lines of each"


def carrier() -> str:
    give_up = time.monotonic() + PATIENCE_S
    while True:
        links = json.loads(gpiomux("status", "--json", show=False))["links"]
        if all(link["carrier"] for link in links):
            return "both ends have heard a peer that fits"
        reasons = "; ".join(f"{link['name']}: {link['reason']}" for link in links)
        require(time.monotonic() < give_up, f"no carrier after {PATIENCE_S:g} s: {reasons}")
        time.sleep(0.05)


def status() -> str:
    gpiomux("status")
    return "this is what runs now"


def ping() -> str:
    say("  " + paint("36", f"{PINGS} echo requests to {FAR}, with payloads of 0 to 1472 bytes"))
    sizes = [index * 1472 // (PINGS - 1) for index in range(PINGS)]
    echoes = traffic.echo(FAR, sizes, outstanding=1)
    require(not echoes.wrong, "; ".join(echoes.wrong))
    trips_ms = [trip_s * 1e3 for trip_s in echoes.round_trips_s]
    return f"all {PINGS} came back unchanged, in {min(trips_ms):.1f} to {max(trips_ms):.1f} ms"


def bulk() -> str:
    data = traffic.payload_of(BULK_BYTES)
    command = in_far("receive", FAR, str(PORT))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as receiver:
        try:
            assert receiver.stderr is not None
            first = receiver.stderr.readline().decode().strip()
            require(first == "listening", f"the far end does not listen: {first}")
            start_s = time.monotonic()
            with socket.create_connection((FAR, PORT), timeout=BULK_PATIENCE_S) as sock:
                sock.sendall(data)
            arrived, _ = receiver.communicate(timeout=BULK_PATIENCE_S)
            took_s = time.monotonic() - start_s
        finally:
            receiver.kill()
    require(arrived == data, f"{len(data)} bytes went out, {len(arrived)} came in, and they are not the same")
    speed = f"{took_s:.1f} s, {len(data) / took_s / 1e3:.0f} kB/s"
    return f"{BULK_BYTES >> 20} MiB came out the same byte for byte, in {speed}"


def child() -> str:
    before = datapaths()
    gpiomux("add-child", "geth0", "child1")
    gpiomux("add-mark", "child1", str(MARK))
    require(datapaths() == before, "the datapath was restarted")
    return f"packets with mark {MARK} are child1's from now on; the datapath runs on, process {before['geth0']}"


def datapaths() -> dict[str, int]:
    """Link -> process id of its datapath."""
    links = json.loads(gpiomux("status", "--json", show=False))["links"]
    return {link["name"]: link["datapath"]["pid"] for link in links}


def marked() -> str:
    # A packet for geth0's address that comes in on child1 fails a strict reverse-path check (RFC 3704); the setting
    # of a new namespace is the machine's.
    for name in ("all", "child1"):
        Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
    with traffic.Listener(NEAR, PORT) as listener:
        for mark, expected in ((MARK, "child1"), (0, "geth0")):
            subprocess.run(in_far("send", NEAR, str(PORT), str(mark)), check=True)
            try:
                arrival = listener.take(PATIENCE_S)
            except TimeoutError:
                raise StepError(f"the packet with mark {mark} did not arrive in {PATIENCE_S:g} s") from None
            say(f"    '{arrival.data.decode()}' arrived on {arrival.interface}, its mark here is {arrival.mark}")
            require(arrival.interface == expected, f"it should have arrived on {expected}")
            require(arrival.data == f"mark {mark}".encode(), f"this is not what was sent: {arrival.data!r}")
    return f"mark {MARK} came out of child1, no mark out of geth0"


def down() -> str:
    gpiomux("down")
    give_up = time.monotonic() + PATIENCE_S
    while left := leftovers():
        require(time.monotonic() < give_up, f"left behind: {', '.join(left)}")
        time.sleep(0.05)
    return "no interface, namespace, process or file is left"


STEPS: tuple[tuple[str, Callable[[], str]], ...] = (
    (f"Apply {CONFIGURATION}", apply),
    ("Wait for the carrier", carrier),
    ("Look at it", status),
    ("Ping across the wire", ping),
    ("Move 1 MiB over TCP", bulk),
    ("Add a child and a mark", child),
    ("Send a marked packet and one without", marked),
    ("Take everything down", down),
)


def leftovers() -> list[str]:
    """What is there that was not there before the first step."""
    left = [f"interface {name}" for name in sorted(namespaces.interfaces() - {"lo"})]
    left += [f"network namespace {name}" for name in sorted(namespaces.network_names())]
    left += [f"process {pid} ({command})" for pid, command in namespaces.child_processes().items()]
    left += [str(path) for path in (RUN_DIRECTORY,) if path.exists()]
    return left


def clean_up() -> None:
    """After a failed step: show what the daemon said, and take everything down."""
    log = RUN_DIRECTORY / "gpiomuxd.log"
    if log.exists():
        say("  gpiomuxd's last words:")
        for line in log.read_text(errors="replace").splitlines()[-20:]:
            say(f"    {line}")
    take_down()


def take_down() -> None:
    """Take down what can be taken down properly, then the rest by force."""
    if RUN_DIRECTORY.exists():
        with contextlib.suppress(StepError, OSError):
            gpiomux("down", show=False)
    for pid in namespaces.child_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for name in namespaces.network_names():
        subprocess.run(["ip", "netns", "del", name], check=False)
    # Interfaces go with the namespaces of this process, which end with it; /run here is a tmpfs of its own.
    shutil.rmtree(RUN_DIRECTORY, ignore_errors=True)


def prepare(target: str) -> None:
    """Enter the private world, or say exactly what to do about it.

    Args:
        target: what the user has asked `make` for.

    Raises:
        SystemExit: this machine does not let the caller; the text is for standard error.
    """
    if shutil.which("ip") is None:
        sys.exit(f"gpiomux {target}: there is no `ip` in PATH. On Debian and Ubuntu: sudo apt-get install iproute2")
    try:
        namespaces.enter_private()
        namespaces.reap_orphans()
    except OSError as err:
        if err.errno == errno.EINVAL:  # mount_namespaces(7): only of a mount point the propagation can be changed
            sys.exit(
                f"gpiomux {target}: the root directory here is no mount point, as in a plain chroot. Bind it to itself"
                " (mount --bind DIRECTORY DIRECTORY) before chroot, or use a container"
            )
        sys.exit(
            f"gpiomux {target}: this user may not make namespaces of its own ({err.strerror}). Run it as root"
            f" (sudo make {target}), or allow it: sudo sysctl kernel.unprivileged_userns_clone=1 (Debian) or"
            " sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
        )
    if refusal := namespaces.tun_refusal():
        sys.exit(f"gpiomux {target}: {refusal}")


def main() -> int:
    """Perform every step; the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a tick that the locale cannot write is no reason to fail
    prepare("demo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    held = 0
    try:
        for number, (title, step) in enumerate(STEPS, 1):
            say(paint("1", f"{number}. {title}"))
            result = step()
            say(f"  {paint('32', '✓')} {result}")
            held += 1
    except (StepError, OSError, subprocess.SubprocessError) as err:
        say(f"  {paint('31', '✗')} {err}")
    finally:
        if held < len(STEPS):
            clean_up()
    say(paint("1", f"{held} of {len(STEPS)} steps held"))
    return 0 if held == len(STEPS) else 1


if __name__ == "__main__":
    sys.exit(main())
