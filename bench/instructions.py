"""Instructions for each call, counted by callgrind: they do not depend on the machine's mood.

Counted between two points in time, after the start and a warm-up, less what it does meanwhile when
nobody calls: so slowed down, that would be the larger part. What the kernel does is not in them.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.field import Book, await_answer
from bench.machine import PROXY_CORE, free_port, run_load, running
from bench.peers import CHAT, TOKEN, Peer, Upstream

WARM_UP_MS, RUN_MS, IDLE_S = 3000, 4000, 3.0


def _control(option: str, pid: int) -> None:
    subprocess.run(
        ["callgrind_control", option, str(pid)], check=True, capture_output=True, timeout=60
    )


def _totals(folder: Path) -> int:
    """The count of the newest dump."""
    newest = max(folder.glob("callgrind.out.*"), key=lambda file: file.stat().st_mtime_ns)
    for line in newest.read_text().splitlines():
        if line.startswith(("totals:", "summary:")):
            return int(line.split()[1])
    raise RuntimeError(f"{newest} has no total")


def count(peer: Peer, folder: Path, up: Upstream) -> dict[str, float]:
    """One peer under callgrind. RuntimeError where it does not get far enough."""
    # A comma would end the path where a config has it.
    home = folder / f"callgrind-{peer.name.replace(',', '').replace(' ', '-')}"
    home.mkdir(mode=0o700)
    port = free_port()
    launch = peer.start(home, port, up)
    if launch.missing:
        raise RuntimeError(launch.missing)
    command = [
        *("valgrind", "--tool=callgrind", f"--callgrind-out-file={home}/callgrind.out.%p"),
        *launch.command,
    ]
    with running(command, PROXY_CORE, home / "log", launch.environment) as tree:
        await_answer(port, f"{peer.name} under callgrind", tree)
        figures: dict[str, float] = {}
        _control("--zero", tree.pid)
        time.sleep(IDLE_S)
        _control("--dump", tree.pid)
        idle_a_second = _totals(home) / IDLE_S
        for heads in ("same", "changing"):
            words = ("load", "chat", port, CHAT, TOKEN, 1)
            run_load(*words, WARM_UP_MS, heads)
            _control("--zero", tree.pid)
            numbers = run_load(*words, RUN_MS, heads)
            _control("--dump", tree.pid)
            busy = _totals(home) - idle_a_second * numbers["seconds"]
            figures[f"instructions_{heads}"] = busy / numbers["requests"]
        return figures


def measure(peers: Sequence[Peer], folder: Path, up: Upstream, book: Book) -> None:
    """Each peer alone; whose count cannot be had is named."""
    if shutil.which("callgrind_control") is None:
        book.fail("callgrind", "valgrind is not installed")
        return
    for peer in peers:
        if book.is_late():
            book.fail(f"{peer.name}: instructions", "out of time")
            continue
        try:
            book.note(peer.name, count(peer, folder, up))
        except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
            book.fail(f"{peer.name}: instructions", str(fault))
