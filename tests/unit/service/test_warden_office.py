"""What the one admin port says of several workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.metrics import catalogue as names
from sidecar.metrics.merged import packed
from sidecar.payments.events import RequestsRefused
from sidecar.service.intercom import LineCutError
from sidecar.service.warden_office import WardenOffice
from tests.unit.service.test_warden import Crew, Fake, crew
from tests.world.fakes import FakeClock

REQUESTS = (names.REQUESTS.name, ("seller", "app", "2xx"))
FROZEN = (names.FROZEN.name, ())


class Answers:
    """What each worker answers, in place of what it would."""

    def __init__(self, made: Crew, *answers: Mapping[str, Any]) -> None:
        for worker, said in zip(made.started, answers, strict=True):
            self._give(worker, said)
        self.asked: list[tuple[str, str, Any]] = []

    def _give(self, worker: Fake, said: Mapping[str, Any]) -> None:
        async def ask(what: str, about: Any = None, *, wait_s: float) -> Any:
            self.asked.append((worker.name, what, about))
            if what not in said:
                raise LineCutError("no answer")
            return said[what]

        worker.ask = ask  # type: ignore[method-assign]  # a fake's own


def office(made: Crew) -> WardenOffice:
    return WardenOffice(made.warden, FakeClock())


async def page(made: Crew, path: str) -> tuple[int, Any]:
    said = await office(made).page(path, "")
    return said.status, json.loads(said.body) if said.content_type.startswith("app") else said.body


async def test_ready(tmp_path: Path) -> None:
    """It is ready once all are; else it says what is wrong with any, or how many serve."""
    well = {"readiness": {"ledger": None, "frozen": None}}
    async with crew(tmp_path) as made:
        Answers(made, well, well, well)
        all_well = await page(made, "/readyz")
        Answers(made, well, {"readiness": {"ledger": "disk full", "frozen": None}}, well)
        full = await page(made, "/readyz")
        Answers(made, well, {}, well)
        silent = await page(made, "/readyz")

    assert (200, {"ready": True, "failed": {}}) == all_well
    assert (503, {"ready": False, "failed": {"ledger": "disk full"}}) == full
    assert (503, {"ready": False, "failed": {"workers": "2 of 3 serve"}}) == silent


async def test_alive(tmp_path: Path) -> None:
    """It is alive while anybody serves: the dead are the warden's to start again."""
    async with crew(tmp_path) as made:
        made.started[0].serves = made.started[1].serves = False
        one = await page(made, "/livez")
        made.started[2].serves = False
        none = await page(made, "/livez")

    assert (200, b"ok") == one
    assert 503 == none[0]


async def test_well(tmp_path: Path) -> None:
    """All are well while each of those who serve answers, and there are any."""
    async with crew(tmp_path) as made:
        Answers(made, {"alive": True}, {"alive": True}, {"alive": True})
        well = await office(made).are_well(1)
        Answers(made, {"alive": True}, {}, {"alive": True})
        hung = await office(made).are_well(1)
        for each in made.started:
            each.serves = False
        nobody = await office(made).are_well(1)

    assert [True, False, False] == [well, hung, nobody]


async def test_status(tmp_path: Path) -> None:
    """The leader's state, with the newest refusals and the stopped top-ups of all."""
    stop = {"route": "venice", "account": ""}
    lead = {"version": "1", "uptime_s": 9, "budgets": [], "refusals": [{"at": "2"}]}
    others = ({"at": "3"}, {"at": "1"})
    async with crew(tmp_path) as made:
        Answers(
            made,
            {"status": {**lead, "top_ups_stopped": [stop]}},
            *({"observed": {"refusals": [each], "top_ups_stopped": [stop]}} for each in others),
        )
        status, state = await page(made, "/status")

    assert (200, "1", 0, []) == (status, state["version"], state["uptime_s"], state["budgets"])
    assert ["3", "2", "1"] == [each["at"] for each in state["refusals"]]
    assert [stop] == state["top_ups_stopped"]
    assert [True, False, False] == [each["leads"] for each in state["workers"]]


async def test_status_of_nobody(tmp_path: Path) -> None:
    """While nobody serves, there is a state all the same, and it says so."""
    async with crew(tmp_path) as made:
        Answers(made, {}, {}, {})
        status, state = await page(made, "/status")

    assert (503, "no worker serves; see the log") == (status, state["error"])
    assert "serving" == state["state"]


async def test_metrics(tmp_path: Path) -> None:
    """What all counted is one number, what the port itself refused included."""
    async with crew(tmp_path) as made:
        Answers(
            made,
            {"samples": packed({REQUESTS: 3, FROZEN: 1})},
            {"samples": packed({REQUESTS: 4, FROZEN: 0})},
            {},
        )
        made.warden.merged.count("3", {REQUESTS: 10})
        there = office(made)
        there.observe(RequestsRefused("malformed", 2))
        said = await there.page("/metrics", "")

    text = said.body.decode()
    for line in (
        'sidecar_requests_total{caller="app",code_class="2xx",route="seller"} 17.0',
        'sidecar_requests_refused_total{reason="malformed"} 2.0',
        "sidecar_frozen 1.0",
        "sidecar_workers 3.0",
    ):
        assert f"\n{line}\n" in text


async def test_switch(tmp_path: Path) -> None:
    """What changes something is done by the leader, and by nobody else."""
    done = {"switch": {"status": 409, "body": '{"error": "no"}'}}
    async with crew(tmp_path) as made:
        answers = Answers(made, done, done, done)
        said = await office(made).switch("/freeze")
        made.started[0].serves = False
        nobody = await office(made).switch("/freeze")

    assert (409, b'{"error": "no"}', 503) == (said.status, said.body, nobody.status)
    assert [("1", "switch", "/freeze")] == answers.asked


async def test_switch_by_the_dead(tmp_path: Path) -> None:
    """A leader that dies half way may have done it: whoever asked is told to look."""
    async with crew(tmp_path) as made:
        Answers(made, {}, {}, {})
        said = await office(made).switch("/top-up/venice")

    assert 503 == said.status
    assert b"look before asking again" in said.body
