"""One worker's process, as the warden has it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeAlias

from sidecar.metrics.merged import Samples, unpacked
from sidecar.service.intercom import Intercom
from sidecar.service.post import VARIABLE
from sidecar.tasks import Supervisor

# Takes what a worker, by its name, has counted.
Count: TypeAlias = Callable[[str, Samples], None]

# A shell's way to say by which signal a process ended.
SIGNALLED = 128


class Kept:
    """See ``warden.Worker``."""

    def __init__(
        self, name: str, started_at: datetime, process: asyncio.subprocess.Process
    ) -> None:
        self.name = name
        self.started_at = started_at
        self.number = process.pid
        self.serves = False
        self._process = process
        self._line: Intercom | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environ: Mapping[str, str],
        door: socket.socket,
        first: Mapping[str, str | bool],
        world: tuple[Supervisor, datetime, Count],
    ) -> Kept:
        """Start it, and tell it what it is to know ``first``. What it counts is handed on."""
        tasks, now, count = world
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**environ, VARIABLE: f"{theirs.fileno()}:{door.fileno()}"},
                pass_fds=(theirs.fileno(), door.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                # What is typed on our terminal is for us.
                start_new_session=True,
            )
        kept = cls(str(first["name"]), now, process)

        async def hear(what: str, about: Any) -> None:
            if what == "counts":
                count(kept.name, unpacked(about))
            else:
                assert what == "ready"
                kept.serves = True
                kept._ready.set()

        kept._line = await Intercom.over(ours, tasks, hear)
        kept._line.say_first(first)
        kept._hearing = tasks.spawn("line", kept._line.run())
        return kept

    async def ready(self, tasks: Supervisor) -> bool:
        ready = tasks.spawn("ready", self._wait_for_ready())
        ended = tasks.spawn("ended", self.ended())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (ready, ended):
                each.cancel()
        return self.serves and self._process.returncode is None

    async def ended(self) -> int:
        status = await self._process.wait()
        if self._hearing is not None:
            # What it said last is still heard: a count that came later would count twice.
            await asyncio.wait({self._hearing})
        self.serves = False
        return status if status >= 0 else SIGNALLED - status

    async def ask(self, what: str, about: Any = None, *, wait_s: float) -> Any:
        assert self._line is not None
        return await self._line.ask(what, about, wait_s=wait_s)

    def tell(self, what: str, about: Any = None) -> None:
        assert self._line is not None
        self._line.tell(what, about)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    async def _wait_for_ready(self) -> None:
        await self._ready.wait()
