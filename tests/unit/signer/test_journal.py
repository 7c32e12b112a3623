"""The signer's journal: on disk before it is told, whole or not at all, and as it was written."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.errors import ConfigError, LedgerError
from sidecar.money import Usdc
from sidecar.signer.books import Entry
from sidecar.signer.journal import Journal
from tests.world.fakes import NOON


def entry(number: int) -> Entry:
    at = NOON + timedelta(microseconds=number)
    return Entry(at, "eip155:8453", f"0x{number:064x}", f"{number:064x}", Usdc(number))


def written(path: Path, count: int) -> tuple[Entry, ...]:
    """The entries that a signer wrote there before it ended."""
    journal = Journal.open(path)
    entries = tuple(entry(number) for number in range(1, count + 1))
    for one in entries:
        journal.append(one)
    journal.close()
    return entries


def reopened(path: Path) -> tuple[Entry, ...]:
    """What the next signer finds there."""
    journal = Journal.open(path)
    journal.close()
    return journal.entries


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process grows beyond this size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_kept(tmp_path: Path) -> None:
    """What was appended is there for the next signer, in its order, and goes on from there."""
    path = tmp_path / "journal"
    entries = written(path, 3)

    assert entries == reopened(path)
    journal = Journal.open(path)
    journal.append(entry(4))
    journal.close()
    assert (*entries, entry(4)) == reopened(path)
    assert 0o600 == path.stat().st_mode & 0o777


def test_torn(tmp_path: Path) -> None:
    """A line that was being written is cut off, wherever it ends, and the others stay."""
    path = tmp_path / "journal"
    entries = written(path, 2)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])

        assert entries[:1] == reopened(path)
        assert whole[:start] == path.read_bytes()


def test_changed(tmp_path: Path) -> None:
    """A line that was changed, lost, moved or put in is noticed, and no signer starts."""
    path = tmp_path / "journal"
    written(path, 3)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    flipped = [
        first[:at] + bytes([first[at] ^ 1]) + first[at + 1 :] for at in range(len(first) - 1)
    ]
    damaged = [[one, second, third] for one in flipped]
    damaged += [[first, third], [second, third], [first, third, second], [first, first]]
    damaged += [[first, b"x" * 5_000]]
    for lines in damaged:
        path.write_bytes(b"".join(lines))
        with pytest.raises(ConfigError, match="not as it was written"):
            Journal.open(path)


def test_disk_full(tmp_path: Path) -> None:
    """After a write that failed, wholly or in part, it takes nothing more until a new start."""
    for room in (0, 10):
        path = tmp_path / f"journal{room}"
        entries = written(path, 1)
        journal = Journal.open(path)
        with full_disk(path.stat().st_size + room), pytest.raises(LedgerError, match="cannot be"):
            journal.append(entry(2))
        with pytest.raises(LedgerError, match="failed before"):
            journal.append(entry(3))
        journal.close()

        assert entries == reopened(path)


def test_not_ours(tmp_path: Path) -> None:
    """A journal that is open to others, a link, a folder or in use is not counted in."""
    path = tmp_path / "journal"
    written(path, 1)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="other users may read"):
        Journal.open(path)
    path.chmod(0o600)
    os.symlink(path, tmp_path / "link")
    for other in (tmp_path / "link", tmp_path):
        with pytest.raises(ConfigError, match="journal: "):
            Journal.open(other)
    held = Journal.open(path)
    with pytest.raises(ConfigError, match="another signer has it"):
        Journal.open(path)
    held.close()


def test_compacted(tmp_path: Path) -> None:
    """A large journal is written anew without what is a day older than its last line."""
    path = tmp_path / "journal"
    journal = Journal.open(path)
    hours = [replace(entry(number), at=NOON + timedelta(hours=number)) for number in range(30)]
    for one in hours:
        journal.append(one)
    journal.close()
    size = path.stat().st_size

    assert tuple(hours) == reopened(path)
    compacted = Journal.open(path, size - 1)
    assert tuple(hours[6:]) == compacted.entries
    with pytest.raises(ConfigError, match="another signer has it"):
        Journal.open(path)
    compacted.append(entry(99))
    compacted.close()
    assert (*hours[6:], entry(99)) == reopened(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert path.stat().st_size < size


def test_compacted_with_time_set_back(tmp_path: Path) -> None:
    """Nothing behind a line that a window may need is dropped, whatever its time is."""
    path = tmp_path / "journal"
    days = (3, 2, 4, 1, 4)
    journal = Journal.open(path)
    entries = [
        replace(entry(number), at=NOON + timedelta(days=day)) for number, day in enumerate(days)
    ]
    for one in entries:
        journal.append(one)
    journal.close()
    compacted = Journal.open(path, 0)
    compacted.close()

    assert tuple(entries[2:]) == compacted.entries


def test_killed_while_compacting(tmp_path: Path) -> None:
    """A draft that a killed signer left is no journal, and in nobody's way."""
    path = tmp_path / "journal"
    entries = written(path, 3)
    (tmp_path / ".journal.new").write_bytes(b"half a li")
    journal = Journal.open(path, 0)
    journal.close()

    assert entries == journal.entries == reopened(path)
    assert [path] == list(tmp_path.iterdir())


def test_no_room_to_compact(tmp_path: Path) -> None:
    """On a full disk the signer does not start, and the journal is as it was."""
    path = tmp_path / "journal"
    entries = written(path, 3)
    with full_disk(path.stat().st_size - 1), pytest.raises(ConfigError, match="journal: "):
        Journal.open(path, 0)

    assert entries == reopened(path)


def test_renamed_before_the_lock(tmp_path: Path) -> None:
    """Who opened the file just before another signer wrote it anew does not count in it."""
    path = tmp_path / "journal"
    written(path, 1)
    stale = os.open(path, os.O_RDWR)
    Journal.open(path, 0).close()
    try:
        with pytest.raises(BlockingIOError):
            Journal._of(path, stale)
    finally:
        os.close(stale)
