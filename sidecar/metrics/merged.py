"""The metrics of several workers as those of one sidecar.

    counters, histograms   the sum over all workers, and over those that are gone: never less
    what the ledger says   as the one that was asked for it says
    balances               of the worker that read them last
    process_*              the sum over all processes; the start is the oldest one's

A worker tells what it counted a few times a second, so of one that is killed no more is lost here
than what it counted since. What moved is in the ledger.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sidecar.metrics import catalogue as names
from sidecar.metrics.catalogue import METRICS, MetricDoc
from sidecar.metrics.tally import Labels, Shown
from sidecar.metrics.times import Times
from sidecar.values import dataclass

CPU = MetricDoc(
    "process_cpu_seconds_total", "counter", (), "Total user and system CPU time spent in seconds."
)
RESIDENT = MetricDoc("process_resident_memory_bytes", "gauge", (), "Resident memory size in bytes.")
VIRTUAL = MetricDoc("process_virtual_memory_bytes", "gauge", (), "Virtual memory size in bytes.")
OPEN = MetricDoc("process_open_fds", "gauge", (), "Number of open file descriptors.")
OPEN_MAX = MetricDoc("process_max_fds", "gauge", (), "Maximum number of open file descriptors.")
STARTED_AT = MetricDoc(
    "process_start_time_seconds",
    "gauge",
    (),
    "Start time of the process since unix epoch in seconds.",
)
PROCESS = (CPU, RESIDENT, VIRTUAL, OPEN, OPEN_MAX, STARTED_AT)
DOCS = (*METRICS, *PROCESS)

_BY_NAME = {doc.name: doc for doc in DOCS}
_SUMMED = frozenset({RESIDENT, VIRTUAL, OPEN, OPEN_MAX})
_LEAST = frozenset({names.RELOAD_OK, names.RELOADED_AT, STARTED_AT})
# Read from the ledger, or found out on rounds that one worker makes for all.
_OF_LEAD = frozenset(
    {
        names.BUDGET_LIMIT,
        names.BUDGET_SPENT,
        names.BUDGET_RESERVED,
        names.BUDGET_REMAINING,
        names.BUDGET_HELD,
        names.BUDGET_RESET,
        names.IN_DOUBT,
        names.IN_DOUBT_OLDEST,
        names.FROZEN,
        names.APPROVALS_WAITING,
        names.DRIFT,
        names.DRIFT_AGE,
    }
)
_WARDENS_OWN = frozenset({names.WORKERS, names.WORKER_RESTARTS})

Key: TypeAlias = tuple[str, Labels]
# A number; or of a histogram the counts of its buckets, behind which stands the sum.
Told: TypeAlias = float | tuple[float, ...]
Samples: TypeAlias = dict[Key, Told]


def told(shown: Shown) -> Samples:
    """Values, as they can be sent."""
    return {
        (doc.name, labels): (*value.buckets, value.total_s) if isinstance(value, Times) else value
        for doc, values in shown.items()
        if doc not in _WARDENS_OWN
        for labels, value in values
    }


def packed(samples: Samples) -> list[list[Any]]:
    """Samples as JSON."""
    return [[name, labels, value] for (name, labels), value in samples.items()]


def unpacked(document: Iterable[Sequence[Any]]) -> Samples:
    """``packed``, read again: our own worker's word."""
    return {
        (name, tuple(labels)): tuple(value) if isinstance(value, list) else value
        for name, labels, value in document
    }


def of_this_process(started_at_s: float) -> Samples:
    """What the system says of us. Zeros where it does not say."""
    spent = os.times()
    pages = _read(lambda: Path("/proc/self/statm").read_text().split(), ["0", "0"])
    page_bytes = resource.getpagesize()
    return {
        (CPU.name, ()): spent.user + spent.system,
        (VIRTUAL.name, ()): int(pages[0]) * page_bytes,
        (RESIDENT.name, ()): int(pages[1]) * page_bytes,
        (OPEN.name, ()): len(_read(lambda: os.listdir("/proc/self/fd"), [])),
        (OPEN_MAX.name, ()): resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        (STARTED_AT.name, ()): started_at_s,
    }


