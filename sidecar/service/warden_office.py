"""What the admin port says where several workers serve: each asked for its part, as one answer.

What only shows is asked of all. What changes something is in the ledger, which all share, so one
does it: the leader. A config is the warden's to take over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sidecar import __version__
from sidecar.clock import Clock
from sidecar.metrics import Metrics, exposition
from sidecar.metrics.merged import DOCS, of_this_process, told, unpacked
from sidecar.payments.events import Event
from sidecar.proxy.admin_office import TEXT, Said, in_json, reloaded
from sidecar.service.intercom import LineCutError
from sidecar.service.recent import REFUSALS_MAX
from sidecar.service.warden import Warden, Worker

ASK_WAIT_S = 5.0
# A top-up is waited for as long as its route says, an hour at most.
SWITCH_WAIT_S = 3_700.0
# Whoever watches is shown what is new as often.
LOOK_S = 2.0
OWN = "warden"
_NOBODY = "no worker serves; see the log"


class WardenOffice:
    """``proxy.admin_office.Office``, over all workers."""

    def __init__(self, warden: Warden, clock: Clock) -> None:
        self._warden = warden
        self._clock = clock
        self._started_at = clock.now()
        # What the admin port itself refuses is counted here.
        self._metrics = Metrics((), ())
        self._pages: Mapping[str, Callable[[str], Any]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._exposition,
            "/status": self._status,
        }

    def observe(self, event: Event) -> None:
        """Count what happened at the admin port."""
        self._metrics.observe(event)

    async def page(self, path: str, accept: str) -> Said:
        said: Said = await self._pages[path](accept)
        return said

    async def switch(self, path: str) -> Said:
        if path == "/reload":
            return reloaded(await self._warden.reload())
        lead = self._warden.lead
        if lead is None or not lead.serves:
            return in_json(503, {"error": _NOBODY})
        try:
            said = await lead.ask("switch", path, wait_s=SWITCH_WAIT_S)
        except LineCutError as fault:
            error = f"the worker that was asked is gone: {fault}; look before asking again"
            return in_json(503, {"error": error})
        return Said(said["status"], said["body"].encode())

    async def describe(self) -> Mapping[str, Any]:
        lead = self._warden.lead
        kept = self._warden.serving
        states = await self._ask_all(kept, lambda one: "status" if one is lead else "observed")
        state = next((each for each in states if "version" in each), None)
        if state is None:
            state = {
                "version": __version__,
                "mode": self._warden.config.mode,
                "wallets": {},
                "routes": {},
                "config_mistakes": [],
                "error": _NOBODY,
            }
        now = self._clock.now()
        return {
            **state,
            "now": now.isoformat(),
            "uptime_s": int((now - self._started_at).total_seconds()),
            "state": "draining" if self.is_stopping() else "serving",
            "refusals": _newest_refusals(states),
            "top_ups_stopped": _all_stopped(states),
            "workers": [
                {
                    "name": each.name,
                    "process": each.number,
                    "started_at": each.started_at.isoformat(),
                    "leads": each is lead,
                }
                for each in kept
            ],
        }

    async def news(self, seen: int) -> int:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._warden.stopping.wait()
        return seen + 1

    def is_stopping(self) -> bool:
        return self._warden.stopping.is_set()

    async def are_well(self, wait_s: float) -> bool:
        """Whether all who serve still turn their loops, and somebody serves."""
        kept = self._warden.serving
        answers = await self._ask_all(kept, lambda _: "alive", wait_s)
        return 0 < len(kept) == len(answers)

    async def _livez(self, _accept: str) -> Said:
        # Those who have died are the warden's to start again, and nobody else's.
        return Said(200, b"ok", TEXT) if self._warden.serving else in_json(503, {"error": _NOBODY})

    async def _readyz(self, _accept: str) -> Said:
        kept, wanted = self._warden.serving, self._warden.config.workers
        failed: dict[str, str] = {}
        answers = await self._ask_all(kept, lambda _: "readiness")
        for checks in answers:
            failed |= {name: wrong for name, wrong in checks.items() if wrong is not None}
        if len(answers) < wanted:
            failed["workers"] = f"{len(answers)} of {wanted} serve"
        if self.is_stopping():
            failed["draining"] = "the sidecar is stopping"
        return in_json(503 if failed else 200, {"ready": not failed, "failed": failed})

    async def _exposition(self, accept: str) -> Said:
        await asyncio.to_thread(self._metrics.load)
        warden, merged = self._warden, self._warden.merged

        async def see(one: Worker) -> None:
            with suppress(LineCutError):
                samples = await one.ask("samples", wait_s=ASK_WAIT_S)
                if one.serves:
                    merged.see(one.name, unpacked(samples))

        await asyncio.gather(*(see(each) for each in warden.serving))
        own = of_this_process(self._started_at.timestamp())
        merged.see(OWN, own)
        merged.count(OWN, told(self._metrics.counted()))
        lead = "" if warden.lead is None else warden.lead.name
        shown = merged.shown(lead, len(warden.serving), warden.restarts)
        return Said(200, *exposition(shown, accept, DOCS, of_process=False))

    async def _status(self, _accept: str) -> Said:
        state = await self.describe()
        return in_json(503 if "error" in state else 200, state)

    async def _ask_all(
        self, kept: Sequence[Worker], what: Callable[[Worker], str], wait_s: float = ASK_WAIT_S
    ) -> list[Any]:
        """What those answer who do, in order."""
        answers: dict[str, Any] = {}

        async def ask(one: Worker) -> None:
            with suppress(LineCutError):
                answers[one.name] = await one.ask(what(one), wait_s=wait_s)

        await asyncio.gather(*(ask(each) for each in kept))
        return [answers[each.name] for each in kept if each.name in answers]


def _newest_refusals(states: Sequence[Mapping[str, Any]]) -> list[Any]:
    refusals = [each for state in states for each in state.get("refusals", ())]
    return sorted(refusals, key=lambda each: str(each["at"]), reverse=True)[:REFUSALS_MAX]


def _all_stopped(states: Sequence[Mapping[str, Any]]) -> list[Any]:
    stopped = [each for state in states for each in state.get("top_ups_stopped", ())]
    return list({(each["route"], each["account"]): each for each in stopped}.values())
