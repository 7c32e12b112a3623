"""The books: what was presented, what settled, what was delivered.

What settled is read off the chain, never remembered on the side: an authorization that lands late,
or that somebody else submits, is in the books all the same.
Signatures are kept as hashes only: a signed authorization is money.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum

from sidecar.clock import Clock
from sidecar.money import Usdc
from sidecar.sandbox.chain import Chain, Transaction
from sidecar.sandbox.payment import Authorization
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.solana import Landed, Ledger
from sidecar.sandbox.solana.history import Moved
from sidecar.values import dataclass


class Outcome(StrEnum):
    """How a presentation ended."""

    OPEN = "open"  # still being answered
    REFUSED = "refused"  # the payment was not good
    UNSETTLED = "unsettled"  # the payment was good, and the seller did not settle it
    PENDING = "pending"  # submitted, to land later
    SETTLED = "settled"
    REPLAYED = "replayed"  # had settled before; the answer is given again
    REVERTED = "reverted"  # the chain refused it
    STRAY = "stray"  # a payment sent to something that costs nothing


@dataclass(frozen=True, slots=True)
class Presentation:
    """One request that carried a payment header."""

    at: datetime
    purchase: Purchase
    payer: str = ""
    nonce: str = ""
    identifier: str = ""
    outcome: Outcome = Outcome.OPEN
    reason: str = ""
    detail: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SeenAuthorization:
    """A signed authorization that this seller has held in its hands."""

    purchase: Purchase
    payer: str
    nonce: str
    amount: Usdc
    valid_before: int
    signature_sha256: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """A transfer that is on the chain, and the purchase it was made for."""

    transaction: str
    payer: str
    payee: str
    nonce: str
    amount: Usdc
    at: datetime
    purchase: Purchase | None  # None: somebody else submitted the authorization
    deliveries: int

    @property
    def path(self) -> str:
        """The target of the purchase, or nothing."""
        return self.purchase.path if self.purchase is not None else ""

    @property
    def body_sha256(self) -> str:
        """The hash of the purchase's request body, or nothing."""
        return self.purchase.body_sha256 if self.purchase is not None else ""


