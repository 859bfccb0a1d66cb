"""Prepare an interface so that marks pass: with privilege, once, before its datapath gets the descriptors.

A process on a TUN or TAP descriptor neither sees nor sets `skb->mark`. The kernel is asked, once per process, which
way around that it grants; nothing is concluded from its version or from the user's rights.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from gpiomux.errors import MachineError, UnsupportedError
from gpiomux.netdev import bpf, bpf_objects, clsact, packet_socket, syscalls
from gpiomux.netdev.inside import entered, returning
from gpiomux.netdev.steering import OFF, set_mask

TCX, CLSACT, PACKET_SOCKET = "bpf-tcx", "bpf-clsact", "packet-socket"

KEEPS_IN_MOVES = frozenset((TCX,))
"""Methods that go on when an interface is moved to another network namespace: there the kernel takes filters away
from it, and no longer shows its packets to a packet socket."""

_LIMITS = {
    TCX: "",
    CLSACT: "",
    PACKET_SOCKET: "packets that arrive have mark 0 in the kernel (their mark still chooses the child), and packets "
    "sent past the queueing discipline (PACKET_QDISC_BYPASS) are lost",
}
_REFUSALS = frozenset((errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EINVAL))
"""How a kernel says that it does not allow or does not know something; anything else is an error, not an answer."""
_NO_INTERFACE = 0x7FFFFFFF
_DICTIONARY_ENTRIES = bpf.ESCAPE - bpf.FIRST_LEARNED


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHandles:
    """What a datapath needs to open the port of an interface; the descriptors belong to whoever holds this."""

    method: str
    """`bpf-tcx`, `bpf-clsact` or `packet-socket`."""
    kind: str
    """`tap`, `tun` or `tun-pi`."""
    fds: tuple[int, ...]
    """The device; then, `bpf-tcx`: memory, ingress link, egress link; `bpf-clsact`: memory; `packet-socket`: that."""


def limits(method: str) -> str:
    """What a method cannot do, one line for the user; empty if it can do all."""
    return _LIMITS[method]


def prepare_port(name: str, kind: str, netns: str | None, tun_fd: int, *, method: str | None = None) -> PortHandles:
    """Arrange for marks on an interface, in the best way the kernel grants or in the one that is asked for.

    Takes over `tun_fd` when it succeeds. What it arranges lasts as long as the descriptors; with `bpf-clsact` as
    long as the interface stays in its namespace, and a second call replaces it.

    Raises:
        UnsupportedError: the kernel grants no way to carry marks.
        MachineError: the kernel refused an operation; nothing of it remains open.
    """
    method = method or chosen_method()
    try:
        with entered(netns):
            if method == PACKET_SOCKET:
                more: tuple[int, ...] = (packet_socket.open_outgoing(name),)
            else:
                set_mask(name, OFF)
                more = _attach_programs(name, method)
    except MachineError:
        raise
    except OSError as err:
        where = "" if netns is None else f" in netns {netns}"
        message = f"interface {name}{where}: cannot prepare it for marks ({method}): {err.strerror}"
        raise MachineError(message, errno=err.errno or 0) from err
    return PortHandles(method=method, kind=kind, fds=(tun_fd, *more))


@functools.cache
def chosen_method() -> str:
    """How marks are carried on this machine, asked of the kernel once per process.

    Raises:
        UnsupportedError: there is no way.
        MachineError: the kernel answered neither yes nor no.
    """
    refusals = []
    for method in _QUESTIONS:
        refusal = refusal_of(method)
        if refusal is None:
            return method
        refusals.append(f"{method}: {refusal}")
    raise UnsupportedError(
        f"this kernel grants no way to carry netfilter marks ({'; '.join(refusals)})",
        hint="run as root, or in a user namespace of your own on Linux 5.19 or later",
    )


def refusal_of(method: str) -> str | None:
    """Why the kernel does not grant a method, asked now; None if it does.

    Raises:
        MachineError: the kernel answered neither yes nor no.
    """
    try:
        _QUESTIONS[method]()
    except MachineError:
        raise
    except OSError as err:
        reason = err.strerror or str(err)
        if err.errno in _REFUSALS:
            return reason
        raise MachineError(f"cannot ask the kernel for {method}: {reason}", errno=err.errno or 0) from err
    return None


def _ask_for_tcx() -> None:
    """Attach to an interface that cannot exist: only a kernel that knows TCX looks for it."""
    with ExitStack() as closing:
        _, ingress, _ = _load_programs(closing)
        try:
            bpf_objects.link_tcx(ingress, _NO_INTERFACE, bpf_objects.INGRESS)
        except OSError as err:
            if err.errno != errno.ENODEV:
                raise


def _ask_for_clsact() -> None:
    """Attach to the `lo` of a network namespace that exists for this question only."""
    with ExitStack() as closing, returning():
        _, ingress, egress = _load_programs(closing)
        syscalls.unshare(syscalls.CLONE_NEWNET)
        clsact.attach(_index("lo"), ingress, egress)


def _ask_for_packet_socket() -> None:
    packet_socket.open_unbound().close()


# From the best to the one that can do least.
_QUESTIONS = {TCX: _ask_for_tcx, CLSACT: _ask_for_clsact, PACKET_SOCKET: _ask_for_packet_socket}


def _load_programs(closing: ExitStack) -> tuple[int, int, int]:
    """Memory, ingress and egress program; closed with `closing`, what is attached keeps them alive."""

    def kept(fd: int) -> int:
        closing.callback(os.close, fd)
        return fd

    memory = kept(bpf_objects.create_memory(bpf.MEMORY_BYTES))
    dictionary = kept(bpf_objects.create_dictionary(_DICTIONARY_ENTRIES))
    ingress = kept(bpf_objects.load_program("gpiomux_in", bpf.ingress_program(memory)))
    egress = kept(bpf_objects.load_program("gpiomux_out", bpf.egress_program(memory, dictionary)))
    return memory, ingress, egress


def _attach_programs(name: str, method: str) -> tuple[int, ...]:
    index = _index(name)
    with ExitStack() as closing:
        memory, ingress, egress = _load_programs(closing)
        if method == CLSACT:
            clsact.attach(index, ingress, egress)
            return (os.dup(memory),)
        inward = bpf_objects.link_tcx(ingress, index, bpf_objects.INGRESS)
        try:
            outward = bpf_objects.link_tcx(egress, index, bpf_objects.EGRESS)
        except OSError:
            os.close(inward)
            raise
        return (os.dup(memory), inward, outward)


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as err:  # has neither errno nor the kernel's words
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from err
