"""The file of a Unix socket: who may connect, what it replaces, and what it leaves alone."""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from sidecar.peer import Peer, peer_of
from sidecar.service.socket_file import SocketFile

ROUNDS = 50


@contextmanager
def made(path: Path, *, for_others: bool = False) -> Iterator[SocketFile]:
    file = SocketFile.make(path, for_others=for_others)
    with file.socket:
        yield file


def connect(path: Path) -> Peer:
    """Who listens there. OSError when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as app:
        app.connect(str(path))
        return peer_of(app)


def deserted(path: Path) -> None:
    """A socket whose process was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(("for_others", "mode"), [(False, 0o600), (True, 0o666)])
def test_mode(tmp_path: Path, mask: int, for_others: bool, mode: int) -> None:
    """Only we may connect unless others are to, whatever the umask; and nothing else is left."""
    path = tmp_path / "sidecar.sock"
    before = os.umask(mask)
    try:
        with made(path, for_others=for_others):
            found = path.stat()
            left = list(tmp_path.iterdir())
    finally:
        os.umask(before)

    assert (True, mode) == (stat.S_ISSOCK(found.st_mode), stat.S_IMODE(found.st_mode))
    assert [path] == left


def test_peer(tmp_path: Path) -> None:
    """Either end is told by the kernel which process and which user is at the other."""
    path = tmp_path / "sidecar.sock"
    with made(path) as file, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as app:
        app.connect(str(path))
        accepted, _ = file.socket.accept()
        with accepted:
            ends = peer_of(accepted), peer_of(app)

    assert (Peer(os.getpid(), os.geteuid()),) * 2 == ends


def test_deserted(tmp_path: Path) -> None:
    """What a killed sidecar left is replaced."""
    path = tmp_path / "sidecar.sock"
    deserted(path)
    with made(path):
        holder = connect(path)
        left = list(tmp_path.iterdir())

    assert os.getpid() == holder.process
    assert [path] == left


def test_live(tmp_path: Path) -> None:
    """A socket behind which somebody listens is left alone, and who it is is said."""
    path = tmp_path / "sidecar.sock"
    with made(path):
        before = path.stat().st_ino
        message = rf"{re.escape(str(path))}: pid {os.getpid()} \(.+\) listens there already; stop"
        with pytest.raises(ConfigError, match=message):
            SocketFile.make(path, for_others=False)
        connect(path)

        assert (before, [path]) == (path.stat().st_ino, list(tmp_path.iterdir()))


def test_two_at_once(tmp_path: Path) -> None:
    """Of two that start at once where one was killed, one listens and the other is refused."""
    path = tmp_path / "sidecar.sock"
    together = threading.Barrier(2)

    def start(_: int) -> SocketFile | None:
        together.wait()
        try:
            return SocketFile.make(path, for_others=False)
        except ConfigError:
            return None

    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            deserted(path)
            started = [file for file in pool.map(start, range(2)) if file is not None]

            assert 1 == len(started)
            with started[0].socket as listener:
                connect(path)
                listener.accept()[0].close()
                started[0].remove()
            assert [] == list(tmp_path.iterdir())


def test_full_queue(tmp_path: Path) -> None:
    """Somebody who is too busy to answer is not dead."""
    path = tmp_path / "sidecar.sock"
    with made(path) as file:
        file.socket.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
            waiting.connect(str(path))
            with pytest.raises(ConfigError, match="temporarily unavailable"):
                SocketFile.make(path, for_others=False)

        assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "link to a socket"])
def test_something_else(tmp_path: Path, kind: str) -> None:
    """What is no socket is left alone."""
    path = tmp_path / "sidecar.sock"
    match kind:
        case "file":
            path.touch()
        case "folder":
            path.mkdir()
        case _:
            deserted(tmp_path / "other")
            path.symlink_to("other" if kind == "link to a socket" else "nowhere")
    before = path.lstat()
    with pytest.raises(ConfigError, match="something else than a socket is there; name another"):
        SocketFile.make(path, for_others=False)

    assert before.st_ino == path.lstat().st_ino


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_open_folder(tmp_path: Path, mode: int) -> None:
    """Where others may make files they could stand in for us: sticky or not, it is refused."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError, match=f"{folder}: .*other users may"):
        SocketFile.make(folder / "sidecar.sock", for_others=False)

    assert [] == list(folder.iterdir())


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is not made, for it would not be known who may enter."""
    path = tmp_path / "none" / "sidecar.sock"
    with pytest.raises(ConfigError, match=f"{path}: no such file or directory; name a path in"):
        SocketFile.make(path, for_others=False)


def test_remove(tmp_path: Path) -> None:
    """At the end the file is gone; a second time nothing happens."""
    path = tmp_path / "sidecar.sock"
    with made(path) as file:
        file.remove()
        file.remove()

    assert [] == list(tmp_path.iterdir())


def test_remove_only_ours(tmp_path: Path) -> None:
    """A file that another put in its place is not taken away."""
    path = tmp_path / "sidecar.sock"
    with made(path) as file:
        path.unlink()
        with made(path):
            file.remove()
            connect(path)

        assert path.is_socket()


class Said:
    """A connection of which the kernel says this."""

    def __init__(self, *words: int) -> None:
        self._said = struct.pack("3I", *words)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (socket.SOL_SOCKET, socket.SO_PEERCRED, 12) == (level, option, size)
        return self._said


@pytest.mark.parametrize("user", [0, 1000, 2**31, 2**32 - 2])
def test_peer_word(user: int) -> None:
    """The user is what the kernel says, in the whole range of users."""
    assert Peer(7, user) == peer_of(Said(7, user, 5))
