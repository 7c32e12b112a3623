"""One of several processes that serve: an ordinary sidecar without an admin port of its own.

It takes no signals: a service manager sends them to all processes of a group, and a terminal to
all in the foreground, so what they mean is for the warden to say. When the warden is gone it
drains, and ends.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.config.own_memory import return_memory
from sidecar.errors import ConfigError, LedgerError
from sidecar.logs import LogSink, configure
from sidecar.metrics.merged import Samples, of_this_process, packed, told
from sidecar.payments.events import ConfigReloaded, Event, TaskFailed
from sidecar.proxy.admin_office import Said, in_json
from sidecar.service.inherited import served_on
from sidecar.service.intercom import Intercom
from sidecar.service.notify import Notifier
from sidecar.service.ports import Place, Ports
from sidecar.service.post import Post
from sidecar.service.process import notes_for, run
from sidecar.service.reread import Reread
from sidecar.service.secrets import Opened
from sidecar.service.service import Service
from sidecar.service.wired import Wired
from sidecar.tasks import Supervisor

# How often what was counted is told: a worker that is killed takes so much with it.
TELL_EVERY_S = 0.2
# At most one part in so many of the time is spent on that.
TELL_SHARE = 50
FLUSH_WAIT_S = 1.0
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Parse = Callable[[str, Mapping[str, str]], Config]


def work(post: Post, parse: Parse, environ: MutableMapping[str, str]) -> int:
    """Serve until the warden says that it is enough, or is gone; 0 when it ended as asked.

    ``parse`` reads a config's text. Raises ConfigError and LedgerError when it cannot start.
    """
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    config = parse(post.text, environ)
    ports = Ports(sockets={"listen": post.door}, place=Place(leads=post.leads, has_admin=False))

    async def life(config: Config, opened: Opened, ports: Ports, _notifier: Notifier) -> int:
        log = configure(config.log.format, config.log.level, opened.all, clock=ports.clock)
        tasks = Supervisor(lambda name, fault: log(TaskFailed(name, fault)))
        tasks.spawn("log", log.run())
        worker = Worker(post, parse, environ, (log, tasks, ports.clock))
        try:
            await worker.serve(config, opened, ports)
        finally:
            await tasks.drain(0)
            log.close()
        return 0

    return run(config, environ, ports, life)


class WorkerLog:
    """The log, for one of several that read the same config: the leader alone tells of that."""

    def __init__(self, log: LogSink, leads: Callable[[], bool]) -> None:
        self._log = log
        self._leads = leads
        self.hear_requests, self.heard_within_s = log.hear_requests, log.heard_within_s

    def __call__(self, event: Event) -> None:
        if self._leads() or not isinstance(event, ConfigReloaded):
            self._log(event)


class Worker:
    """What the warden can ask of a worker, and have it do."""

    def __init__(
        self,
        post: Post,
        parse: Parse,
        environ: MutableMapping[str, str],
        world: tuple[LogSink, Supervisor, Clock],
    ) -> None:
        self._post = post
        self._parse = parse
        self._environ = environ
        self._log, self._tasks, self._clock = world
        self._text = post.text
        self._leads = post.leads
        self._stop = asyncio.Event()
        self._prepared: Wired | None = None
        self._service: Service | None = None
        self._told: Samples = {}
        self._started_at_s = self._clock.now().timestamp()
        self._answers: Mapping[str, Callable[[Any], Any]] = {
            "samples": self._samples,
            "status": lambda _: self._running.office.describe(),
            "readiness": lambda _: self._running.view.readiness(),
            "observed": self._observed,
            "switch": self._switch,
            "prepare": self._prepare,
            "adopt": self._adopt,
            "refused": self._refused,
            "lead": self._lead,
            "alive": self._alive,
            "stop": self._end,
            "hurry": self._hurry,
        }

    async def serve(self, config: Config, opened: Opened, ports: Ports) -> None:
        """All of its life, from the first words on the line to the last."""
        line = await Intercom.over(self._post.line, self._tasks, self._answer)
        hearing = self._tasks.spawn("line", line.run())
        hearing.add_done_callback(lambda _: self._stop.set())
        sockets = {"listen": self._post.door}
        reread = Reread(
            lambda known: served_on(self._parse(self._text, known), sockets),
            self._environ,
            ports.entropy,
            self._log,
        )
        log = WorkerLog(self._log, lambda: self._leads)
        service = await Service.start(config, opened, log, ports, reread)
        self._service = service
        # Routes, rules and books stay as long as the process.
        gc.freeze()
        return_memory()
        try:
            if self._post.is_first:
                for note in notes_for(config, opened, self._environ, ports):
                    self._log.say("note", note)
            line.tell("ready")
            self._tasks.spawn("counts", self._tell_counts(line))
            await self._stop.wait()
        finally:
            await service.stop()
            self._tell_new_counts(line)
            await line.flush(FLUSH_WAIT_S)

    @property
    def _running(self) -> Service:
        # The warden asks nothing before it was told that we are ready.
        assert self._service is not None
        return self._service

    async def _answer(self, what: str, about: Any) -> Any:
        return await self._answers[what](about)

    async def _tell_counts(self, line: Intercom) -> None:
        pause_s = TELL_EVERY_S
        while True:
            await self._clock.sleep(pause_s)
            began_s = self._clock.monotonic_s()
            self._tell_new_counts(line)
            # Of thousands of routes and callers there is much to look through.
            pause_s = max(TELL_EVERY_S, TELL_SHARE * (self._clock.monotonic_s() - began_s))

    def _tell_new_counts(self, line: Intercom) -> None:
        counted = told(self._running.view.counted())
        new = {key: value for key, value in counted.items() if self._told.get(key) != value}
        if new:
            self._told = counted
            line.tell("counts", packed(new))

    async def _samples(self, _about: Any) -> Any:
        shown = told(await self._running.view.shown())
        return packed(shown | of_this_process(self._started_at_s))

    async def _observed(self, _about: Any) -> Any:
        return self._running.view.observed()

    async def _switch(self, path: str) -> Any:
        try:
            said = await self._running.office.switch(path)
        except LedgerError as fault:
            said = in_json(503, {"error": fault.diagnostics()})
        return as_document(said)

    async def _prepare(self, text: str) -> Any:
        """Build what this text makes, and go on by what there is."""
        before, self._text, self._prepared = self._text, text, None
        try:
            self._prepared = await self._running.prepare()
        except ConfigError as fault:
            self._text = before
            return list(fault.mistakes)
        return []

    async def _adopt(self, at: str) -> Any:
        """Go by what was prepared; what is new in it. None: it is too late."""
        assert self._prepared is not None
        try:
            changed = self._running.adopt(self._prepared)
        except ConfigError:
            return None
        self._prepared = None
        self._running.tell(ConfigReloaded(datetime.fromisoformat(at), changed))
        return list(changed)

    async def _refused(self, about: Any) -> None:
        """The config was refused, by whomever: ours stays, too."""
        self._prepared = None
        at = datetime.fromisoformat(about["at"])
        self._running.tell(ConfigReloaded(at, mistakes=tuple(about["mistakes"])))

    async def _lead(self, _about: Any) -> None:
        self._leads = True
        self._running.lead()

    async def _alive(self, _about: Any) -> bool:
        return True

    async def _end(self, _about: Any) -> None:
        self._stop.set()

    async def _hurry(self, _about: Any) -> None:
        if self._service is not None:
            self._service.hurry()


def as_document(said: Said) -> dict[str, Any]:
    """An answer as it goes over the line; the switches say JSON."""
    return {"status": said.status, "body": said.body.decode()}
