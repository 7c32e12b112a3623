"""Values of the ledger to columns, and rows to values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Protocol

from sidecar.ledger.drafts import Draft
from sidecar.ledger.model import Intent, PayeePin, Payment, PaymentState, Proof, Purchase
from sidecar.money import Usdc
from sidecar.x402.encode import Envelope
from sidecar.x402.types import Authorization

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
# json.dumps with separators builds a new encoder for each call.
to_json = json.JSONEncoder(separators=(",", ":")).encode


def texts_to_json(texts: Mapping[str, str | None]) -> str:
    """The same text as of ``to_json``, sooner: by what its encoder takes for a text alone."""
    pairs = [
        f"{_quoted(name)}:{'null' if text is None else _quoted(text)}"
        for name, text in texts.items()
    ]
    return f"{{{','.join(pairs)}}}"


# Of what so many offers ask to have echoed: some 1 KB each.
TEXTS_MAX = 64
_TEXTS: dict[int, tuple[Envelope, str]] = {}


class Row(Protocol):
    """One row of a table, by the names of its columns, whatever store it is from."""

    def __getitem__(self, column: str, /) -> Any: ...


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since the epoch; what is finer is dropped."""
    since = at - _EPOCH
    # To divide it by a timedelta gives the same, and takes twice as long.
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


@lru_cache(maxsize=64)  # what a batch writes has few milliseconds between it
def moment(at_ms: int) -> datetime:
    """The time, aware and in UTC, that is this many milliseconds after the epoch."""
    return _EPOCH + at_ms * _MILLISECOND


def moment_or_none(at_ms: int | None) -> datetime | None:
    """The same; None where there is none."""
    return None if at_ms is None else moment(at_ms)


def reserved_payment(intent: Intent, at_ms: int) -> Payment:
    """The payment that a reservation has just made."""
    draft: Any = Draft()
    draft.id = intent.id
    draft.purchase = intent.purchase
    draft.state = PaymentState.RESERVED
    draft.route = intent.route
    draft.caller = intent.caller
    draft.purpose = intent.purpose
    draft.scheme = intent.scheme
    draft.network = intent.network
    draft.asset = intent.asset
    draft.pay_to = intent.pay_to
    draft.amount = intent.amount
    draft.envelope = intent.envelope
    draft.reserved_at = moment(at_ms)
    draft.authorization = draft.proof = None
    draft.authorized_at = draft.settled_at = draft.delivered_at = draft.closed_at = None
    draft.confirmed = False
    draft.__class__ = Payment
    payment: Payment = draft
    return payment


def reserved_columns(
    intent: Intent, explicit: bool | int, slot: int, own: str, at_ms: int, windows: str
) -> tuple[Any, ...]:
    """The columns of a new payment, as the stores insert them; ``explicit`` as this one has it."""
    return (
        intent.id,
        intent.purchase.key,
        explicit,
        slot,
        own,
        own,
        intent.amount.atomic,
        at_ms,
        intent.route,
        intent.caller,
        intent.purpose,
        intent.scheme,
        intent.network,
        intent.asset,
        intent.pay_to,
        windows,
        _text_of(intent.envelope),
        "" if intent.price is None else intent.price.place,
    )


def _text_of(envelope: Mapping[str, Any]) -> str:
    """How a row has it. Payments of one offer have one ``Envelope``, which nobody changes."""
    if not isinstance(envelope, Envelope):
        return to_json(dict(envelope))
    # Kept with its text: an id says which one it is only for as long as it lives.
    known, text = _TEXTS.get(id(envelope), (None, ""))
    if known is not envelope:
        if len(_TEXTS) >= TEXTS_MAX:
            _TEXTS.clear()
        text = to_json(envelope)
        _TEXTS[id(envelope)] = (envelope, text)
    return text


def payment_of(row: Row) -> Payment:
    """The payment that this row of ``payments`` holds."""
    return Payment(
        id=row["id"],
        purchase=Purchase(row["purchase_key"], bool(row["explicit"])),
        state=PaymentState(row["state"]),
        route=row["route"],
        caller=row["caller"],
        purpose=row["purpose"],
        scheme=row["scheme"],
        network=row["network"],
        asset=row["asset"],
        pay_to=row["pay_to"],
        amount=Usdc(row["amount"]),
        envelope=json.loads(row["envelope"]),
        authorization=_authorization_of(row),
        proof=_proof_of(row),
        reserved_at=moment(row["reserved_at"]),
        authorized_at=moment_or_none(row["authorized_at"]),
        settled_at=moment_or_none(row["settled_at"]),
        delivered_at=moment_or_none(row["delivered_at"]),
        closed_at=moment_or_none(row["closed_at"]),
        confirmed=bool(row["confirmed"]),
    )


def authorization_columns(authorization: Authorization) -> tuple[Any, ...]:
    """``auth_network``, ``auth_identity``, ``auth_expires_at`` and ``auth_fields``."""
    return (
        authorization.network,
        authorization.identity,
        milliseconds(authorization.expires_at),
        texts_to_json(authorization.fields),
    )


def _authorization_of(row: Row) -> Authorization | None:
    if row["auth_identity"] is None:
        return None
    return Authorization(
        network=row["auth_network"],
        identity=row["auth_identity"],
        expires_at=moment(row["auth_expires_at"]),
        fields=json.loads(row["auth_fields"]),
    )


def _proof_of(row: Row) -> Proof | None:
    if row["proof_kind"] is None:
        return None
    return Proof(row["proof_kind"], row["proof_transaction"])


def windows_of(row: Row) -> tuple[tuple[str, int], ...]:
    """The budget windows that the payment in this row was reserved in."""
    return windows_in(row["windows"])


@lru_cache(maxsize=256)
def windows_in(text: str) -> tuple[tuple[str, int], ...]:
    """The same, of the column's text: one for most payments of an hour."""
    return tuple((budget, starts_at) for budget, starts_at in json.loads(text))


def pin_of(row: Row) -> PayeePin:
    """The pin that this row of ``pins`` holds."""
    return PayeePin(
        row["route"],
        row["purpose"],
        row["network"],
        row["place"],
        row["pay_to"],
        moment(row["pinned_at"]),
    )
