"""What is set can be read back, and every refusal names object, errno and the kernel's own words."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gpiomux.errors import MachineError
from gpiomux.netdev import netns
from gpiomux.netdev.netlink import Netlink
from gpiomux.netdev.rtnl import AddressInfo, LinkInfo, RouteInfo, Rtnl
from tests.netdev.ends import make_tun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def rtnl() -> Iterator[Rtnl]:
    """The test's own network with `end0`, a TAP device."""
    make_tun("end0", "tap", None)
    with Rtnl(None) as opened:
        yield opened
        if any(link.name == "end0" for link in opened.links()):
            opened.delete_link("end0")


pytestmark = pytest.mark.netns


def end0(rtnl: Rtnl) -> LinkInfo:
    return next(link for link in rtnl.links() if link.name == "end0")


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, text=True, capture_output=True).stdout


def test_a_link_as_it_is_made(rtnl: Rtnl) -> None:
    lo = next(link for link in rtnl.links() if link.name == "lo")
    assert (lo.index, lo.mac, lo.kind, lo.alias) == (1, "00:00:00:00:00:00", "", None)
    made = end0(rtnl)
    assert (made.mtu, made.up, made.carrier, made.kind, made.alias) == (1500, False, False, "tap", None)
    assert re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", made.mac or "")


def test_a_link_changes(rtnl: Rtnl) -> None:
    rtnl.set_alias("end0", "gpiomux:end0")
    rtnl.set_mtu("end0", 9000)
    rtnl.set_mac("end0", "46:45:54:48:30:31")
    rtnl.set_up("end0", True)
    changed = end0(rtnl)
    assert (changed.alias, changed.mtu, changed.mac, changed.up) == ("gpiomux:end0", 9000, "46:45:54:48:30:31", True)
    rtnl.set_up("end0", False)
    assert not end0(rtnl).up
    rtnl.delete_link("end0")
    assert [link.name for link in rtnl.links()] == ["lo"]


def test_an_alias_of_somebody_that_is_no_text(rtnl: Rtnl) -> None:
    subprocess.run([b"ip", b"link", b"set", b"end0", b"alias", b"\xff\xfe"], check=True)
    assert end0(rtnl).alias == os.fsdecode(b"\xff\xfe")


@pytest.mark.parametrize("address", ["10.1.0.1/24", "10.1.0.1/32", "fd01::1/64", "fd01::1/128"])
def test_an_address_of_ours(rtnl: Rtnl, address: str) -> None:
    rtnl.set_up("end0", True)
    rtnl.add_address("end0", address)
    assert AddressInfo(interface="end0", address=address, ours=True) in rtnl.addresses()
    rtnl.remove_address("end0", address)
    assert address not in {found.address for found in rtnl.addresses()}


def test_an_address_of_somebody_else(rtnl: Rtnl) -> None:
    ip("address", "add", "10.1.0.1/24", "dev", "end0")
    assert AddressInfo(interface="end0", address="10.1.0.1/24", ours=False) in rtnl.addresses()
    with pytest.raises(MachineError) as caught:
        rtnl.add_address("end0", "10.1.0.1/24")
    assert caught.value.errno == errno.EEXIST


ROUTES = [
    ("10.2.0.0/16", "10.1.0.2", None),
    ("10.2.0.0/16", None, None),
    ("10.2.0.7/32", None, 100),
    ("0.0.0.0/0", "10.1.0.2", 7),
    ("fd02::/64", "fd01::2", None),
    ("fd02::/64", None, 5),
    ("fd02::7/128", "fd01::2", 2000),
    ("::/0", "fd01::2", None),
]


@pytest.fixture
def routable(rtnl: Rtnl) -> Rtnl:
    """`end0` is up and has an address of each family."""
    rtnl.set_up("end0", True)
    rtnl.add_address("end0", "10.1.0.1/24")
    rtnl.add_address("end0", "fd01::1/64")
    return rtnl


@pytest.mark.parametrize(("to", "via", "metric"), ROUTES)
def test_a_route_of_ours(routable: Rtnl, to: str, via: str | None, metric: int | None) -> None:
    def ours() -> list[RouteInfo]:
        return [route for route in routable.routes() if route.ours]

    assert ours() == []
    routable.add_route("end0", to, via, metric)
    assert ours() == [RouteInfo(interface="end0", to=to, via=via, metric=metric, ours=True)]
    routable.remove_route("end0", to, via, metric)
    assert ours() == []


def test_the_default_metric_reads_as_none(routable: Rtnl) -> None:
    routable.add_route("end0", "fd02::/64", None, 1024)
    assert [route.metric for route in routable.routes() if route.ours] == [None]


def test_routes_of_others(routable: Rtnl) -> None:
    ip("route", "add", "10.3.0.0/16", "dev", "end0")
    ip("route", "add", "10.4.0.0/16", "dev", "end0", "table", "100")
    ip("route", "add", "10.5.0.0/16", "dev", "end0", "table", "1000")
    ip("route", "add", "unreachable", "10.6.0.0/16")
    found = {(route.to, route.ours) for route in routable.routes() if ":" not in route.to}
    assert found == {("10.1.0.0/24", False), ("10.3.0.0/16", False)}  # main table, through an interface
    with pytest.raises(MachineError) as caught:
        routable.remove_route("end0", "10.3.0.0/16", None, None)
    assert caught.value.errno == errno.ESRCH


