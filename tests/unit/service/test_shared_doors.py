"""Sockets that several workers accept from."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sidecar.config.addresses import Address, SocketPath
from sidecar.errors import ConfigError
from sidecar.service.shared_doors import SharedDoors, only, require_free

ANY = Address("127.0.0.1", 0)


def connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_dealt_out() -> None:
    """On a TCP port each worker has a socket of its own, and nobody else gets the port."""
    doors = SharedDoors.open(ANY, 3, None, {})
    taken = Address("127.0.0.1", doors.port)
    with pytest.raises(ConfigError) as second:
        SharedDoors.open(taken, 3, None, {})
    with pytest.raises(ConfigError) as admin:
        require_free("admin", taken)
    ports = {doors.at(place).getsockname()[1] for place in range(3)}
    different = {doors.at(place).fileno() for place in range(3)}
    doors.close()
    require_free("admin", taken)

    assert {doors.port} == ports
    assert 3 == len(different)
    assert str(second.value).startswith(f"listen: {taken} is taken by pid ")
    assert str(admin.value).startswith(f"admin: {taken} is taken by pid ")


def test_evenly() -> None:
    """Of a hundred connections that stay, no worker of two has more than three in four."""
    doors = SharedDoors.open(ANY, 2, None, {})
    apps = [socket.create_connection(("127.0.0.1", doors.port)) for _ in range(100)]
    accepted: list[list[socket.socket]] = [[], []]
    for place in range(2):
        while True:
            try:
                accepted[place].append(doors.at(place).accept()[0])
            except BlockingIOError:
                break
    counts = sorted(map(len, accepted))
    for each in (*apps, *accepted[0], *accepted[1]):
        each.close()
    doors.close()

    assert 100 == sum(counts)
    assert counts[0] >= 25


def test_shut() -> None:
    """What is shut is dealt nothing, and is opened again on the same port."""
    doors = SharedDoors.open(ANY, 2, None, {})
    before = doors.port
    doors.shut(0)
    apps = [socket.create_connection(("127.0.0.1", before)) for _ in range(10)]
    accepted = [doors.at(1).accept()[0] for _ in range(10)]
    again = doors.at(0).getsockname()[1]
    for each in (*apps, *accepted):
        each.close()
    doors.close()
    closed = connects(before)

    assert before == again
    assert not closed


def test_unix_socket() -> None:
    """A Unix socket is one for all, stays open when a worker is away, and its file goes once."""
    with TemporaryDirectory(prefix="x402-") as folder:
        path = Path(folder) / "s"
        doors = SharedDoors.open(SocketPath(path), 3, None, {})
        doors.shut(1)
        shared = {doors.at(place) for place in range(3)}
        listens = doors.at(1).getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        doors.close()
        gone = not path.exists()
        path.touch()
        doors.close()
        anothers = path.exists()

    assert (1, 1, 0) == (len(shared), listens, doors.port)
    assert gone
    assert anothers


def test_handed_over() -> None:
    """A socket that was handed over is everybody's, and is not shut."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        doors = SharedDoors.open(ANY, 2, given, {})
        doors.shut(0)
        shared = [doors.at(place) for place in range(2)]
        port = doors.port

        assert [given, given] == shared
        assert port == given.getsockname()[1]


def test_two_addresses() -> None:
    """A name that stands for two addresses is refused with both; the same one twice is one."""
    four, six = (socket.AF_INET, ("127.0.0.1", 1)), (socket.AF_INET6, ("::1", 1, 0, 0))

    assert four == only("localhost", [four, four])
    with pytest.raises(ConfigError, match=r"^listen: localhost is ::1, 127\.0\.0\.1, and workers"):
        only("localhost", [six, four])


def test_another_machines_address() -> None:
    """An address that no interface has is told with the fix."""
    with pytest.raises(ConfigError, match=r"^listen: 192\.0\.2\.1:1 is no address of this machine"):
        SharedDoors.open(Address("192.0.2.1", 1), 2, None, {})
