"""The signer's own record: one line for each authorization, on disk before its signature exists.

Lines are only ever added, and each is sealed over the one before it, so a signer does not start
on a journal in which one was changed, moved, or taken out of the middle. What follows the last
whole line was being written when the process died: nothing was signed for it, and it is cut off.
A file that was put back as it used to be looks sound: only the signer's user may write there.

A large one is written anew when a signer starts, without what no window held any more when the
last line was written. Time is the lines' own: a clock that is ahead at that moment drops nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import dropwhile
from pathlib import Path
from typing import Protocol, Self

from sidecar.config.private_file import complaint, ensure_state_dir
from sidecar.document import read_json
from sidecar.errors import ConfigError, LedgerError
from sidecar.money import Usdc
from sidecar.signer.books import SPAN_MAX, Entry

LINE_BYTES_MAX = 1024
LARGE_BYTES = 1024 * 1024
_FIRST_SEAL = "0" * 64
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Record(Protocol):
    """Where entries are kept."""

    def append(self, entry: Entry) -> None:
        """It is on disk when this returns. LedgerError: nothing may be signed any more."""
        ...


class Journal:
    """One open file, locked: no second signer counts in it."""

    __slots__ = ("_descriptor", "_is_broken", "_seal", "entries")

    def __init__(self, path: Path, descriptor: int) -> None:
        """ConfigError when a line in there is not as it was written."""
        self._descriptor = descriptor
        self._seal = _FIRST_SEAL
        self._is_broken = False
        self.entries = tuple(self._read(path))

    @classmethod
    def open(cls, path: Path, large_bytes: int = LARGE_BYTES) -> Self:
        """Open it, or make it. ConfigError: it is another's, in use, or not as it was written.

        One of over ``large_bytes`` is written anew.
        """
        ensure_state_dir(path.parent)
        try:
            descriptor = os.open(path, _FLAGS, 0o600)
            try:
                journal = cls._of(path, descriptor)
                if os.fstat(descriptor).st_size > large_bytes:
                    journal._compact(path)
                return journal
            except (ConfigError, OSError):
                os.close(descriptor)
                raise
        except BlockingIOError:
            raise ConfigError(f"journal: {path}: another signer has it") from None
        except OSError as fault:
            reason = (fault.strerror or "unusable").lower()
            raise ConfigError(f"journal: {path}: {reason}") from fault

    @classmethod
    def _of(cls, path: Path, descriptor: int) -> Self:
        wrong = complaint(os.fstat(descriptor), os.geteuid(), path)
        if wrong is not None:
            raise ConfigError(f"journal: {path}: {wrong}")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            # It was written anew between our opening and our lock.
            raise BlockingIOError
        journal = cls(path, descriptor)
        # Its name has to survive a power cut as well.
        _sync_folder(path)
        return journal

    def _compact(self, path: Path) -> None:
        """Go on in a new file, with those lines only that a window may still need.

        Killed at any moment, it leaves the old file or the new one, whole, under this name.
        """
        since = self.entries[-1].at - SPAN_MAX
        kept = tuple(dropwhile(lambda entry: entry.at <= since, self.entries))
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        seal, lines = _FIRST_SEAL, []
        for entry in kept:
            line, seal = _line(entry, seal)
            lines.append(line)
        descriptor = os.open(draft, _FLAGS | os.O_EXCL, 0o600)
        try:
            # Before it has the name: whoever opens it by that finds it locked.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(descriptor, "wb", closefd=False) as file:
                file.writelines(lines)
            os.fsync(descriptor)
            draft.replace(path)
            _sync_folder(path)
        except OSError:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor, self._seal, self.entries = descriptor, seal, kept

    def close(self) -> None:
        """Let it go, and its lock."""
        os.close(self._descriptor)

    def append(self, entry: Entry) -> None:
        """See ``Record``."""
        if self._is_broken:
            raise LedgerError("the signer's journal failed before; start the signer anew")
        line, seal = _line(entry, self._seal)
        # Until it is known to be there: after a failed fsync nobody can say what is on disk.
        self._is_broken = True
        try:
            written = os.write(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as fault:
            raise LedgerError(f"the signer's journal cannot be written: {fault.strerror}") from None
        if written != len(line):
            raise LedgerError("the signer's journal cannot be written: the disk is full")
        self._seal, self._is_broken = seal, False

    def _read(self, path: Path) -> Iterator[Entry]:
        whole = 0
        with open(self._descriptor, "rb", closefd=False) as lines:
            for number, line in enumerate(iter(lambda: lines.readline(LINE_BYTES_MAX), b""), 1):
                if not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
                    break
                entry = _entry(line, self._seal)
                if entry is None:
                    raise ConfigError(f"journal: {path}: line {number} is not as it was written")
                self._seal = line[:64].decode()
                whole += len(line)
                yield entry
        os.ftruncate(self._descriptor, whole)
        os.fsync(self._descriptor)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _line(entry: Entry, before: str) -> tuple[bytes, str]:
    """The entry's line, and its seal."""
    at_us = int(entry.at.timestamp() * 1_000_000)
    said = [at_us, entry.network, entry.identity, entry.digest, str(entry.amount.atomic)]
    text = json.dumps(said, separators=(",", ":"))
    seal = hashlib.sha256(f"{before}{text}".encode()).hexdigest()
    line = f"{seal} {text}\n".encode()
    assert len(line) < LINE_BYTES_MAX
    return line, seal


def _entry(line: bytes, before: str) -> Entry | None:
    seal, text = line[:64], line[65:-1]
    if line != b"%b %b\n" % (seal, text):
        return None
    if hashlib.sha256(before.encode() + text).hexdigest().encode() != seal:
        return None
    at_us, network, identity, digest, amount = read_json(text)
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return Entry(at, network, identity, digest, Usdc(int(amount)))
