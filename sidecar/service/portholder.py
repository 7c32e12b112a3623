"""Who holds a TCP port: for the message when ours is taken. Linux only; elsewhere nobody knows."""

from __future__ import annotations

import os
from pathlib import Path

_LISTEN = "0A"


def holder_of(port: int, proc: Path = Path("/proc")) -> str:
    """``pid 123 (nginx)``, or "" when it cannot be found out."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(proc, table, port)}
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            return describe_process(int(process.name), proc)
    return ""


def describe_process(number: int, proc: Path = Path("/proc")) -> str:
    """``pid 123 (nginx)``."""
    return f"pid {number} ({_command(proc / str(number))})"


def _listening(proc: Path, table: str, port: int) -> list[str]:
    try:
        rows = (proc / "net" / table).read_text().splitlines()[1:]
    except OSError:
        return []
    fields = [row.split() for row in rows]
    return [
        row[9] for row in fields if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port
    ]


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        links = list((process / "fd").iterdir())
    except OSError:
        return False  # another user's, or gone
    for link in links:
        try:
            if os.readlink(link) in wanted:
                return True
        except OSError:
            continue
    return False


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"
