"""What a worker is given by the warden that starts it: two sockets, and its first words."""

from __future__ import annotations

import socket
from collections.abc import MutableMapping

from sidecar.service.intercom import read_first
from sidecar.values import dataclass

# The descriptors of the line and of the socket that apps connect to. Nobody else sets it.
VARIABLE = "SIDECAR_WORKER_SOCKETS"


@dataclass(frozen=True, slots=True)
class Post:
    """``text``: the config. ``leads``: it makes the rounds. ``is_first``: nobody served before."""

    line: socket.socket
    door: socket.socket
    name: str
    text: str
    leads: bool
    is_first: bool


def take_post(environ: MutableMapping[str, str]) -> Post | None:
    """The post that this process is for; None where it is no worker."""
    written = environ.pop(VARIABLE, "")
    if not written:
        return None
    line, door = (socket.socket(fileno=int(number)) for number in written.split(":"))
    for each in (line, door):
        each.set_inheritable(False)
    said = read_first(line)
    line.setblocking(False)
    return Post(line, door, said["name"], said["text"], said["leads"], said["is_first"])


def first_words(name: str, text: str, *, leads: bool, is_first: bool) -> dict[str, str | bool]:
    """What the warden says first."""
    return {"name": name, "text": text, "leads": leads, "is_first": is_first}
