"""Requests that are over: one as an event, and those that ended together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple, TypeAlias

from sidecar.money import Usdc
from sidecar.values import dataclass


# Not frozen, as all other events are: every request makes one, at a quarter of the price.
@dataclass(slots=True)
class RequestServed:
    """One app request, start to finish: the canonical log line."""

    request_id: str
    route: str  # "" when it reached none
    caller: str  # "" when it was not let in
    method: str
    path: str  # without its query, which may hold secrets
    status: int  # what the app got; 499: it hung up first
    duration_s: float
    upstream_s: float  # of which waiting for the upstream: heads, payments, chunks
    decision: str  # relayed | paid | denied | in_doubt | undelivered | refused | failed
    rule: str = ""  # which rule, where one refused
    amount: Usdc | None = None
    payment_id: str = ""
    detail: str = ""  # one sentence, where something went wrong

    @property
    def is_shared(self) -> bool:
        """Whether an ending, and what differs, say all of it."""
        return not (self.rule or self.amount is not None or self.payment_id)

    @property
    def ended(self) -> Ended:
        """What is its own, where it ends as it is told of."""
        return self.request_id, self.duration_s, self.upstream_s, inf

    @property
    def ending(self) -> Ending:
        """What it may share with others; nothing of a payment is in it."""
        return Ending(
            self.route,
            self.caller,
            self.method,
            self.path,
            self.status,
            self.decision,
            self.detail,
        )


# A tuple, as it is looked up by its value: a dataclass's hash costs as much as a log line.
class Ending(NamedTuple):
    """What requests that were served alike, and not paid for, have in common."""

    route: str
    caller: str
    method: str
    path: str
    status: int
    decision: str
    detail: str = ""

    def served(self, ended: Ended) -> RequestServed:
        """One of them, as an event."""
        request_id, duration_s, upstream_s, _ = ended
        route, caller, method, path, status, decision, detail = self
        return RequestServed(
            request_id,
            route,
            caller,
            method,
            path,
            status,
            duration_s,
            upstream_s,
            decision,
            detail=detail,
        )


# How a request ended: the status that reached the app, what was decided, and what went wrong.
End: TypeAlias = tuple[int, str, str]
# What differs between them: ``request_id``, ``duration_s`` and ``upstream_s``; and when it ended,
# by the steady count (``inf``: as it is told of).
Ended: TypeAlias = tuple[str, float, float, float]
# Requests that are told of together: each of an ending in its order.
Together: TypeAlias = Mapping[Ending, Sequence[Ended]]
# To tell of each alone costs several times as much.
EmitServed: TypeAlias = Callable[[Together], None]


def each_of(together: Together) -> Iterator[RequestServed]:
    """Each of them, as an event."""
    for ending, requests in together.items():
        for ended in requests:
            yield ending.served(ended)
