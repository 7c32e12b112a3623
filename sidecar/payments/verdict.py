"""What a seller's answer to a paid request means (x402.md 1.6, money-safety.md).

    answer                                  verdict    the payment
    2xx with a receipt                      Served     posted on the receipt
    2xx without one, or an unreadable one   Served     posted, unconfirmed: the chain confirms later
    2xx with a receipt of failure           Served     stays in doubt; the app has its answer
    any other with a receipt of success     Kept       posted, not delivered
    402, 408, 409, 425, 429, 5xx            Refused    in doubt: the same authorization again
    any other                               Answered   in doubt; the app gets the seller's answer

A 402 after payment is not evidence of non-payment, so no answer at all makes a payment void.
"""

from __future__ import annotations

from typing import TypeAlias

from sidecar.http import Headers, header_values
from sidecar.ledger.model import Proof
from sidecar.values import dataclass
from sidecar.x402.receipt import read_settlement

_AGAIN = frozenset({402, 408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Served:
    """The app's answer has come. ``proof`` is None where the seller says it was not paid."""

    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Kept:
    """The seller says that it was paid, and does not serve."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is known about the money; presenting the same authorization again may help."""

    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The seller answered the app's request itself; asking again would change nothing."""


Verdict: TypeAlias = Served | Kept | Refused | Answered


def judge(status: int, headers: Headers) -> Verdict:
    """The meaning of this answer to a request that carried a payment."""
    receipt = read_settlement(headers)
    if 200 <= status < 300:
        if receipt is None:
            return Served(Proof("served"))
        return Served(Proof("receipt", receipt.transaction) if receipt.success else None)
    if receipt is not None and receipt.success:
        return Kept(Proof("upfront", receipt.transaction))
    if status in _AGAIN or status >= 500:
        return Refused(_retry_after_s(headers))
    return Answered()


def _retry_after_s(headers: Headers) -> float | None:
    """Retry-After in seconds; a date, or nonsense, is read as none."""
    values = header_values(headers, "retry-after")
    if len(values) != 1 or not values[0].isascii() or not values[0].isdigit():
        return None
    return float(values[0][:9])
