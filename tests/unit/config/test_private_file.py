"""Files that only we may read, in folders that only we may change."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sidecar.config.private_file import (
    complaint,
    ensure_state_dir,
    read_private,
    write_private,
)
from sidecar.errors import ConfigError

ME = 1000


def said(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_private(path)
    return str(caught.value)


def status(mode: int, owner: int = ME) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("text\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_read(key: Path, mode: int) -> None:
    """A file of our own that is closed to everyone else is read."""
    key.chmod(mode)

    assert b"text\n" == read_private(key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o660, 0o700 | 0o001])
def test_open_to_others(key: Path, mode: int) -> None:
    """A file that anybody else may read, change or run is refused, with the chmod that mends it."""
    key.chmod(mode)

    assert (f"{key}: other users may read or change it (mode {mode:04o}); chmod 600 {key}") == said(
        key
    )


@pytest.mark.parametrize(
    ("mode", "owner", "wrong"),
    [
        (stat.S_IFREG | 0o600, ME, None),
        (stat.S_IFREG | 0o600, 0, None),
        (stat.S_IFREG | 0o440, 0, None),
        (stat.S_IFREG | 0o440, ME, "other users may read or change it (mode 0440); chmod 600 k"),
        (stat.S_IFREG | 0o444, 0, "other users may read or change it (mode 0444); chmod 600 k"),
        (stat.S_IFREG | 0o600, 1001, "it belongs to another user; chown 1000 k"),
        (stat.S_IFIFO | 0o600, ME, "not a regular file; name a file"),
    ],
)
def test_owner(mode: int, owner: int, wrong: str | None) -> None:
    """A secret is ours or root's; only root may hand one to a group."""
    assert wrong == complaint(status(mode, owner), ME, Path("k"))


def test_root_reads_its_own_strictly() -> None:
    """For root itself, a file that a group may read is open to others."""
    assert complaint(status(stat.S_IFREG | 0o440, owner=0), 0, Path("k")) is not None


def test_link(key: Path) -> None:
    """A link is refused, and its target named: what it points to may change."""
    link = key.parent / "link"
    link.symlink_to("key")

    assert f"{link}: it is a link; name the file itself, {key}" == said(link)


def test_no_file(tmp_path: Path) -> None:
    """What is not there, is a folder or is a pipe is refused without waiting."""
    folder, pipe, missing = (tmp_path / name for name in ("folder", "pipe", "missing"))
    folder.mkdir(mode=0o700)
    os.mkfifo(pipe, 0o600)

    assert f"{folder}: is a directory; name a file that can be used" == said(folder)
    assert f"{pipe}: not a regular file; name a file" == said(pipe)
    assert f"{missing}: there is no such file; make it, or name the right one" == said(missing)


def test_too_large(key: Path) -> None:
    """Nobody's secret is 16 KiB long."""
    key.write_bytes(b"x" * (16 * 1024 + 1))

    assert f"{key}: over 16384 bytes; name the file with the secret in it" == said(key)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_folder_open_to_others(key: Path, mode: int) -> None:
    """In a folder that others may write to, another file can take the secret's place."""
    key.parent.chmod(mode)

    assert (f"{key.parent}: other users may write in this folder; chmod go-w {key.parent}") == said(
        key
    )


def test_sticky_folder(key: Path) -> None:
    """A sticky folder like /tmp is fine: others cannot replace our file there."""
    key.parent.chmod(0o1777)

    assert b"text\n" == read_private(key)


def test_write(tmp_path: Path) -> None:
    """A file is made whole, 0600 whatever the umask, and never replaces another."""
    path = tmp_path / "token"

    assert write_private(path, b"one")
    assert not write_private(path, b"two")
    assert (b"one", 0o600) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    assert [path] == list(tmp_path.iterdir())


def test_write_onto_a_link(tmp_path: Path) -> None:
    """A link that waits where the file is to go is not followed."""
    path = tmp_path / "token"
    path.symlink_to(tmp_path / "elsewhere")

    assert not write_private(path, b"one")
    assert not (tmp_path / "elsewhere").exists()


def test_state_dir(tmp_path: Path) -> None:
    """The state folder is made with its parents, closed to everyone else, and may be there."""
    path = tmp_path / "a" / "b"
    ensure_state_dir(path)
    ensure_state_dir(path)

    assert 0o700 == stat.S_IMODE(path.stat().st_mode)


def test_state_dir_refused(tmp_path: Path) -> None:
    """A state folder that others may write to, or that is a file, is refused."""
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    folder.chmod(0o777)
    found = []
    for path in (file, folder, file / "below"):
        with pytest.raises(ConfigError) as caught:
            ensure_state_dir(path)
        found.append(str(caught.value))

    assert [
        f"{file}: file exists; name a folder that can be used",
        f"{folder}: other users may write in this folder; chmod go-w {folder}",
        f"{file / 'below'}: not a directory; name a folder that can be used",
    ] == found
