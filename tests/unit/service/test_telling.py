"""Who can hear of many requests at once does; everybody else hears of each."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.payments.events import Event, RequestServed
from sidecar.service.telling import of_many
from tests.unit.service.test_recent import SERVED, refused


class Ears:
    """Hears of many at once."""

    def __init__(self) -> None:
        self.heard: list[Sequence[RequestServed]] = []

    def __call__(self, event: Event) -> None:
        raise AssertionError("it was told of one")

    def hear_requests(self, served: Sequence[RequestServed]) -> None:
        self.heard.append(served)


def test_at_once() -> None:
    """Who can hear of many requests in one call is told of them in one call."""
    ears = Ears()
    of_many(ears)([SERVED, refused(1)])

    assert [[SERVED, refused(1)]] == ears.heard


def test_each() -> None:
    """Who can only hear of events is told of each, in their order."""
    heard: list[Event] = []
    of_many(heard.append)([SERVED, refused(1), refused(2)])

    assert [SERVED, refused(1), refused(2)] == heard
