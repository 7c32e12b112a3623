"""Keeps the workers: starts them, starts them again, has them read a config, ends them.

It serves no app and has neither the books nor a key. What is asked of the sidecar as a whole it
asks of its workers (``warden_office``).

    a worker dies     it is started again: at once, so what has come for it waits at its socket;
                      if it dies again soon, after longer and longer, with its socket shut
    the leader dies   another that serves makes the rounds from then on (``loops``)
    a new config      read here, then built by every worker; only when all can is it gone by, and
                      whoever is started later goes by the text that the others go by
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.errors import ConfigError
from sidecar.logs import LogSink
from sidecar.logs.lines import Line
from sidecar.metrics.merged import Merged
from sidecar.payments.events import ConfigReloaded, TaskFailed
from sidecar.service.intercom import LineCutError
from sidecar.service.post import first_words
from sidecar.tasks import Supervisor
from sidecar.values import dataclass

# A large ledger is looked through at start; a config cannot be taken over meanwhile.
START_WAIT_S = 300.0
# Reading keys, and building all that a config makes, takes a while on a small machine.
PREPARE_WAIT_S = 30.0
ADOPT_WAIT_S = 10.0
# From the second death in a row on; one that served for a while begins a new row.
PAUSE_S = 0.5
PAUSE_S_MAX = 30.0
STEADY_S = 60.0
# What a drain may take beyond its own limit: for payments, for watchers, and to say goodbye.
END_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where the config comes from: its text as it is now, and what a text means."""

    text: Callable[[], str]
    parse: Callable[[str], Config]


