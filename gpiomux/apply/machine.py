"""The real machine: the only verbs that alter the kernel, the run directory and the datapaths."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import ExitStack, contextmanager
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any, Self, assert_never

from gpiomux.aggregator.node import Access
from gpiomux.apply.interfaces import change_interface, make_interface
from gpiomux.apply.observe import look_at
from gpiomux.apply.real_lines import chips_of, node_of, rest_lines
from gpiomux.apply.xdp_programs import XdpPrograms, forget
from gpiomux.channels.files import make_channel, open_channels, remove_channel
from gpiomux.config import model
from gpiomux.config.gathered import consumer
from gpiomux.config.model import GpioMedium, ShmMedium
from gpiomux.config.plain import transport_to_plain
from gpiomux.config.tuning import poll_to_plain
from gpiomux.errors import GpiomuxError, MachineError
from gpiomux.lines.backends import open_driver_fds
from gpiomux.lines.wire_file import make_wire, remove_wire
from gpiomux.netdev import netns
from gpiomux.netdev.marks import prepare_port
from gpiomux.netdev.rtnl import Rtnl
from gpiomux.netdev.tuntap import open_tun
from gpiomux.plan.state import (
    Address,
    Attachment,
    Channel,
    Chip,
    Datapath,
    Interface,
    Mark,
    Netns,
    Pmtu,
    Poll,
    Resource,
    Route,
    Wire,
    Xdp,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from gpiomux.apply.datapaths import Datapaths
    from gpiomux.config.model import Transport
    from gpiomux.plan.observed import Observed
    from gpiomux.plan.scope import Scope
    from gpiomux.rundir import RunDir

_log = logging.getLogger(__name__)

_GONE = frozenset((errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH, errno.ECONNRESET))
"""What is said about an object that is not there. Addresses and routes go along with others, interfaces with their
namespace, attachments with their process; removing them is then already done."""


class KernelMachine:
    """Performs operations of a plan; used in a `with` statement, for one plan.

    *Threads and processes:* one thread, which enters other network namespaces and is back after each verb.
    """

    def __init__(
        self, rundir: RunDir, datapaths: Datapaths, observed: Observed, wanted: Iterable[Resource] = ()
    ) -> None:
        """Work on a machine that has just been observed.

        Args:
            rundir: where our wires are.
            datapaths: our processes.
            observed: the machine.
            wanted: what shall be in the end, where the plan leaves interfaces as they are: a process that starts then
                is told the MTU that its peer knows, whatever somebody has given the interface.
        """
        self._mtus = {it.name: it.mtu for it in wanted if isinstance(it, Interface)}
        self._rundir = rundir
        self._datapaths = datapaths
        self._interfaces = {it for it in observed.state if isinstance(it, Interface)}
        self._addresses = {it for it in observed.state if isinstance(it, Address)}
        self._foreign_addresses = {
            Address(interface=it.key[1], netns=it.netns, address=it.key[2])
            for it in observed.foreign
            if it.key[0] == "address"
        }
        self._followers: dict[Address, list[Address]] = {}
        """Address that was removed -> ours of its network that came after it: the first is the source of packets."""
        self._sockets: dict[str | None, tuple[Rtnl, ExitStack]] = {}
        self._programs = XdpPrograms(rundir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._sockets):
            self._leave(name)
        self._programs.close()
        self._datapaths.end_unused()

    def look(self, scope: Scope) -> Observed:
        """See `gpiomux.plan.operations.Machine`.

        Raises:
            MachineError: something cannot be looked at.
        """
        return look_at(scope, self._rundir, self._datapaths)

    def create(self, resource: Resource) -> None:
        """Make a resource; see `gpiomux.plan.operations.Machine`.

        Raises:
            GpiomuxError: the machine refused; nothing was made.
        """
        match resource:
            case Netns(name=name):
                netns.create(name, self._rundir.owner)
            case Wire(name=name):
                make_wire(self._rundir.wire(name))
            case Chip():
                chips_of(self._rundir).make(resource.link, resource.lines, resource.device, _access(resource))
            case Channel(path=path, size_bytes=size_bytes):
                make_channel(self._rundir, path, size_bytes)
            case Interface():
                if resource.name == resource.link:
                    self._datapaths.prepare()  # its datapath comes later in the plan
                forget(self._rundir, resource.name)  # what an interface of this name had before
                make_interface(resource, self._rtnl(resource.netns), self._rundir.owner)
                self._interfaces.add(resource)
            case Xdp():
                self._programs.attach(self._rtnl(resource.netns), self._device(resource), resource)
            case Address():
                self._rtnl(resource.netns).add_address(self._device(resource), resource.address)
                self._addresses.add(resource)
                self._put_before_followers(resource)
            case Route():
                rtnl = self._rtnl(resource.netns)
                rtnl.add_route(self._device(resource), resource.to, resource.via, resource.metric)
            case Datapath():
                self._start(resource)
            case Poll(link=link):
                self._datapaths.ask(link, {"do": "poll", "poll": _poll_to_plain(resource)})
            case Pmtu(link=link, mark=mark, limit_bytes=limit_bytes):
                self._datapaths.ask(link, {"do": "pmtu", "mark": mark, "bytes": limit_bytes})
            case Attachment(link=link, child=child):
                with self._port(child) as (port, fds):
                    self._datapaths.ask(link, {"do": "attach", "child": child, "port": port}, fds)
            case Mark(link=link, child=child, mark=mark):
                self._datapaths.ask(link, {"do": "bind", "child": child, "mark": mark})
            case _:
                assert_never(resource)

    def remove(self, resource: Resource) -> None:
        """Take a resource away; see `gpiomux.plan.operations.Machine`.

        Raises:
            GpiomuxError: the machine refused; the resource stands.
        """
        try:
            self._remove(resource)
        except MachineError as err:
            if err.errno not in _GONE:
                raise
        if isinstance(resource, Interface):
            self._interfaces.discard(resource)
            if all(it.name != resource.name for it in self._interfaces):
                forget(self._rundir, resource.name)
        elif isinstance(resource, Address):
            self._addresses.discard(resource)

    def change(self, old: Resource, new: Resource) -> None:
        """Change a resource while it stands; see `gpiomux.plan.operations.Machine`.

        Raises:
            GpiomuxError: the machine refused; the resource is as before.
        """
        if isinstance(new, Chip):
            chips_of(self._rundir).change_access(new.link, _access(new))
            return
        if isinstance(old, Xdp) and isinstance(new, Xdp):
            self._programs.replace(self._rtnl(new.netns), self._device(new), new)
            return
        if isinstance(new, Poll | Pmtu):  # what is asked of a datapath takes the place of what was asked before
            self.create(new)
            return
        assert isinstance(old, Interface)
        assert isinstance(new, Interface)
        change_interface(old, new, self._rtnl)
        if new.name == new.link and new.mtu != old.mtu:
            try:
                self._tell_mtu(new)
            except MachineError:
                change_interface(new, old, self._rtnl)
                raise
        self._interfaces.discard(old)
        self._interfaces.add(new)

    def _remove(self, resource: Resource) -> None:
        match resource:
            case Netns(name=name):
                self._leave(name)  # an open socket would keep the namespace alive
                netns.remove(name, self._rundir.owner)
            case Wire(name=name):
                remove_wire(self._rundir.wire(name))
            case Chip(link=link):
                chips_of(self._rundir).remove(link)
            case Channel(path=path):
                remove_channel(self._rundir, path)
            case Interface():
                self._rtnl(resource.netns).delete_link(resource.device)
            case Xdp():
                self._programs.detach(self._rtnl(resource.netns), self._device(resource), resource)
            case Address():
                self._remove_address(resource)
            case Route():
                rtnl = self._rtnl(resource.netns)
                rtnl.remove_route(self._device(resource), resource.to, resource.via, resource.metric)
            case Datapath(link=link, transport=transport):
                self._datapaths.stop(link)
                self._rest(link, transport)
            case Poll(link=link):
                self._datapaths.ask(link, {"do": "poll", "poll": poll_to_plain(model.Poll())})
            case Pmtu(link=link, mark=mark):
                self._datapaths.ask(link, {"do": "del-pmtu", "mark": mark})
            case Attachment(link=link, child=child):
                self._datapaths.ask(link, {"do": "detach", "child": child})
            case Mark(link=link, mark=mark):
                self._datapaths.ask(link, {"do": "unbind", "mark": mark})
            case _:
                assert_never(resource)

    def _remove_address(self, gone: Address) -> None:
        """Remove one address and no other.

        The kernel takes the other IPv4 addresses of the same network away with the first of them, unless the sysctl
        promote_secondaries is set (__inet_del_ifa in net/ipv4/devinet.c); they are added again.
        """
        rtnl, device = self._rtnl(gone.netns), self._device(gone)
        near = [it for it in self._addresses | self._foreign_addresses if it != gone and _of_one_network(it, gone)]
        if near:
            order = [it.address for it in rtnl.addresses() if it.interface == device]
            near.sort(key=lambda it: _place(it.address, order))
            place = _place(gone.address, order)
            self._followers[gone] = [it for it in near if it in self._addresses and _place(it.address, order) > place]
        rtnl.remove_address(device, gone.address)
        if near:
            left = {it.address for it in rtnl.addresses() if it.interface == device}
            for it in near:
                if it.address not in left:
                    rtnl.add_address(device, it.address, tagged=it in self._addresses)

    def _put_before_followers(self, back: Address) -> None:
        """Give an address that is back, because a plan is undone, the place that it had."""
        followers = self._followers.pop(back, [])
        if not followers:
            return
        rtnl, device = self._rtnl(back.netns), self._device(back)
        standing = {it.address for it in rtnl.addresses() if it.interface == device}
        for it in followers:
            if it.address in standing:
                self._remove_address(it)
                rtnl.add_address(device, it.address)
                self._followers.pop(it, None)

    def _tell_mtu(self, interface: Interface) -> None:
        try:
            self._datapaths.ask(interface.link, {"do": "mtu", "mtu": interface.mtu})
        except MachineError as err:
            if err.errno not in _GONE:  # it is told when it starts
                raise

    def _start(self, wanted: Datapath) -> None:
        interface = self._interface(wanted.link)
        with self._port(wanted.link) as (port, fds), ExitStack() as opened:
            driver_fds = self._driver_fds(wanted)
            for fd in driver_fds:
                opened.callback(os.close, fd)
            message = {
                "do": "start",
                "link": wanted.link,
                "transport": transport_to_plain(wanted.transport),
                "mtu": self._mtus.get(wanted.link, interface.mtu),
                "port": port,
                "driver_fds": len(driver_fds),
            }
            try:
                self._datapaths.start(wanted.link, message, [*fds, *driver_fds])
            except GpiomuxError:
                opened.close()
                self._rest(wanted.link, wanted.transport)
                raise

    def _driver_fds(self, wanted: Datapath) -> list[int]:
        medium, lines = wanted.transport.medium, wanted.transport.lines
        if isinstance(medium, ShmMedium):
            return open_channels(self._rundir, medium.out, medium.into)
        if not isinstance(medium, GpioMedium) or lines is None:
            return open_driver_fds(wanted.transport, self._rundir)
        node = node_of(wanted.link, lines, self._rundir)
        return open_driver_fds(wanted.transport, self._rundir, node=node, consumer=consumer(wanted.link))

    def _rest(self, link: str, transport: Transport) -> None:
        try:
            rest_lines(link, transport, self._rundir)
        except MachineError as err:
            if err.errno not in (*_GONE, errno.ENXIO):  # without its chip, a link drives nothing
                _log.warning("the outputs of %s could not be made inputs: %s", link, err)

    @contextmanager
    def _port(self, name: str) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
        """Open an interface for its datapath: the port as a message has it, and descriptors that live in the block."""
        interface = self._interface(name)
        with ExitStack() as opened:
            tun = open_tun(interface.device, interface.kind, interface.netns)
            try:
                handles = prepare_port(interface.device, interface.kind, interface.netns, tun)
            except GpiomuxError:
                os.close(tun)
                raise
            for fd in handles.fds:
                opened.callback(os.close, fd)
            yield {"method": handles.method, "kind": handles.kind, "fds": len(handles.fds)}, handles.fds

    def _interface(self, name: str) -> Interface:
        # open_tun would make the device if it were not there, without tag and addresses.
        for it in self._interfaces:
            if it.name == name:
                return it
        hint = "`gpiomux apply` makes it again"
        raise MachineError(f"interface {name} does not exist", errno=errno.ENODEV, hint=hint)

    def _device(self, guest: Address | Route | Xdp) -> str:
        """What the kernel calls the interface on which something is."""
        for it in self._interfaces:
            if (it.name, it.netns) == (guest.interface, guest.netns):
                return it.device
        return guest.interface

    def _rtnl(self, name: str | None) -> Rtnl:
        """A socket in a network namespace, opened once for all operations there."""
        if name not in self._sockets:
            stack = ExitStack()
            self._sockets[name] = (stack.enter_context(Rtnl(name)), stack)
        return self._sockets[name][0]

    def _leave(self, name: str | None) -> None:
        if name in self._sockets:
            self._sockets.pop(name)[1].close()


def _poll_to_plain(poll: Poll) -> str | dict[str, Any]:
    return poll_to_plain(model.Poll(mode=poll.mode, idle_us=poll.idle_us, budget=poll.budget))


def _access(chip: Chip) -> Access:
    return Access(owner=chip.owner, group=chip.group, mode=chip.mode)


def _place(wanted: str, order: list[str]) -> int:
    return order.index(wanted) if wanted in order else len(order)


def _of_one_network(one: Address, other: Address) -> bool:
    if (one.interface, one.netns) != (other.interface, other.netns):
        return False
    return ip_interface(one.address).network == ip_interface(other.address).network
