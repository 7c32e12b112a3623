"""Whoever keeps the workers: starts, deaths, a config for all or none, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError
from sidecar.logs import LogSink, Redactor
from sidecar.metrics import catalogue as names
from sidecar.service.intercom import LineCutError
from sidecar.service.warden import Source, Warden, Worker, pause_s
from sidecar.tasks import Supervisor
from tests.world.fakes import NOON, FakeClock
from tests.world.running import config_text

REQUESTS = (names.REQUESTS.name, ("seller", "app", "2xx"))


class Fake:
    """A worker that does what it is told, and keeps what it was told."""

    def __init__(self, number: int, first: Mapping[str, str | bool], *, starts: bool) -> None:
        self.name = str(first["name"])
        self.number = number
        self.started_at: datetime = NOON
        self.serves = False
        self.first = first
        self.text = first["text"]
        self.told: list[str] = []
        self.mistakes: list[str] = []
        self.adopts = True
        self.silent = False
        self.stubborn = False
        self.killed = False
        self._prepared = ""
        self._starts = starts
        self._ended: asyncio.Future[int] = asyncio.Future()

    async def ready(self, tasks: Supervisor) -> bool:
        await asyncio.sleep(0)
        if not self._starts:
            self.die(2)
        self.serves = self._starts
        return self.serves

    async def ended(self) -> int:
        status = await asyncio.shield(self._ended)
        self.serves = False
        return status

    async def ask(self, what: str, about: Any = None, *, wait_s: float) -> Any:
        self.told.append(what)
        if self.silent:
            raise LineCutError("no answer")
        if what == "prepare":
            self._prepared = about
            return self.mistakes
        if what == "adopt":
            if not self.adopts:
                return None
            self.text = self._prepared
            return ["budgets.day"]
        return True

    def tell(self, what: str, about: Any = None) -> None:
        self.told.append(what)
        if what in {"stop", "hurry"} and not self.stubborn:
            self.die(0)

    def kill(self) -> None:
        self.killed = True
        self.die(137)

    def die(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)


@dataclass
class Crew:
    """``warden.Berths``, and what a test looks at. ``failing``: the starts that fail."""

    config: Config
    text: str = "first"
    mistakes: tuple[str, ...] = ()
    failing: frozenset[int] = frozenset()
    started: list[Fake] = field(default_factory=list)
    shut_places: list[int] = field(default_factory=list)
    warden: Warden = field(init=False)

    async def start(self, place: int, first: Mapping[str, str | bool]) -> Worker:
        number = len(self.started)
        self.started.append(Fake(number, first, starts=number not in self.failing))
        return self.started[-1]

    def shut(self, place: int) -> None:
        self.shut_places.append(place)

    def read(self) -> str:
        return self.text

    def parse(self, text: str) -> Config:
        if self.mistakes:
            raise ConfigError(*self.mistakes)
        return self.config

    async def restarts(self, count: int) -> None:
        """Come back once so many were started in place of others, and serve."""
        async with asyncio.timeout(10):
            while self.warden.restarts < count or len(self.warden.serving) < 3:
                await asyncio.sleep(0.001)


async def turns() -> None:
    """Let everybody come to where they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def crew(folder: Path, *failing: int, begins: bool = True) -> AsyncIterator[Crew]:
    text = config_text(folder, "http://127.0.0.1:1", limits="{drain_wait_s: 0}")
    config = parse_config(f"{text}workers: 3\n", {}, {}, folder)
    clock, written = FakeClock(), StringIO()
    log = LogSink(Redactor(()), "info", clock, written)
    faults: list[BaseException] = []
    tasks = Supervisor(lambda _name, fault: faults.append(fault))
    made = Crew(config, failing=frozenset(failing))
    source = Source(made.read, made.parse)
    made.warden = Warden(config, "first", source, made, (tasks, clock, log), end_wait_s=0.01)
    if begins:
        assert await made.warden.begin() is None
    yield made
    await made.warden.stop()
    await tasks.drain(0)
    log.close()
    assert [] == faults


async def test_first_words(tmp_path: Path) -> None:
    """The first is alone in being first, and leads; all are given the same text."""
    async with crew(tmp_path) as made:
        first = [(each.first["leads"], each.first["is_first"]) for each in made.started]
        texts = {each.text for each in made.started}

    assert [(True, True), (False, False), (False, False)] == first
    assert {"first"} == texts


@pytest.mark.parametrize("failing", [0, 1])
async def test_failed_start(tmp_path: Path, failing: int) -> None:
    """When one cannot start at first, its status is the whole's, and all end."""
    async with crew(tmp_path, failing, begins=False) as made:
        began = await made.warden.begin()
        ended = await made.warden.stop()
        started = len(made.started)
        serving = made.warden.serving

    assert (2, 2, ()) == (began, ended, serving)
    assert started == (1 if failing == 0 else 3)


