"""The signer's socket: who may ask, one at a time, for so long.

One connection after the other, with one request each: the total order of what is signed is the
order of the door. Who connects is known from the kernel before a byte is read.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from sidecar.clock import Clock
from sidecar.config.private_file import ensure_state_dir
from sidecar.errors import ConfigError, RemoteProtocolError
from sidecar.peer import peer_of
from sidecar.signer.frame import framed, read_framed

# Nobody who was admitted can keep the next one waiting for longer.
REQUEST_WAIT_S = 0.5
BACKLOG = 64


def open_door(path: Path, *, peer_is_other: bool) -> socket.socket:
    """Listen there. ConfigError: somebody does already, or it is not ours to use.

    Where the peer is another user the file has to let it in: the kernel's word on who it is
    decides, and not the file's mode.
    """
    ensure_state_dir(path.parent)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
        if peer_is_other:
            path.chmod(0o666)
        listener.listen(BACKLOG)
    except OSError as fault:
        listener.close()
        raise ConfigError(f"socket: {path}: {fault.strerror or fault}") from fault
    finally:
        os.umask(before)
    return listener


def serve(
    listener: socket.socket, answer: Callable[[bytes], bytes], user: int, clock: Clock
) -> None:
    """Answer whoever has this user id, for ever."""
    while True:
        connection, _ = listener.accept()
        with connection:
            if peer_of(connection).user == user:
                _attend(connection, answer, clock)


def _attend(connection: socket.socket, answer: Callable[[bytes], bytes], clock: Clock) -> None:
    until_s = clock.monotonic_s() + REQUEST_WAIT_S
    try:
        request = read_framed(connection, clock, until_s)
        reply = framed(answer(request))
        connection.settimeout(REQUEST_WAIT_S)
        connection.sendall(reply)
    except (OSError, RemoteProtocolError):
        # It went away, was slow, or spoke no frames: it has lost its turn, and that is all.
        return


def _clear(path: Path) -> None:
    """Take away what a signer left that was killed."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
        raise ConfigError(f"socket: {path}: something else is there; name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(REQUEST_WAIT_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as fault:
            raise ConfigError(f"socket: {path}: {fault.strerror or fault}") from fault
    raise ConfigError(f"socket: {path}: a signer listens there already")