def _read(read: Callable[[], list[str]], otherwise: list[str]) -> list[str]:
    try:
        return read()
    except OSError:
        return otherwise


@dataclass(slots=True)
class _Worker:
    counters: Samples
    gauges: Samples


class Merged:
    """What all workers told, living and gone."""

    def __init__(self) -> None:
        self._gone: Samples = {}
        self._workers: dict[str, _Worker] = {}

    def count(self, worker: str, samples: Samples) -> None:
        """These counters of a worker are so much now; the others are what they were."""
        counters = {key: value for key, value in samples.items() if _is_counter(key)}
        self._of(worker).counters |= counters

    def see(self, worker: str, samples: Samples) -> None:
        """All that a worker shows now."""
        self.count(worker, samples)
        gauges = {key: value for key, value in samples.items() if not _is_counter(key)}
        self._of(worker).gauges = gauges

    def bury(self, worker: str) -> None:
        """It is gone: what it counted stays, and what it held is no more."""
        gone = self._workers.pop(worker, None)
        for key, value in () if gone is None else gone.counters.items():
            self._gone[key] = _sum(self._gone.get(key), value)

    def shown(self, lead: str, workers: int, restarts: int) -> Shown:
        """Everything as one. ``lead``: whom to believe of what all of them share."""
        counters = dict(self._gone)
        gauges: dict[Key, dict[str, Told]] = {}
        for name, worker in self._workers.items():
            for key, value in worker.counters.items():
                counters[key] = _sum(counters.get(key), value)
            for key, value in worker.gauges.items():
                gauges.setdefault(key, {})[name] = value
        ages = {key: held for key, held in gauges.items() if key[0] == names.BALANCE_AGE.name}
        shown: dict[MetricDoc, list[tuple[Labels, float | Times]]] = {doc: [] for doc in DOCS}
        for (name, labels), value in counters.items():
            doc = _BY_NAME[name]
            shown[doc].append((labels, _times(doc, value)))
        for (name, labels), values in gauges.items():
            doc = _BY_NAME[name]
            one = _gauge(doc, labels, values, lead, ages)
            if one is not None:
                shown[doc].append((labels, _number(one)))
        shown[names.WORKERS], shown[names.WORKER_RESTARTS] = [((), workers)], [((), restarts)]
        return {**shown}

    def _of(self, worker: str) -> _Worker:
        return self._workers.setdefault(worker, _Worker({}, {}))


def _is_counter(key: Key) -> bool:
    return _BY_NAME[key[0]].kind in {"counter", "histogram"}


def _gauge(
    doc: MetricDoc,
    labels: Labels,
    values: Mapping[str, Told],
    lead: str,
    ages: Mapping[Key, Mapping[str, Told]],
) -> Told | None:
    numbers = {name: _number(value) for name, value in values.items()}
    if doc in _OF_LEAD:
        return numbers.get(lead)
    if doc in _SUMMED:
        return sum(numbers.values())
    if doc in _LEAST or doc is names.BALANCE_AGE:
        return min(numbers.values())
    if doc is names.CLOCK_SKEW:
        return max(numbers.values(), key=abs)
    if doc in {names.WALLET_BALANCE, names.PROVIDER_BALANCE}:
        # The same holder's age: a wallet on a network's, or a route's.
        is_wallet = doc is names.WALLET_BALANCE
        holder = (*labels, "") if is_wallet else ("", "", labels[0])
        known = ages.get((names.BALANCE_AGE.name, holder), {})
        return numbers[min(numbers, key=lambda name: _number(known.get(name, float("inf"))))]
    return max(numbers.values())


def _times(doc: MetricDoc, value: Told) -> float | Times:
    if not isinstance(value, tuple):
        return value
    times = Times(doc.bounds)
    *buckets, times.total_s = value
    times.buckets = [int(each) for each in buckets]
    return times


def _sum(before: Told | None, value: Told) -> Told:
    if before is None:
        return value
    if isinstance(before, tuple) and isinstance(value, tuple):
        return tuple(one + other for one, other in zip(before, value, strict=True))
    return _number(before) + _number(value)


def _number(value: Told) -> float:
    assert not isinstance(value, tuple)
    return value
