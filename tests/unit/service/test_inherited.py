"""Sockets that were handed over: which is which, and what cannot be served on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config
from sidecar.errors import ConfigError
from sidecar.service.inherited import inherited_sockets, served_on
from tests.unit.config.configs import changed, parsed

OWN = 77


@pytest.fixture
def config() -> Config:
    return parsed(changed("hosts", to=[]))


@pytest.fixture
def made() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(made: ExitStack, family: socket.AddressFamily, name: object) -> socket.socket:
    """A socket that listens, as a service manager hands it over."""
    given = made.enter_context(socket.socket(family))
    given.bind(name)  # type: ignore[arg-type]
    given.listen()
    return given


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        inherited_sockets({"LISTEN_PID": str(OWN), **environ}, OWN)
    return str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "78", "LISTEN_FDS": "2"},
        {"LISTEN_PID": str(OWN), "LISTEN_FDS": "0"},
        {"LISTEN_FDS": "2"},
    ],
)
def test_none_for_us(environ: dict[str, str]) -> None:
    """What is meant for another process, or nothing, is none of ours; no child is told either."""
    given = {"HOME": "/", **environ}

    assert {} == inherited_sockets(given, OWN)
    assert {"HOME": "/"} == given


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"LISTEN_FDS": "3"},
            "LISTEN_FDS: '3' were handed over; hand over one socket for data, and at most one "
            "more, for admin",
        ),
        (
            {"LISTEN_FDS": "many"},
            "LISTEN_FDS: 'many' were handed over; hand over one socket for data, and at most one "
            "more, for admin",
        ),
        (
            {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "sidecar.socket"},
            "LISTEN_FDNAMES: there is no 'sidecar.socket'; write FileDescriptorName=data or "
            "FileDescriptorName=admin in the socket's unit",
        ),
        (
            {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "data:data"},
            "LISTEN_FDNAMES: 'data:data' for 2 sockets; name each once, data or admin",
        ),
        (
            {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "data"},
            "LISTEN_FDNAMES: 'data' for 2 sockets; name each once, data or admin",
        ),
    ],
)
def test_refused(environ: dict[str, str], message: str) -> None:
    """A wrong count or name is said, with what to write."""
    assert message == refusal(**environ)


def test_addresses(config: Config, made: ExitStack) -> None:
    """The config has the sockets' real addresses, whatever was written there."""
    data = listening(made, socket.AF_INET6, ("::1", 0))
    admin = listening(made, socket.AF_INET, ("127.0.0.1", 0))
    served = served_on(config, {"listen": data, "admin": admin})

    assert Address("::1", data.getsockname()[1]) == served.listen
    assert Address("127.0.0.1", admin.getsockname()[1]) == served.admin
    assert config == replace(served, listen=config.listen, admin=config.admin)
    assert config == served_on(config, {})


def test_another_kind(config: Config, made: ExitStack, tmp_path: Path) -> None:
    """A Unix socket in place of a port is refused, for its callers would be known otherwise."""
    path = tmp_path / "s"
    given = listening(made, socket.AF_UNIX, str(path))
    on_socket = replace(config, listen=SocketPath(Path("/run/other.sock")))
    said = []
    for key, wanted in (("listen", config), ("admin", on_socket)):
        with pytest.raises(ConfigError) as caught:
            served_on(wanted, {key: given})
        said.append(str(caught.value))

    assert [
        f"listen: the socket that was handed over is unix:{path}, and the config says "
        f"127.0.0.1:8402; write listen: unix:{path}, for callers are known in another way",
        f"admin: the socket that was handed over is unix:{path}; hand over a TCP socket",
    ] == said
    assert SocketPath(path) == served_on(on_socket, {"listen": given}).listen


def test_without_a_place(config: Config, made: ExitStack) -> None:
    """An abstract socket has no path whose folder could say who may connect."""
    given = listening(made, socket.AF_UNIX, b"\0sidecar-test-inherited")

    with pytest.raises(ConfigError, match="a socket without a path or a port"):
        served_on(config, {"listen": given})