class Books:
    """Everything a test wants to count. Bounded: a full book takes no more presentations."""

    def __init__(self, chain: Chain, clock: Clock, *, records_max: int) -> None:
        self._chain = chain
        self._clock = clock
        self._records_max = records_max
        self._presentations: list[Presentation] = []
        self._seen: dict[SeenAuthorization, None] = {}
        self._paid_for: dict[tuple[str, str], Purchase] = {}
        self._deliveries: Counter[tuple[str, str]] = Counter()
        self._solana: Ledger | None = None

    def watch(self, solana: Ledger) -> None:
        """Let what settles there be in the books too."""
        self._solana = solana

    # --- what a test asks ---

    @property
    def presentations(self) -> tuple[Presentation, ...]:
        """Every presentation of a payment, in order of arrival."""
        return tuple(self._presentations)

    @property
    def authorizations(self) -> tuple[SeenAuthorization, ...]:
        """Every distinct authorization seen, per purchase, in order of first arrival."""
        return tuple(self._seen)

    @property
    def settlements(self) -> tuple[Settlement, ...]:
        """Every transfer on the chain, in order; then those on Solana."""
        return (
            *(self._settlement(found) for found in self._chain.transfers()),
            *self._solana_settlements(),
        )

    @property
    def settled_total(self) -> Usdc:
        """The money that moved."""
        evm = sum(found.transfer.value for found in self._chain.transfers())
        return Usdc(evm + sum(found.amount.atomic for found in self._solana_settlements()))

    def settlements_for(self, body: bytes, path: str | None = None) -> tuple[Settlement, ...]:
        """The settlements of the purchases with this request body (and path, if given)."""
        return tuple(found for found in self.settlements if _is_about(found.purchase, body, path))

    def authorizations_for(
        self, body: bytes, path: str | None = None
    ) -> tuple[SeenAuthorization, ...]:
        """The distinct authorizations seen for the purchases with this body (and path)."""
        return tuple(found for found in self._seen if _is_about(found.purchase, body, path))

    def presentations_for(self, body: bytes, path: str | None = None) -> tuple[Presentation, ...]:
        """The presentations for the purchases with this body (and path)."""
        return tuple(
            found for found in self._presentations if _is_about(found.purchase, body, path)
        )

    def to_json(self) -> dict[str, object]:
        """All of it, for GET /sandbox/books."""
        return {
            "settled_total": str(self.settled_total),
            "settlements": [_plain(asdict(found)) for found in self.settlements],
            "authorizations": [_plain(asdict(found)) for found in self.authorizations],
            "presentations": [_plain(asdict(found)) for found in self.presentations],
        }

    # --- what the seller writes ---

    @property
    def full(self) -> bool:
        """Whether there is no room for another presentation."""
        return len(self._presentations) >= self._records_max

    def present(
        self, purchase: Purchase, authorization: Authorization | None, identifier: str | None
    ) -> int:
        """Write down that a payment arrived, readable or not. The number of the record."""
        record = Presentation(self._clock.now(), purchase, identifier=identifier or "")
        if authorization is not None:
            record = replace(record, payer=authorization.payer, nonce=authorization.nonce)
            self._seen.setdefault(_seen(purchase, authorization))
        self._presentations.append(record)
        return len(self._presentations) - 1

    def conclude(
        self, record: int, outcome: Outcome, *, reason: str = "", detail: str = "", fault: str = ""
    ) -> None:
        """Write down how the presentation ended."""
        before = self._presentations[record]
        self._presentations[record] = replace(
            before, outcome=outcome, reason=reason, detail=detail, fault=fault
        )

    def paid_for(self, authorization: Authorization, purchase: Purchase) -> None:
        """Write down what is bought with this authorization, before it is submitted."""
        self._paid_for.setdefault(_key(authorization.payer, authorization.nonce), purchase)

    def delivered(self, authorization: Authorization) -> None:
        """Write down that the last byte of the answer has been written."""
        self._deliveries[_key(authorization.payer, authorization.nonce)] += 1

    # --- what the seller reads ---

    def bought_with(self, authorization: Authorization) -> Purchase | None:
        """The purchase that this authorization was first submitted for."""
        return self._paid_for.get(_key(authorization.payer, authorization.nonce))

    def deliveries(self, authorization: Authorization) -> int:
        """How often the whole answer was written for this authorization."""
        return self._deliveries[_key(authorization.payer, authorization.nonce)]

    def _settlement(self, transaction: Transaction) -> Settlement:
        transfer = transaction.transfer
        key = _key(transfer.payer, transfer.nonce)
        return Settlement(
            transaction=transaction.hash,
            payer=transfer.payer,
            payee=transfer.payee,
            nonce=transfer.nonce,
            amount=Usdc(transfer.value),
            at=datetime.fromtimestamp(transaction.block.timestamp, UTC),
            purchase=self._paid_for.get(key),
            deliveries=self._deliveries[key],
        )

    def _solana_settlements(self) -> list[Settlement]:
        if self._solana is None:
            return []
        self._solana.catch_up()
        return [
            self._solana_settlement(landed, moved)
            for landed in self._solana.history.all
            if (moved := landed.moved) is not None
        ]

    def _solana_settlement(self, landed: Landed, moved: Moved) -> Settlement:
        nonce = "0x" + landed.identity.hex()
        key = _key(moved.payer, nonce)
        return Settlement(
            transaction=landed.signature,
            payer=moved.payer,
            payee=moved.payee,
            nonce=nonce,
            amount=Usdc(moved.amount),
            at=datetime.fromtimestamp(landed.block.timestamp, UTC),
            purchase=self._paid_for.get(key),
            deliveries=self._deliveries[key],
        )


def _key(payer: str, nonce: str) -> tuple[str, str]:
    return payer.lower(), nonce.lower()


def _is_about(purchase: Purchase | None, body: bytes, path: str | None) -> bool:
    if purchase is None or purchase.body_sha256 != hashlib.sha256(body).hexdigest():
        return False
    return path is None or path == purchase.path


def _seen(purchase: Purchase, authorization: Authorization) -> SeenAuthorization:
    return SeenAuthorization(
        purchase=purchase,
        payer=authorization.payer,
        nonce=authorization.nonce,
        amount=Usdc(authorization.value),
        valid_before=authorization.valid_before,
        signature_sha256=hashlib.sha256(authorization.signature).hexdigest(),
    )


def _plain(value: object) -> object:
    match value:
        case dict():
            if value.keys() == {"atomic"}:
                return str(Usdc(value["atomic"]))
            return {key: _plain(found) for key, found in value.items()}
        case datetime():
            return value.isoformat()
        case _:
            return value
