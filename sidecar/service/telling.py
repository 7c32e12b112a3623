"""Telling of many requests at once, and a little later, where the one who hears can take that."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from sidecar.payments.events import Emit, Event
from sidecar.payments.served import EmitServed, Together, each_of


@runtime_checkable
class HearsMany(Protocol):
    """Hears of an event; or, in one call, of requests that ended within a moment."""

    # How long that may be.
    heard_within_s: float

    def __call__(self, event: Event) -> None:
        """It happened."""
        ...

    def hear_requests(self, served: Together) -> None:
        """They ended."""
        ...


def of_many(emit: Emit) -> EmitServed:
    """How this one is told of many requests: of all at once, or of each."""
    if isinstance(emit, HearsMany):
        return emit.hear_requests

    def of_each(served: Together) -> None:
        for event in each_of(served):
            emit(event)

    return of_each


def told_within_s(emit: Emit) -> float:
    """How long this one may not have heard of a request: only who hears of many."""
    return emit.heard_within_s if isinstance(emit, HearsMany) else 0.0
