"""Why a TCP port cannot be had, and who holds it. Linux only; elsewhere nobody knows who."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sidecar.config.addresses import Address

_LISTEN = "0A"


def why_not(address: Address, fault: OSError) -> str:
    """What keeps us from listening there, and the fix."""
    match fault.errno:
        case errno.EADDRINUSE:
            holder = holder_of(address.port) or "another program"
            return f"{address} is taken by {holder}; stop what holds it, or choose another address"
        case errno.EACCES | errno.EPERM:
            return f"{address} is not for this user; choose a port from 1024 on"
        case errno.EADDRNOTAVAIL:
            return f"{address} is no address of this machine; choose one, such as 127.0.0.1"
        case _:
            reason = (fault.strerror or "unusable").lower()
            return f"{address} cannot be listened on: {reason}; choose another address"


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