class Worker(Protocol):
    """A worker that was started. ``number``: its process's."""

    name: str
    number: int
    started_at: datetime
    serves: bool

    async def ready(self, tasks: Supervisor) -> bool:
        """Whether it serves; False when it has ended instead."""
        ...

    async def ended(self) -> int:
        """Its status, as a shell says it, once it has ended."""
        ...

    async def ask(self, what: str, about: Any = None, *, wait_s: float) -> Any:
        """What it answers. LineCutError: it is gone, or hangs."""
        ...

    def tell(self, what: str, about: Any = None) -> None:
        """Tell it, if it is still there."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Berths(Protocol):
    """A place for each worker, with the socket that it accepts from."""

    async def start(self, place: int, first: Mapping[str, str | bool]) -> Worker:
        """Start one there, with these first words. OSError when there can be none now."""
        ...

    def shut(self, place: int) -> None:
        """Let nobody wait there: there will be no worker for a while."""
        ...


class Warden:
    """The workers of one sidecar. ``config`` is what ``text`` means."""

    def __init__(
        self,
        config: Config,
        text: str,
        source: Source,
        berths: Berths,
        world: tuple[Supervisor, Clock, LogSink],
        end_wait_s: float = END_WAIT_S,
    ) -> None:
        self._end_wait_s = end_wait_s
        self.config = config
        self.merged = Merged()
        self.restarts = 0
        self.stopping = asyncio.Event()
        self.lead: Worker | None = None
        self._text = text
        self._source = source
        self._berths = berths
        self._tasks, self._clock, self._log = world
        self._kept: dict[int, Worker] = {}
        self._status = 0
        # Nobody is started while a config is being taken over, or would go by another one.
        self._turn = asyncio.Lock()

    @property
    def serving(self) -> tuple[Worker, ...]:
        """Those who serve now."""
        return tuple(kept for _, kept in sorted(self._kept.items()) if kept.serves)

    async def begin(self) -> int | None:
        """Start all of them, the first alone. None when they serve; else a status to end with.

        The first has looked at the books, and made what is missing, before the others come.
        """
        places = range(self.config.workers)
        if await self._begin_one(0, is_first=True) is None:
            return self._status
        others = (self._begin_one(place, is_first=False) for place in places[1:])
        if None in await asyncio.gather(*others):
            return self._status
        for place, kept in self._kept.items():
            self._tasks.spawn("keep", self._keep(place, kept))
        return None

    async def reload(self) -> ConfigReloaded:
        """Have all of them go by the config as it is now; or none."""
        async with self._turn:
            at = self._clock.now()
            try:
                told = await self._reload(at)
            except ConfigError as fault:
                told = ConfigReloaded(at, mistakes=fault.mistakes)
                about = {"at": at.isoformat(), "mistakes": fault.mistakes}
                for kept in self.serving:
                    kept.tell("refused", about)
            return told

    async def stop(self) -> int:
        """Have all of them end what is under way. 0 when all have ended as asked."""
        self.stopping.set()
        kept = tuple(self._kept.values())
        for each in kept:
            each.tell("stop")
        ends = [self._tasks.spawn("end", self._end(each)) for each in kept]
        for end in ends:
            self._status = await end or self._status
        return self._status

    def hurry(self) -> None:
        """Let nobody wait for anything any more."""
        for kept in self._kept.values():
            kept.tell("hurry")

    async def _begin_one(self, place: int, *, is_first: bool) -> Worker | None:
        if self.stopping.is_set():
            return None
        leads = self.lead is None
        words = first_words(str(place + 1), self._text, leads=leads, is_first=is_first)
        kept = self._kept[place] = await self._berths.start(place, words)
        if leads:
            self.lead = kept
        if self.stopping.is_set():
            kept.tell("stop")
        if await self._is_ready(kept):
            return kept
        self._status = await kept.ended() or self._status
        del self._kept[place]
        self._bury(kept)
        return None

    async def _try_one(self, place: int) -> Worker | None:
        try:
            return await self._begin_one(place, is_first=False)
        except OSError as fault:
            # No memory, or no process number: there may be some later.
            self._log(TaskFailed("worker", fault))
            return None

    async def _is_ready(self, kept: Worker) -> bool:
        try:
            async with asyncio.timeout(START_WAIT_S):
                return await kept.ready(self._tasks)
        except TimeoutError:
            kept.kill()
            return False

    async def _keep(self, place: int, kept: Worker | None) -> None:
        """See that somebody serves at this place."""
        deaths = 0
        while not self.stopping.is_set():
            began_s = self._clock.monotonic_s()
            if kept is not None:
                status = await kept.ended()
                if self.stopping.is_set():
                    return
                if self._clock.monotonic_s() - began_s > STEADY_S:
                    deaths = 0
                self._bury(kept)
                self._say_ended(kept, status)
            self.restarts += 1
            deaths += 1
            if pause_s(deaths):
                self._berths.shut(place)
            await self._clock.sleep(pause_s(deaths))
            async with self._turn:
                kept = None if self.stopping.is_set() else await self._try_one(place)

    def _bury(self, kept: Worker) -> None:
        """What it did for all is for another to do."""
        kept.serves = False
        self.merged.bury(kept.name)
        if self.lead is kept:
            self.lead = next(iter(self.serving), None)
        if self.lead is not None and self.lead.serves:
            # It takes up what the dead had in hand, and is the leader now if it was not.
            self.lead.tell("lead")

    def _say_ended(self, kept: Worker, status: int) -> None:
        fields: dict[str, str | int | float | bool] = {
            "worker": kept.name,
            "process": kept.number,
            "status": status,
        }
        self._log.write(Line("error", "worker_ended", fields))

    async def _reload(self, at: datetime) -> ConfigReloaded:
        self._refuse_to_change()
        text = await asyncio.to_thread(self._source.text)
        config = await asyncio.to_thread(self._source.parse, text)
        kept = self.serving
        prepared = await self._ask_all(kept, "prepare", text, PREPARE_WAIT_S)
        mistakes = dict.fromkeys(mistake for each in prepared for mistake in each or ())
        if None in prepared:
            mistakes["config: a worker did not answer; try again"] = None
        if mistakes:
            raise ConfigError(*mistakes)
        self._refuse_to_change()
        adopted = await self._ask_all(kept, "adopt", at.isoformat(), ADOPT_WAIT_S)
        self._text, self.config = text, config
        changed: dict[str, None] = {}
        for each, paths in zip(kept, adopted, strict=True):
            changed |= dict.fromkeys(paths or ())
            if paths is None:
                # It would go by the old config; its successor does not.
                each.kill()
        return ConfigReloaded(at, tuple(changed))

    async def _ask_all(
        self, kept: Sequence[Worker], what: str, about: str, wait_s: float
    ) -> list[list[str] | None]:
        """Each one's answer, in order; None where there was none."""

        async def ask(one: Worker) -> list[str] | None:
            try:
                answer: list[str] | None = await one.ask(what, about, wait_s=wait_s)
            except LineCutError:
                return None
            return answer

        return await asyncio.gather(*(ask(each) for each in kept))

    def _refuse_to_change(self) -> None:
        if self.stopping.is_set():
            raise ConfigError("config: the sidecar is stopping; start it anew")

    async def _end(self, kept: Worker) -> int:
        wait_s = self.config.limits.drain_wait_s + self._end_wait_s
        try:
            async with asyncio.timeout(wait_s):
                return await kept.ended()
        except TimeoutError:
            kept.kill()
            return await kept.ended()


def pause_s(deaths: int) -> float:
    """How long to wait before a worker is started again that died so often in a row."""
    return 0.0 if deaths <= 1 else min(PAUSE_S * 2.0 ** min(deaths - 2, 10), PAUSE_S_MAX)
