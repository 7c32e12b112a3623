"""One long day of a sidecar with marked secrets: everything that prints is made to print.

What came out of it is a ``Haul``: every byte, where it was, and the secrets that belong there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.vendors.options import ApiKey, VendorOptions, VeniceOptions
from tests.canary import marks
from tests.canary.needles import Haystack, Secret
from tests.canary.watching import Watch
from tests.canary.wires import Parrot, Wire
from tests.world.processes import ROOT, Process, free_port

CALL_WAIT_S = 25.0
AT_ONCE = 16


@dataclass(repr=False)
class Haul:
    """What came out. Its repr is none of that: a failing test would print it."""

    hays: list[Haystack] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    # The limits of core files, by process; and what the process said of itself at its end.
    cores: dict[str, tuple[str, str]] = field(default_factory=dict)
    report: str = ""
    answers: int = 0

    def add(self, place: str, data: bytes, holds: Iterable[str] = ()) -> None:
        self.hays.append(Haystack(place, data, frozenset(holds)))


@dataclass(frozen=True, slots=True)
class Town:
    """Everything that runs, and where."""

    folder: Path
    port: int
    admin_port: int
    wires: Mapping[str, Wire]
    haul: Haul

    async def call(
        self,
        target: str,
        document: object = None,
        *lines: str,
        route: str = "",
        token: str = marks.APP_TOKEN,
        method: str = "POST",
        admin: bool = False,
    ) -> bytes:
        """One request of an app; its answer is kept, and what ``route``'s vendor said of itself."""
        body = b"" if document is None else json.dumps(document).encode()
        port = self.admin_port if admin else self.port
        bearer = f"Authorization: Bearer {token}"
        head = (f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{port}", bearer, *lines)
        framing = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        answer = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CALL_WAIT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write("\r\n".join((*head, framing)).encode() + body)
                while more := await reader.read(65_536):
                    answer += more
                writer.close()
        self.keep(target, answer, route)
        return answer

    def keep(self, target: str, answer: bytes, route: str) -> None:
        """An answer. A body that is relayed is its vendor's own word; all else is ours."""
        head, _, body = answer.partition(b"\r\n\r\n")
        place = f"answer to {target}"
        self.haul.answers += 1
        self.haul.add(f"{place}: head", head)
        relayed = bool(route) and b'"sidecar_' not in body
        self.haul.add(f"{place}: body", body, self.own(route) if relayed else ())

    def own(self, route: str) -> frozenset[str]:
        """What this route's vendor knows anyway."""
        return marks.ROUTES[route].holds | {f"let in at {route}"}


@asynccontextmanager
async def world(folder: Path, haul: Haul) -> AsyncIterator[Town]:
    """A sandbox behind wires, parrots, a port where nobody is, and the files of a sidecar."""
    wires = {name: await Wire(name).open() for name in (*marks.HONEST, "rpc")}
    wires |= {name: await Parrot(name).open() for name in marks.PARROTS}
    vendors = VendorOptions(
        domains=frozenset(wire.authority for wire in wires.values()),
        venice=VeniceOptions(keys={marks.VENICE_KEY: ApiKey(admin=True)}),
    )
    options = SandboxOptions(vendors=vendors, solana=True, hang_max_s=2)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start()
    try:
        for wire in wires.values():
            wire.lead_to(int(sandbox.url.rpartition(":")[2]))
        origins = {name: f"http://{wire.authority}" for name, wire in wires.items()}
        origins["dead"] = "http://127.0.0.1:9"
        port, admin_port = free_port(), free_port()
        marks.write_world(folder, port, admin_port, origins)
        yield Town(folder, port, admin_port, wires, haul)
    finally:
        await sandbox.stop()
        for wire in wires.values():
            wire.close()


def environment() -> dict[str, str]:
    """The variables of whoever starts the sidecar; some hold secrets."""
    own = {"HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **marks.VARIABLES, **own}


@asynccontextmanager
async def sidecar(town: Town, *command: str | Path) -> AsyncIterator[Process]:
    """A sidecar that serves; looked at from outside for as long as it runs."""
    name = command[1]
    log = town.folder / "output.log"
    process = Process([sys.executable, *command], log, environment())
    with Watch(process._popen.pid, f"{name}") as watch:
        try:
            await asyncio.to_thread(process.wait_for_port, town.admin_port)
            watch.serves = True
            yield process
        finally:
            code = await asyncio.to_thread(process.stop)
    town.haul.hays += watch.hays()
    town.haul.cores |= watch.cores
    assert 0 == code, process.output()


async def run(town: Town, jobs: Sequence[tuple[Sequence[str], str]]) -> None:
    """These commands, with what is typed into each; all that they print is kept."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.canary.shell"),
        cwd=town.folder,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate(json.dumps(jobs).encode())
    town.haul.add("commands", printed)
    assert 0 == process.returncode, printed[-2_000:]
    assert len(jobs) == printed.count(b"$ sidecar "), printed[-2_000:]


async def in_turns(errands: Iterable[Awaitable[object]]) -> None:
    """All of them, so many at once."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(errand: Awaitable[object]) -> None:
        async with turns:
            await errand

    await asyncio.gather(*map(one, errands))
