"""What happened, as frozen values: the metrics and the log are made from these and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from sidecar.ledger.model import Change, Payment
from sidecar.money import Usdc
from sidecar.payments.served import RequestServed as RequestServed  # noqa: PLC0414 - an event
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class PaymentReserved:
    """Money was set aside; nothing is signed yet."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentPosted:
    """The money moved, as ``payment.proof`` says."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentConfirmed:
    """A payment that was posted on a bare 2xx has been seen on its chain."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentVoided:
    """The money cannot move any more, as ``payment.proof`` says."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentInDoubt:
    """An authorization left, and nobody can say whether it was used."""

    payment: Payment
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentUndelivered:
    """Paid, and the seller will not serve: closed, counted, to be looked at."""

    payment: Payment
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentDenied:
    """A seller asked, and a rule of ours said no; nothing was signed."""

    route: str
    caller: str
    denied: Denied


@dataclass(frozen=True, slots=True)
class PaymentRehearsed:
    """Shadow mode: every rule allowed it, and it would have been paid."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A payment over its route's threshold waits for a person, until then."""

    payment: Payment
    until: datetime


@dataclass(frozen=True, slots=True)
class ApprovalEnded:
    """It waits no more. ``outcome``: approved, or the rule that ended it, or failed."""

    payment: Payment
    outcome: str


@dataclass(frozen=True, slots=True)
class WebhookFailed:
    """A webhook could not be told of a payment that waits; it goes on waiting."""

    route: str
    payment_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """A top-up of a route's account ended.

    ``outcome``: raised (paid, and the credit is there), unproven (paid, and the vendor has not
    been seen to give it: no other top-up is made until it has), in_doubt, denied, failed.
    """

    route: str
    account: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TopUpsStopped:
    """Whether a route's top-ups are stopped: one was paid, and the vendor still refuses."""

    route: str
    account: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in at a vendor ended. ``outcome``: ok, failed."""

    route: str
    outcome: str


@dataclass(frozen=True, slots=True)
class BalanceObserved:
    """What a vendor says that it holds for a route's account."""

    route: str
    account: str
    balance: Balance
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class CostObserved:
    """What a vendor says that a request cost; ``estimated``: what we reckon it did."""

    route: str
    caller: str
    cost_usd: Decimal
    estimated: bool


@dataclass(frozen=True, slots=True)
class WalletBalanceObserved:
    """What a wallet holds on a chain."""

    wallet: str
    network: str
    amount: Usdc
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class DriftMeasured:
    """How far a wallet's chain and the ledger are apart, since the process started.

    ``foreign``: left, and no payment explains it. ``missing``: posted, and never left.
    """

    wallet: str
    network: str
    foreign: Usdc
    missing: Usdc
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerWriteFailed:
    """The ledger could not commit: nothing is signed while this lasts."""

    detail: str


@dataclass(frozen=True, slots=True)
class ClockSkewMeasured:
    """How far our clock is ahead of the chain's (behind: negative)."""

    network: str
    skew_s: float


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """The config was read again.

    ``changed``: the paths of what differs now. ``mistakes``: why nothing was changed at all.
    """

    at: datetime
    changed: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it holds from now on."""
        return not self.mistakes


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """Work that nobody waited for ended in a fault."""

    name: str
    fault: BaseException


@dataclass(frozen=True, slots=True)
class RequestsRefused:
    """Requests, or connections, that were refused before anything knew of them as requests.

    ``reason``: malformed, framing, version, body, head_too_large, head_overdue, connections,
    strangers. ``count``: how many since the last such event.
    """

    reason: str
    count: int


Event: TypeAlias = (
    PaymentReserved
    | PaymentPosted
    | PaymentConfirmed
    | PaymentVoided
    | PaymentInDoubt
    | PaymentUndelivered
    | PaymentDenied
    | PaymentRehearsed
    | ApprovalAsked
    | ApprovalEnded
    | WebhookFailed
    | ToppedUp
    | TopUpsStopped
    | SignedIn
    | BalanceObserved
    | CostObserved
    | WalletBalanceObserved
    | DriftMeasured
    | LedgerWriteFailed
    | ClockSkewMeasured
    | ConfigReloaded
    | TaskFailed
    | RequestServed
    | RequestsRefused
)
Emit: TypeAlias = Callable[[Event], None]


def tell(emit: Emit, change: Change) -> None:
    """Tell of what a move made of a payment; of nothing, where it changed nothing."""
    match change.made:
        case "posted":
            emit(PaymentPosted(change.payment))
        case "confirmed":
            emit(PaymentConfirmed(change.payment))
        case "voided":
            emit(PaymentVoided(change.payment))
        case _:
            assert change.made == ""
