"""Where apps connect: a host and port, or a Unix socket, where the kernel says who they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from sidecar.config.addresses import Address, SocketPath, is_loopback
from sidecar.config.document import Entry
from sidecar.config.fields import Field, show
from sidecar.config.model import RouteConfig
from sidecar.config.secret_ref import Places
from sidecar.http import Origin

UNIX = "unix:"
# The system takes 107, of which the folder has to leave room for a name that is ours at first.
PATH_BYTES_MAX = 96
HOSTS_MAX = 64

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised here, not bound
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})
_EXAMPLE = 'write it like "unix:/run/x402/sidecar.sock"'
_HOST = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII)


def read_socket_path(field: Field, text: str, places: Places) -> SocketPath:
    """The Unix socket that ``text`` names; a mistake is noted when it names none."""
    written = text.removeprefix(UNIX)
    path = places.path(written)
    # Relative to the config or to where one stands: an app would look in a third place.
    if not written.startswith(("/", "~/")) or not written.isprintable():
        field.mistake(f"not an absolute path: {show(text)}", _EXAMPLE)
    elif not path.name or not path.is_absolute():
        field.mistake(f"not the path of a file: {show(text)}", _EXAMPLE)
    elif len(str(path).encode()) > PATH_BYTES_MAX:
        field.mistake(f"a path of over {PATH_BYTES_MAX} bytes", "choose a shorter one")
    return SocketPath(path)


def read_auth(field: Field, *, on_socket: bool) -> Literal["token", "none"]:
    """Whether apps have to say who they are."""
    auth: Literal["token", "none"] = field.choice(("token", "none"), "token")
    if on_socket and auth == "none":
        field.mistake(
            "none would let every user in, and a Unix socket knows who connects",
            "remove it, and name the users under callers",
        )
    return auth


def check_ports(field: Field, listen: Address | SocketPath, admin: Address) -> None:
    """Two listeners have two ports."""
    if isinstance(listen, SocketPath):
        return
    if listen.port == admin.port != 0:
        field.mistake(f"port {admin.port} is the port of listen, too", "use two ports")


def check_loops(
    field: Field,
    routes: Mapping[str, RouteConfig],
    addresses: tuple[Address | SocketPath, Address],
) -> None:
    """A route to ourselves would ask itself for ever."""
    for name, entry in field.named():
        route = routes.get(name)
        if route is None or not route.upstream:
            continue
        origin = Origin.of(route.upstream)
        for address in addresses:
            if isinstance(address, SocketPath):
                continue
            is_ours = address.host == origin.host or (
                is_loopback(origin.host) and address.host in {*_EVERYWHERE, *_HERE}
            )
            if origin.port == address.port and is_ours:
                entry.mistake(
                    f"its upstream is the sidecar's own address {address}",
                    "name the upstream's own address",
                )


def separated(field: Field) -> Field:
    """What a variable says, as the list that the file would have: commas are between its items."""
    items = tuple(Entry(item.strip(), field.line) for item in field.text().split(","))
    return replace(field, entry=Entry(items, field.line))


def read_hosts(field: Field) -> tuple[str, ...]:
    """The Host values that are allowed beside those of the address itself."""
    hosts = []
    items = field.items()
    if len(items) > HOSTS_MAX:
        field.mistake(f"{len(items)} hosts", f"name at most {HOSTS_MAX}")
    for item in items:
        text = item.text(fix='write it like "sidecar:8402"').lower()
        if text and _HOST.fullmatch(text) is None:
            item.mistake(
                f"not a Host value: {show(text)}", 'write it like "sidecar:8402", without patterns'
            )
        elif text:
            hosts.append(text)
    return tuple(hosts)
