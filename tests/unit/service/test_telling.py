"""Who can hear of many requests at once does; everybody else hears of each."""

from __future__ import annotations

from dataclasses import replace

from sidecar.payments.events import Event
from sidecar.payments.served import Together
from sidecar.service.telling import of_many, told_within_s
from tests.unit.service.test_recent import SERVED
from tests.unit.test_metrics import alike

FAILED = [replace(SERVED, request_id=f"r{n}", status=502, decision="failed") for n in (2, 3)]


class Ears:
    """Hears of many at once."""

    heard_within_s = 0.5

    def __init__(self) -> None:
        self.heard: list[Together] = []

    def __call__(self, event: Event) -> None:
        raise AssertionError("it was told of one")

    def hear_requests(self, served: Together) -> None:
        self.heard.append(served)


def test_at_once() -> None:
    """Who can hear of many requests in one call is told of them in one call."""
    ears = Ears()
    of_many(ears)(alike(SERVED, *FAILED))

    assert [alike(SERVED, *FAILED)] == ears.heard


def test_each() -> None:
    """Who can only hear of events is told of each, in their order."""
    heard: list[Event] = []
    of_many(heard.append)(alike(SERVED, *FAILED))

    assert [SERVED, *FAILED] == heard


def test_within() -> None:
    """Who can hear of many says how long it may take; everybody else hears at once."""
    heard: list[Event] = []

    assert (0.5, 0.0) == (told_within_s(Ears()), told_within_s(heard.append))