async def test_reload(tmp_path: Path) -> None:
    """A new config is built by all before any goes by it, and told with what has changed."""
    async with crew(tmp_path) as made:
        made.text = "second"
        told = await made.warden.reload()
        texts = [each.text for each in made.started]
        asked = [each.told for each in made.started]

    assert (True, ("budgets.day",)) == (told.ok, told.changed)
    assert ["second"] * 3 == texts
    assert [["prepare", "adopt", "stop"]] * 3 == asked


async def test_one_cannot(tmp_path: Path) -> None:
    """What one worker cannot go by, nobody goes by; each mistake is told once, to all."""
    async with crew(tmp_path) as made:
        made.text = "second"
        for each in made.started[1:]:
            each.mistakes = ["wallets: none"]
        told = await made.warden.reload()
        texts = [each.text for each in made.started]
        asked = [each.told[:] for each in made.started]

    assert ("wallets: none",) == told.mistakes
    assert ["first"] * 3 == texts
    assert [["prepare", "refused"]] * 3 == asked


async def test_unreadable(tmp_path: Path) -> None:
    """A text that is no config is refused here, and all workers show that it was."""
    async with crew(tmp_path) as made:
        made.mistakes = ("version: missing",)
        told = await made.warden.reload()
        asked = [each.told[:] for each in made.started]

    assert ("version: missing",) == told.mistakes
    assert [["refused"]] * 3 == asked


async def test_silent(tmp_path: Path) -> None:
    """A worker that does not answer keeps the others from going on without it."""
    async with crew(tmp_path) as made:
        made.text = "second"
        made.started[2].silent = True
        told = await made.warden.reload()
        texts = [each.text for each in made.started[:2]]

    assert ("config: a worker did not answer; try again",) == told.mistakes
    assert ["first"] * 2 == texts


async def test_too_late(tmp_path: Path) -> None:
    """Who cannot follow the others any more is ended; its successor goes by their config."""
    async with crew(tmp_path) as made:
        made.text = "second"
        made.started[1].adopts = False
        told = await made.warden.reload()
        await made.restarts(1)
        texts = [made.started[at].text for at in (0, 2, 3)]
        killed = [each.killed for each in made.started]

    assert told.ok
    assert [False, True, False, False] == killed
    assert ["second"] * 3 == texts


async def test_started_by_what_holds(tmp_path: Path) -> None:
    """A successor goes by the config that holds, whatever the file says meanwhile."""
    async with crew(tmp_path) as made:
        made.text = "not yet taken over"
        made.started[1].die(137)
        await made.restarts(1)
        text = made.started[3].text

    assert "first" == text


async def test_leader_dies(tmp_path: Path) -> None:
    """Another leads at once; the successor does not, and takes the dead one's name."""
    async with crew(tmp_path) as made:
        made.warden.merged.count("1", {REQUESTS: 5})
        made.started[0].die(137)
        await made.restarts(1)
        lead = made.warden.lead
        told = [each.told[:] for each in made.started]
        first = made.started[3].first
        counted = made.warden.merged.shown("2", 3, 1)[names.REQUESTS]

    assert made.started[1] is lead
    assert [[], ["lead"], [], []] == told
    assert ("1", False, False) == (first["name"], first["leads"], first["is_first"])
    assert [(REQUESTS[1], 5)] == counted


async def test_another_dies(tmp_path: Path) -> None:
    """The leader takes up what a dead one had in hand."""
    async with crew(tmp_path) as made:
        made.started[2].die(137)
        await made.restarts(1)
        told = [each.told[:] for each in made.started]

    assert [["lead"], [], [], []] == told


async def test_all_die(tmp_path: Path) -> None:
    """When nobody is left to lead, the first that serves again does."""
    async with crew(tmp_path) as made:
        for each in made.started[:3]:
            each.die(137)
        await made.restarts(3)
        leads = [each.first["leads"] for each in made.started[3:]]

    assert [True, False, False] == sorted(leads, reverse=True)
    assert 3 == len(leads)


async def test_dies_again(tmp_path: Path) -> None:
    """Who dies at every start is started later and later, with nobody waiting at its door."""
    async with crew(tmp_path, 3, 4) as made:
        made.started[2].die(137)
        await made.restarts(3)
        shut = made.shut_places
        restarts = made.warden.restarts

    assert ([2, 2], 3) == (shut, restarts)
    assert [0.0, 0.5, 1.0, 2.0] == [pause_s(deaths) for deaths in range(1, 5)]
    assert 30.0 == pause_s(9) == pause_s(10_000)


async def test_end(tmp_path: Path) -> None:
    """All are told to end, nobody is started again, and a reload comes too late."""
    async with crew(tmp_path) as made:
        await turns()
        status = await made.warden.stop()
        told = await made.warden.reload()
        await turns()
        started, restarts = len(made.started), made.warden.restarts

    assert (0, 3, 0) == (status, started, restarts)
    assert ("config: the sidecar is stopping; start it anew",) == told.mistakes


async def test_who_does_not_end(tmp_path: Path) -> None:
    """Who does not end in time is ended, and the status says so."""
    async with crew(tmp_path) as made:
        made.started[1].stubborn = True
        status = await made.warden.stop()
        killed = [each.killed for each in made.started]

    assert 137 == status
    assert [False, True, False] == killed
