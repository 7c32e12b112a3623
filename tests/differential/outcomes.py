"""What a case came to, without what differs from one run to the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sidecar.ledger.model import Payment
from sidecar.payments.events import Event, RequestServed
from sidecar.proxy.turn import HUNG_UP
from tests.differential.reading import messages

_VARIES = (
    (re.compile(rb"(127\.0\.0\.1|\[::1\]|localhost):[0-9]+"), rb"\1:*"),
    (re.compile(rb"pay_[0-9a-f]{32}"), b"pay_*"),
    (re.compile(rb"(?i)(\r\npayment-signature: )[^\r]*"), rb"\1*"),
)


@dataclass(frozen=True)
class Seen:
    """What the app got, how its connection ended, and which answers have no body."""

    got: bytes
    ended: str
    bodiless: tuple[bool, ...]


@dataclass(frozen=True)
class Row:
    """A payment in the ledger. ``purchase``: which of the case's it is."""

    purchase: int
    explicit: bool
    state: str
    route: str
    caller: str
    purpose: str
    pay_to: str
    amount: int
    proof: str
    delivered: bool
    given_up: bool


@dataclass(frozen=True)
class Outcome:
    """What a case came to."""

    requests: tuple[tuple[bytes, bytes], ...]
    answers: tuple[tuple[bytes, bytes, bool], ...]
    left: bytes
    ended: str
    served: tuple[RequestServed, ...]
    told: tuple[str, ...]
    payments: tuple[Row, ...]

    @classmethod
    def of(
        cls,
        seen: Seen,
        requests: Sequence[tuple[bytes, bytes]],
        events: Sequence[Event],
        payments: Sequence[Payment],
        marks: tuple[bytes, ...],
    ) -> Outcome:
        """``marks``: the run's own, which another run has others of."""

        def same(data: bytes) -> bytes:
            for mark in marks:
                data = data.replace(mark, b"*")
            for pattern, put in _VARIES:
                data = pattern.sub(put, data)
            return data

        found, left = messages(seen.got, seen.bodiless)
        served = [event for event in events if isinstance(event, RequestServed)]
        others = [type(event).__name__ for event in events if not isinstance(event, RequestServed)]
        keys = list(dict.fromkeys(payment.purchase.key for payment in payments))
        return cls(
            # A sign-in is never the same twice.
            tuple(
                (same(head), b"" if b"/auth HTTP" in head else same(body))
                for head, body in requests
            ),
            tuple((same(head), same(body), whole) for head, body, whole in found),
            same(left),
            seen.ended,
            tuple(_plain(event, same) for event in served),
            tuple(sorted(others)),
            tuple(_row(payment, keys) for payment in payments),
        )

    def is_like(self, other: Outcome) -> bool:
        """Whether it is the same; of what was cut, how much had got through is chance."""
        if len(self.answers) != len(other.answers):
            one, two = self._without_refusal(), other._without_refusal()
            return (one, two) != (self, other) and one.is_like(two)
        for number, (mine, its) in enumerate(zip(self.answers, other.answers, strict=True)):
            (head, body, whole), (its_head, its_body, its_whole) = mine, its
            least = min(len(body), len(its_body)) if not whole else None
            same = (head, body[:least], whole) == (its_head, its_body[:least], its_whole)
            if not same and (number == 0 or {_refused(mine), _refused(its)} != {400, 505}):
                return False
        rest, its_rest = replace(self, answers=()), replace(other, answers=())
        if rest == its_rest:
            return True
        return self._is_refused and rest._without_way()._lacks_last_of(its_rest._without_way())

    @property
    def _is_refused(self) -> bool:
        """Whether what came behind a request was no HTTP: its refusal ends the one before, too.

        Where more came than was read, the end of the connection overtakes the refusal.
        """
        last = self.answers[-1] if self.answers else (b"", b"", True)
        cut = self.ended == "closed" and len(self.answers) < len(self.served) + 1
        return _refused(last) == 400 or cut

    def _without_refusal(self) -> Outcome:
        """Without the refusal that it ended with, if it did: its end may have overtaken it."""
        if self.answers and _refused(self.answers[-1]):
            return replace(self, answers=self.answers[:-1])
        return self

    def _without_way(self) -> Outcome:
        """Without how far that had come which a refusal ended."""
        served = tuple(
            replace(event, decision="", detail="") if event.status == HUNG_UP else event
            for event in self.served
        )
        return replace(self, served=served)

    def _lacks_last_of(self, other: Outcome) -> bool:
        """Whether one of the two had not yet sent the request that the other had."""
        fewer, more = sorted((self, other), key=lambda each: len(each.requests) + len(each.served))
        count, said = len(fewer.requests), len(fewer.served)
        return (
            len(more.requests) - count <= 1
            and len(more.served) - said <= 1
            and more.requests[:count] == fewer.requests
            and more.served[:said] == fewer.served
            and all(event.status == HUNG_UP for event in more.served[said:])
            and replace(more, requests=(), served=()) == replace(fewer, requests=(), served=())
        )


def _refused(answer: tuple[bytes, bytes, bool]) -> int:
    """The status that refuses what is no HTTP; 0: it is something else.

    Behind the end of a body that may be RTSP's request line or none, it is the one or the other.
    """
    head, body, _ = answer
    status = int(head[9:12]) if b"sidecar_malformed" in body else 0
    return status if status in {400, 505} else 0


def _plain(event: RequestServed, same: Callable[[bytes], bytes]) -> RequestServed:
    detail = same(event.detail.encode()).decode()
    # What the parser says of how it was cut, and the lane in its own words.
    detail = detail.partition("cut short")[0]
    payment_id = "pay_*" if event.payment_id else ""
    return replace(
        event,
        request_id="",
        duration_s=0.0,
        upstream_s=0.0,
        detail=detail,
        payment_id=payment_id,
    )


def _row(payment: Payment, keys: list[str]) -> Row:
    return Row(
        keys.index(payment.purchase.key),
        payment.purchase.explicit,
        payment.state.name,
        payment.route,
        payment.caller,
        payment.purpose,
        payment.pay_to,
        payment.amount.atomic,
        "" if payment.proof is None else payment.proof.kind,
        payment.delivered_at is not None,
        payment.closed_at is not None,
    )