Refused = tuple[str, tuple[Any, ...], int, str]

REFUSED: list[Refused] = [
    (
        "set_mtu",
        ("end0", 70000),
        errno.EINVAL,
        "set its mtu to 70000: Invalid argument (mtu greater than",
    ),
    (
        "set_mac",
        ("end0", "47:45:54:48:30:31"),
        errno.EADDRNOTAVAIL,
        "set its address to 47:45:54:48:30:31: Cannot",
    ),
    ("add_address", ("end0", "fd01::1/64"), errno.EEXIST, "add address fd01::1/64: File exists (ipv6: address already"),
    ("remove_address", ("end0", "10.9.0.1/24"), errno.EADDRNOTAVAIL, "remove address 10.9.0.1/24: Cannot assign"),
    (
        "add_route",
        ("end0", "10.2.0.0/16", "10.7.0.2", None),
        errno.ENETUNREACH,
        "add route 10.2.0.0/16 via 10.7.0.2: Network is unreachable (Nexthop has invalid gateway)",
    ),
    ("remove_route", ("end0", "10.2.0.0/16", None, None), errno.ESRCH, "remove route 10.2.0.0/16: No such process"),
]


@pytest.mark.parametrize(("verb", "arguments", "number", "words"), REFUSED)
def test_refusals(routable: Rtnl, verb: str, arguments: tuple[Any, ...], number: int, words: str) -> None:
    with pytest.raises(MachineError) as caught:
        getattr(routable, verb)(*arguments)
    assert caught.value.message.startswith("interface end0: cannot " + words)
    assert caught.value.errno == number


@pytest.mark.parametrize(
    "attempt",
    [
        lambda rtnl: rtnl.set_alias("gone", "x"),
        lambda rtnl: rtnl.set_mtu("gone", 1500),
        lambda rtnl: rtnl.set_mac("gone", "02:00:00:00:00:01"),
        lambda rtnl: rtnl.set_up("gone", True),
        lambda rtnl: rtnl.move("gone", None, "end0"),
        lambda rtnl: rtnl.add_address("gone", "10.1.0.1/24"),
        lambda rtnl: rtnl.remove_address("gone", "10.1.0.1/24"),
        lambda rtnl: rtnl.add_route("gone", "10.1.0.0/24", None, None),
        lambda rtnl: rtnl.remove_route("gone", "10.1.0.0/24", None, None),
        lambda rtnl: rtnl.delete_link("gone"),
    ],
)
def test_an_interface_that_does_not_exist(rtnl: Rtnl, attempt: Callable[[Rtnl], None]) -> None:
    with pytest.raises(MachineError, match=r"interface gone: cannot .*: No such device") as caught:
        attempt(rtnl)
    assert caught.value.errno == errno.ENODEV


def test_another_namespace() -> None:
    netns.create("far")
    try:
        make_tun("end0", "tun", "far")
        with Rtnl("far") as far, Rtnl(None) as here:
            far.set_up("end0", True)
            far.add_address("end0", "10.1.0.1/24")
            assert [link.name for link in here.links()] == ["lo"]
            assert [found.address for found in far.addresses() if found.ours] == ["10.1.0.1/24"]
            with pytest.raises(MachineError, match=r"^interface end0 in netns far: cannot set its mtu to 1: Invalid"):
                far.set_mtu("end0", 1)
    finally:
        netns.remove("far")


def test_an_unknown_namespace() -> None:
    with pytest.raises(MachineError) as caught, Rtnl("nowhere"):
        pytest.fail("opened")
    assert caught.value.errno == errno.ENOENT


def test_without_permission() -> None:
    """The hint says what is missing; a process of its own, because what it gives up never comes back."""
    program = (
        "from gpiomux.netdev.rtnl import Rtnl\n"
        "from gpiomux.errors import MachineError\n"
        "with Rtnl(None) as rtnl:\n"
        "    try: rtnl.set_up('lo', False)\n"
        "    except MachineError as err: print(err, err.errno, err.hint, sep='|')\n"
    )
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", program]
    done = subprocess.run(command, check=True, text=True, capture_output=True)
    assert done.stdout == (
        "interface lo: cannot set it down: Operation not permitted|1|"
        "this needs CAP_NET_ADMIN in that network namespace\n"
    )


def test_a_list_that_changes_all_the_time_is_given_up(rtnl: Rtnl, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise OSError(errno.EAGAIN, "they change faster than they can be read")

    monkeypatch.setattr(Netlink, "dump", busy)
    with pytest.raises(MachineError, match=r"cannot list links: .*they change faster than they can be read") as caught:
        rtnl.links()
    assert caught.value.errno == errno.EAGAIN
    monkeypatch.undo()


def test_to_look_takes_no_pyroute2() -> None:
    program = (
        "import sys\n"
        "from gpiomux.netdev.rtnl import Rtnl\n"
        "with Rtnl(None) as rtnl: rtnl.links(), rtnl.addresses(), rtnl.routes()\n"
        "print('pyroute2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, text=True, capture_output=True)
    assert done.stdout == "False\n"
