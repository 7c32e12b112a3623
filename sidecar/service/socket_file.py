"""The Unix socket that apps connect to: made where only we can, and gone when we are.

It is bound in a folder that nobody else may enter, gets its mode there, and is linked to its
place when it is ready: there is no moment at which it is open to more than it should be. A link
never replaces what is there, so of two sidecars that start at once one is refused.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from sidecar.config.private_file import check_folder
from sidecar.errors import ConfigError
from sidecar.peer import peer_of
from sidecar.service.portholder import describe_process

_OTHERS_WRITE = 0o022
_OURS = 0o600
_EVERYBODYS = 0o666


class SocketFile:
    """A bound socket and its place."""

    def __init__(self, path: Path, bound: socket.socket, identity: tuple[int, int]) -> None:
        self.path = path
        self.socket = bound
        self._identity = identity

    @classmethod
    def make(cls, path: Path, *, for_others: bool) -> SocketFile:
        """Bind it. ConfigError names the path, what is in the way, and the fix.

        ``for_others`` lets every user connect, to be told apart by what the kernel says of them.
        """
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ready = False
        try:
            _check_place(path.parent)
            with TemporaryDirectory(dir=path.parent, prefix=".") as private:
                draft = Path(private) / "s"
                bound.bind(str(draft))
                draft.chmod(_EVERYBODYS if for_others else _OURS)
                # Whoever finds the file finds somebody behind it: it never looks deserted.
                bound.listen()
                _clear(path, Path(private) / "old")
                path.hardlink_to(draft)
                file = cls(path, bound, _identity(draft))
            ready = True
            return file
        except OSError as fault:
            reason = (fault.strerror or "not usable").lower()
            raise ConfigError(
                f"{path}: {reason}; name a path in a folder that is there and that only this "
                "user may write in"
            ) from fault
        finally:
            if not ready:
                bound.close()

    def remove(self) -> None:
        """Take the file away, unless it is another's by now.

        While the socket is open nobody else's file can have its identity.
        """
        try:
            if _identity(self.path) == self._identity:
                self.path.unlink()
        except OSError:
            # Gone, or out of reach: then the next start finds it deserted.
            return


def make_socket_file(key: str, path: Path, users: Collection[int]) -> SocketFile:
    """The socket for these users. ConfigError names the ``key`` that asked for it."""
    try:
        return SocketFile.make(path, for_others=any(user != os.geteuid() for user in users))
    except ConfigError as fault:
        raise ConfigError(*(f"{key}: {mistake}" for mistake in fault.mistakes)) from fault


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


def _check_place(folder: Path) -> None:
    check_folder(folder)
    # A sticky folder keeps a secret's file in its place, but while we are stopped anybody could
    # listen there in our name, and be told what apps say.
    if folder.stat().st_mode & _OTHERS_WRITE:
        raise ConfigError(
            f"{folder}: other users may make files in this folder, and so stand in for the "
            "sidecar while it is stopped; name a folder that only this user may write in"
        )


def _clear(path: Path, aside: Path) -> None:
    """Take away what a sidecar left that was killed. ConfigError for anything else."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ConfigError(f"{path}: something else than a socket is there; name another path")
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{path}: another user's socket is there; remove it, or name another")
    _refuse_live(path, path)
    path.rename(aside)
    try:
        # Another sidecar may have put its own there since we looked.
        _refuse_live(aside, path)
    except ConfigError:
        path.hardlink_to(aside)
        raise


def _refuse_live(where: Path, path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(where))
        except ConnectionRefusedError:
            return
        holder = describe_process(peer_of(probe).process)
    raise ConfigError(
        f"{path}: {holder} listens there already; stop what holds it, or name another path"
    )
