"""JSON lines of payments that went well: what many of them share is made, and redacted, once.

What differs from line to line are times, ids and transactions. These are quoted as they are, and
whoever writes the lines looks whether any of them might hold a secret: at all of a slice at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from json.encoder import encode_basestring_ascii as _quote
from typing import TypeAlias

from sidecar.ledger.model import Proof
from sidecar.logs.lines import SHARED_MAX, Line
from sidecar.payments.events import (
    Event,
    PaymentConfirmed,
    PaymentPosted,
    PaymentRehearsed,
    PaymentReserved,
    PaymentVoided,
    RequestServed,
)

# A line of its own, redacted, with this for its time; "" where it is not loud enough.
Render: TypeAlias = Callable[[str, Event | Line], str]
_OfPayment: TypeAlias = (
    PaymentPosted | PaymentReserved | PaymentConfirmed | PaymentVoided | PaymentRehearsed
)
# What is around what differs; nothing: such lines are not written; None: each is like no other.
_Parts: TypeAlias = tuple[str, ...] | None

# Their payment says all that their lines say.
_OF_PAYMENTS = (
    PaymentPosted,
    PaymentReserved,
    PaymentConfirmed,
    PaymentVoided,
    PaymentRehearsed,
)
_START = '{"timestamp":"'
_PAYMENT_CUTS = (_START, '"payment_id":""', "}\n")
_REQUEST_CUTS = (
    _START,
    '"request_id":""',
    '"duration_ms":0.000,"upstream_ms":0.000',
    '"payment_id":"-"}\n',
)


class PaymentLines:
    """Makes the lines that are alike; ``render`` makes any line, and is asked for one of each."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._shared: dict[tuple[object, ...], _Parts] = {}

    def line(self, timestamp: str, event: Event | Line, unseen: set[str]) -> str | None:
        """Its line, redacted but for what it adds to ``unseen``; None: ``render`` has to make it.

        It is "" where it is not loud enough.
        """
        if isinstance(event, RequestServed):
            return self._of_request(timestamp, event, unseen)
        if isinstance(event, _OF_PAYMENTS):
            return self._of_payment(timestamp, event, unseen)
        return None

    def _of_payment(self, timestamp: str, event: _OfPayment, unseen: set[str]) -> str | None:
        payment = event.payment
        proof = payment.proof
        key = (
            type(event),
            payment.route,
            payment.caller,
            payment.purpose,
            payment.scheme,
            payment.network,
            payment.amount.atomic,
            payment.pay_to,
            None if proof is None else proof.kind,
        )
        parts = self._shared[key] if key in self._shared else self._share_payment(key, event)
        if not parts:
            return None if parts is None else ""
        payment_id = payment.id
        quoted = _quote(payment_id)
        if len(quoted) > len(payment_id) + 2:
            return None
        more = ""
        if proof is not None and proof.transaction:
            transaction = proof.transaction
            named = _quote(transaction)
            if len(named) > len(transaction) + 2:
                return None
            unseen.add(transaction)
            more = f',"transaction":{named}'
        unseen.add(payment_id)
        begin, end = parts
        return f'{_START}{timestamp}{begin}"payment_id":{quoted}{end}{more}}}\n'

    def _of_request(self, timestamp: str, event: RequestServed, unseen: set[str]) -> str | None:
        payment_id, amount = event.payment_id, event.amount
        if not payment_id or amount is None or event.rule or event.detail:
            return None
        key = (
            event.route,
            event.caller,
            event.method,
            event.path,
            event.status,
            event.decision,
            amount.atomic,
        )
        parts = self._shared[key] if key in self._shared else self._share_request(key, event)
        if not parts:
            return None if parts is None else ""
        quoted = _quote(payment_id)
        if len(quoted) > len(payment_id) + 2:
            return None
        unseen.add(payment_id)
        begin, middle, end = parts
        return (
            f'{_START}{timestamp}{begin}"request_id":{_quote(event.request_id)}{middle}'
            f'"duration_ms":{event.duration_s * 1000:.3f},'
            f'"upstream_ms":{event.upstream_s * 1000:.3f}{end}"payment_id":{quoted}}}\n'
        )

    def _share_payment(self, key: tuple[object, ...], event: _OfPayment) -> _Parts:
        proof = event.payment.proof
        bare = replace(event.payment, id="", proof=None if proof is None else Proof(proof.kind))
        return self._share(key, replace(event, payment=bare), _PAYMENT_CUTS)

    def _share_request(self, key: tuple[object, ...], event: RequestServed) -> _Parts:
        bare = replace(event, request_id="", duration_s=0.0, upstream_s=0.0, payment_id="-")
        return self._share(key, bare, _REQUEST_CUTS)

    def _share(self, key: tuple[object, ...], bare: Event, cuts: tuple[str, ...]) -> _Parts:
        # Apps choose their paths: what they can make us remember is bounded.
        if len(self._shared) >= SHARED_MAX:
            self._shared.clear()
        text = self._render("", bare)
        parts: _Parts = _cut(text, cuts) if text else ()
        self._shared[key] = parts
        return parts


def _cut(text: str, cuts: tuple[str, ...]) -> _Parts:
    """What is between these; None where a secret was one of the words that every line has."""
    parts = []
    for cut in cuts:
        before, found, text = text.partition(cut)
        if not found:
            return None
        parts.append(before)
    return tuple(parts[1:])
