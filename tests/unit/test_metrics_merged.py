"""The metrics of several workers as those of one sidecar."""

from __future__ import annotations

import json
from typing import Any

from sidecar.metrics import Metrics, exposition
from sidecar.metrics import catalogue as names
from sidecar.metrics.merged import (
    CPU,
    DOCS,
    RESIDENT,
    STARTED_AT,
    Merged,
    Samples,
    of_this_process,
    packed,
    told,
    unpacked,
)
from sidecar.metrics.times import Times
from sidecar.payments.events import RequestServed
from tests.world.fakes import NOON

REQUESTS = (names.REQUESTS.name, ("seller", "app", "2xx"))
LABEL = ("main", "base")
BALANCE = (names.WALLET_BALANCE.name, LABEL)
CREDIT = (names.PROVIDER_BALANCE.name, ("venice", "usd"))


def age(*labels: str) -> tuple[str, tuple[str, ...]]:
    return (names.BALANCE_AGE.name, labels)


def one(merged: Merged, doc: names.MetricDoc, lead: str = "1") -> Any:
    """The only value of a metric."""
    ((_, value),) = merged.shown(lead, 2, 0)[doc]
    return value


def served(*durations_s: float) -> Samples:
    """What a worker tells that has served requests that took so long, over the line and back."""
    metrics = Metrics(("seller",), ("app",))
    for duration_s in durations_s:
        metrics.observe(
            RequestServed(
                request_id="r",
                route="seller",
                caller="app",
                method="GET",
                path="/",
                status=200,
                duration_s=duration_s,
                upstream_s=0.0,
                decision="relayed",
            )
        )
    return unpacked(json.loads(json.dumps(packed(told(metrics.shown(NOON))))))


def test_sums() -> None:
    """Counters and histograms are the sums of what all workers counted."""
    merged = Merged()
    merged.see("1", served(0.003, 0.2))
    merged.see("2", served(0.003))
    shown = merged.shown("1", 2, 0)
    requests = dict(shown[names.REQUESTS])
    times = dict(shown[names.REQUEST_DURATION])[("seller",)]

    assert 3 == requests[REQUESTS[1]]
    assert isinstance(times, Times)
    assert [2, 3] == [*times.cumulative()][:: len(times.buckets) - 1]
    assert "0.206" == f"{times.total_s:.3f}"


def test_the_dead_count() -> None:
    """What a worker counted before it died stays, and what its successor counts is added."""
    merged = Merged()
    merged.see("1", served(0.1, 0.1))
    merged.see("2", served(0.1))
    before = dict(merged.shown("1", 2, 0)[names.REQUESTS])[REQUESTS[1]]
    merged.bury("1")
    without = dict(merged.shown("2", 1, 1)[names.REQUESTS])[REQUESTS[1]]
    merged.see("1", served(0.1))
    after = dict(merged.shown("2", 2, 1)[names.REQUESTS])[REQUESTS[1]]

    assert (3, 3, 4) == (before, without, after)


def test_told_in_parts() -> None:
    """What is told between two looks is counted, and only what has changed need be told."""
    merged = Merged()
    merged.see("1", {REQUESTS: 5, BALANCE: 7})
    merged.count("1", {REQUESTS: 6, (names.TASK_FAILURES.name, ()): 1})
    merged.bury("1")
    shown = merged.shown("", 0, 0)

    assert [(REQUESTS[1], 6)] == shown[names.REQUESTS]
    assert [((), 1)] == shown[names.TASK_FAILURES]
    assert [] == shown[names.WALLET_BALANCE]


def test_what_all_share() -> None:
    """What the ledger says is taken from the leader alone, and from nobody when there is none."""
    merged = Merged()
    merged.see("1", {(names.FROZEN.name, ()): 0})
    merged.see("2", {(names.FROZEN.name, ()): 1})

    assert (0, 1) == (one(merged, names.FROZEN, "1"), one(merged, names.FROZEN, "2"))
    assert [] == merged.shown("", 2, 0)[names.FROZEN]


def test_newest_balance() -> None:
    """A balance is that of the worker that read it last, with its age."""
    merged = Merged()
    merged.see("1", {BALANCE: 5, age(*LABEL, ""): 60, CREDIT: 1, age("", "", "venice"): 2})
    merged.see("2", {BALANCE: 7, age(*LABEL, ""): 3, CREDIT: 9, age("", "", "venice"): 90})
    shown = merged.shown("1", 2, 0)

    assert (7, 1) == (one(merged, names.WALLET_BALANCE), one(merged, names.PROVIDER_BALANCE))
    assert {(*LABEL, ""): 3, ("", "", "venice"): 2} == dict(shown[names.BALANCE_AGE])


def test_worst_of_all() -> None:
    """The clock that is furthest off is shown, the stop of any top-ups, and a failed reload."""
    skew = (names.CLOCK_SKEW.name, ("base",))
    stopped = (names.TOP_UPS_STOPPED.name, ("venice",))
    ok, at = (names.RELOAD_OK.name, ()), (names.RELOADED_AT.name, ())
    merged = Merged()
    merged.see("1", {skew: -9, stopped: 1, ok: 1, at: 10})
    merged.see("2", {skew: 3, stopped: 0, ok: 0, at: 20})

    assert (-9, 1) == (one(merged, names.CLOCK_SKEW), one(merged, names.TOP_UPS_STOPPED))
    assert (0, 10) == (one(merged, names.RELOAD_OK), one(merged, names.RELOADED_AT))


def test_processes() -> None:
    """Memory and time are those of all processes together; the start is the first one's."""
    merged = Merged()
    merged.see("1", {(CPU.name, ()): 2, (RESIDENT.name, ()): 10, (STARTED_AT.name, ()): 5})
    merged.see("2", {(CPU.name, ()): 3, (RESIDENT.name, ()): 20, (STARTED_AT.name, ()): 4})
    both = one(merged, CPU), one(merged, RESIDENT), one(merged, STARTED_AT)
    merged.bury("1")

    assert (5, 30, 4) == both
    assert (5, 20) == (one(merged, CPU), one(merged, RESIDENT))


def test_exposition() -> None:
    """All of it is text that a scraper reads, with this process's own part."""
    merged = Merged()
    merged.see("1", served(0.1))
    merged.see("warden", of_this_process(1_000.0))
    text = exposition(merged.shown("1", 2, 4), "", DOCS, of_process=False)[0].decode()

    for line in (
        'sidecar_requests_total{caller="app",code_class="2xx",route="seller"} 1.0',
        'sidecar_request_duration_seconds_bucket{le="0.1",route="seller"} 1.0',
        "sidecar_workers 2.0",
        "sidecar_worker_restarts_total 4.0",
        "process_start_time_seconds 1000.0",
    ):
        assert f"\n{line}\n" in text
    assert 1 == text.count("\nprocess_resident_memory_bytes ")
