"""Who lives, and who holds: the lock files beside a ledger."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.sqlite_instances import Instances

WAIT_S = 0.02


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger would be."""
    return tmp_path / "ledger.db"


def joined(path: Path, own: str) -> Instances:
    instances = Instances(path, own, WAIT_S)
    with instances.alone():
        instances.join(0)
    return instances


@contextmanager
def locked(file: Path, how: int) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.with_name("ledger.db.instances").iterdir())


def test_alive(path: Path) -> None:
    """Each holds a lock on a file of its own for as long as it lives."""
    one, two = joined(path, "one"), joined(path, "two")

    assert ["one.lock", "two.lock"] == files(path)
    assert one.is_alive("one")
    assert one.is_alive("two")
    assert two.is_alive("one")
    one.leave()
    two.leave()


def test_left(path: Path) -> None:
    """A file that is not there means death."""
    one, two = joined(path, "one"), joined(path, "two")

    two.leave()

    assert ["one.lock"] == files(path)
    assert not one.is_alive("two")
    two.leave()
    one.leave()


def test_dead(path: Path) -> None:
    """A lock that can be taken means death."""
    one, two = joined(path, "one"), joined(path, "two")

    two.abandon()

    assert ["one.lock", "two.lock"] == files(path)
    assert not one.is_alive("two")
    assert one.is_held("one")
    assert not one.is_held("two")
    assert not one.is_held(None)
    two.abandon()
    one.leave()


def test_own_file_removed(path: Path) -> None:
    """Its own instance always is alive, even where somebody took its file away."""
    one = joined(path, "one")
    path.with_name("ledger.db.instances").joinpath("one.lock").unlink()

    assert one.is_alive("one")
    one.leave()
    assert not one.is_alive("one")


def test_looking_is_shared(path: Path) -> None:
    """Two that look at once do not take each other for the owner."""
    one, two = joined(path, "one"), joined(path, "two")
    two.abandon()

    with locked(path.with_name("ledger.db.instances") / "two.lock", fcntl.LOCK_SH):
        assert not one.is_alive("two")
    one.leave()


def test_cleared(path: Path) -> None:
    """Whoever joins clears away what the dead left, and nothing of the living."""
    one, two = joined(path, "one"), joined(path, "two")
    two.abandon()

    three = joined(path, "three")

    assert ["one.lock", "three.lock"] == files(path)
    one.leave()
    three.leave()


def test_one_process_for_each_id(path: Path) -> None:
    """An id that lives is refused to another process, whose coming changes nothing."""
    one = joined(path, "one")
    impostor = Instances(path, "one", WAIT_S)

    with impostor.alone(), pytest.raises(LedgerError, match="open as 'one'"):
        impostor.join(0)
    impostor.leave()

    assert ["one.lock"] == files(path)
    one.leave()


@pytest.mark.parametrize("name", ["", ".", "..", "../one", "a/b", "a b", "x" * 101, "é"])
def test_names(path: Path, name: str) -> None:
    """An instance id is the name of a file in the directory, and nothing else."""
    with pytest.raises(LedgerError, match="not an instance id"):
        Instances(path, name, WAIT_S)


def test_alone(path: Path) -> None:
    """One process at a time comes to a ledger; the others wait, but not for ever."""
    one, two = Instances(path, "one", WAIT_S), Instances(path, "two", WAIT_S)

    with (
        one.alone(),
        pytest.raises(LedgerError, match=r"instances stayed locked"),
        two.alone(),
    ):
        pass

    with two.alone():
        pass


def test_private(path: Path) -> None:
    """The lock files are for this user only."""
    before = os.umask(0)
    try:
        one = joined(path, "one")
    finally:
        os.umask(before)

    directory = path.with_name("ledger.db.instances")
    assert 0o700 == directory.stat().st_mode & 0o777
    assert 0o600 == (directory / "one.lock").stat().st_mode & 0o777
    one.leave()
