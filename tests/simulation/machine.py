"""Where the sidecars run: an address each, with one process after another behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sidecar.ledger import Ledger
from sidecar.ledger.sqlite import SqliteLedger
from tests.simulation.apps import Heard, Line, serve, serve_prepaid
from tests.simulation.disk import VirtualWriter
from tests.simulation.scenario import Call
from tests.world.crash import CrashPlan, Killed
from tests.world.shop import Process
from tests.world.vendor import App

if TYPE_CHECKING:
    from tests.simulation.town import SimTown


class Life(CrashPlan):
    """A process that ends at one of its moments, or when it is told to."""

    def __init__(self, at: int | None, slot: Slot) -> None:
        super().__init__(at)
        self._slot = slot

    def _pass(self, moment: str) -> None:
        try:
            super()._pass(moment)
        except Killed:
            self._slot.die(self, moment)
            raise


class Slot:
    """An address that apps know."""

    def __init__(self, world: SimTown, number: int) -> None:
        self.world = world
        self._name = f"slot{number}"
        self._lives = 0
        self.owner = ""  # the process that is there, or was
        self._life: Life | None = None
        self._writer: VirtualWriter | None = None
        self._lines: dict[Line, None] = {}
        self.process: Process | None = None
        self._app: App | None = None

    async def start(self, dies_at: int = 0) -> Process:
        """A new process at this address."""
        self._lives += 1
        self.owner = f"{self._name}-{self._lives}"
        world = self.world
        self._writer = VirtualWriter(
            world.path, self.owner, world.disk, world.on_commit, world.breach
        )
        await self._writer.start()
        self._life = Life(dies_at or None, self)
        self.process = world.wire(SqliteLedger(self._writer), self._life, self)
        world.note(f"{self.owner} starts")
        if world.scenario.prepaid:
            self._app = world.app_of(self.process)
        return self.process

    def work(self) -> None:
        """Begin what a service does by itself."""
        process = self.process
        assert process is not None
        world = self.world
        world.loop.spawn(self.owner, process.recovery.run(lambda: world.scenario.recovery_s))
        if self._app is not None:
            world.loop.spawn(self.owner, self._app.topups.resume())

    def accept(self, line: Line, call: Call) -> asyncio.Task[Any] | None:
        """Serve a request; None where nobody listens."""
        process = self.process
        if process is None:
            return None
        self._lines[line] = None
        work = serve_prepaid(self._app, line) if self._app else serve(process, call, line)
        return self.world.loop.spawn(self.owner, work)

    @property
    def ledger(self) -> Ledger | None:
        """The ledger as its operator's command opens it; None where no process is."""
        return None if self.process is None else self.process.ledger

    def kill(self) -> None:
        """kill -9."""
        if self._life is not None and not self._life.dead:
            self._life.dead = True
            self.die(self._life, "a signal")

    def die(self, life: Life, moment: str) -> None:
        """Everything of this process ends here, once."""
        if life is not self._life:
            return
        self._life, self.process, self._app = None, None, None
        assert self._writer is not None
        self._writer.kill()
        self.world.note(f"{self.owner} dies at {moment}")
        for line in self._lines:
            line.hear(Heard(0, whole=False))
        self._lines.clear()
        self.world.loop.end(self.owner)
        self.world.on_death(self)
