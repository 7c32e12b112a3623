"""Misbehaviour on demand: what the seller can be told to do, and for how often.

A fault is chosen for the next requests (`FaultPlan.add`, POST /sandbox/faults), or by a request
itself, so that concurrent tests do not disturb one another: the body's ``model`` or the query's
``fault`` reads ``fault:<name>:<times>``. It then strikes that many times for that purchase.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from enum import Enum, StrEnum

from sidecar.sandbox.purchase import Purchase
from sidecar.values import dataclass

TIMES_MAX = 1_000_000

_WISH = re.compile(r"(?:fault:)?([a-z0-9_]+)(?::([0-9]{1,7}))?", re.ASCII)


class Moment(Enum):
    """What a fault strikes, and so what its times count."""

    CHALLENGE = "the 402 for a request without a payment"
    PAYMENT = "the presentation of a good payment"


class Fault(StrEnum):
    """Every way in which this seller can misbehave, and what it does."""

    # Challenges that are odd, or that must not be paid.
    GARBAGE_402 = "garbage_402", "the challenge is not base64, nor JSON"
    BARE_402 = "bare_402", "a 402 without any challenge, as for an API key out of credit"
    TOO_EXPENSIVE = "too_expensive", "the price is a thousand times the usual one"
    NUMBER_AMOUNT = "number_amount", "the amount is a JSON number, not a string"
    NEGATIVE_AMOUNT = "negative_amount", "the amount is below zero"
    WRONG_DOMAIN_NAME = "wrong_domain_name", "extra.name is not the token's EIP-712 domain name"
    GATEWAY_BATCHED = "gateway_batched", "a GatewayWalletBatched entry at a tenth comes first"
    PERMIT2_ENTRY = "permit2_entry", "a permit2 entry at a tenth comes first"
    UPTO_ENTRY = "upto_entry", "an entry of the scheme upto comes first"
    UNKNOWN_NETWORK = "unknown_network", "an entry at a tenth on an unknown network comes first"
    NOTHING_PAYABLE = "nothing_payable", "only the four entries above, without the honest one"
    FAKE_ASSET = "fake_asset", "the only entry wants another token that calls itself USDC"
    OTHER_PAYEE = "other_payee", "the only entry pays somebody else"
    TEN_YEAR_VALIDITY = "ten_year_validity", "maxTimeoutSeconds is ten years"
    THOUSAND_ACCEPTS = "thousand_accepts", "a thousand entries, the honest one last"
    HUGE_402 = "huge_402", "the body of the 402 has four mebibytes"

    # Nothing settles.
    VERIFY_REFUSED = "verify_refused", "a new 402 says that the signature is bad, though it is fine"
    FOREVER_402 = "402_forever", "every payment is refused with a new 402"
    RESET_BEFORE_ANYTHING = "reset_before_anything", "the connection is reset, nothing settled"
    UNSETTLED_500 = "500_unsettled", "the handler fails with 500, nothing settled"
    UNSETTLED_400 = "400_unsettled", "the handler refuses with 400, nothing settled"
    FACILITATOR_502 = "facilitator_502", "the facilitator cannot be reached: 502, nothing settled"
    SETTLE_FAILED = "settle_failed", "402 and a receipt with transaction_failed, nothing settled"
    REDIRECT = "redirect", "307 to another origin, which notes whatever payment it is sent"

    # It settles, sooner or later.
    HANG_BEFORE_SETTLE = "hang_before_settle", "settles only when the client has gone"
    SETTLEMENT_PENDING = "settlement_pending", "402 settlement_pending; lands a moment later"
    SLOW_HEAD = "slow_head", "settles, and sends the head of a good answer late"

    # It settles at once, and then:
    SETTLE_THEN_HANG = "settle_then_hang", "no answer until the client has gone"
    SETTLE_THEN_RESET = "settle_then_reset", "the connection is reset (RST)"
    SETTLE_THEN_CLOSE = "settle_then_close", "the connection is closed without a byte"
    SETTLE_THEN_409 = "settle_then_409", "409"
    SETTLE_THEN_425 = "settle_then_425", "425"
    SETTLE_THEN_429 = "settle_then_429", "429 with Retry-After: 1"
    SETTLE_THEN_500 = "settle_then_500", "500 without a receipt"
    SETTLE_THEN_502 = "settle_then_502", "502"
    SETTLE_THEN_502_RETRY_AFTER = "settle_then_502_retry_after", "502 with Retry-After: 1"
    SETTLE_THEN_503 = "settle_then_503", "503"
    SETTLE_THEN_503_RETRY_AFTER = "settle_then_503_retry_after", "503 with Retry-After: 1"
    SETTLE_THEN_402 = "settle_then_402", "a new challenge, as if nothing had been paid"
    SETTLE_THEN_402_FAILURE_RECEIPT = (
        "settle_then_402_failure_receipt",
        "402 and a receipt with success:false and no transaction",
    )
    UPFRONT_500 = "upfront_500", "500 with a receipt that says success:true"
    SETTLE_THEN_CUT_BODY = "settle_then_cut_body", "half of the promised Content-Length, then close"
    SETTLE_THEN_CUT_STREAM = "settle_then_cut_stream", "half of the chunks, then close"
    SETTLE_THEN_STALL_STREAM = "settle_then_stall_stream", "half of the chunks, then silence"
    SETTLE_NO_RECEIPT = "settle_no_receipt", "a good answer without a receipt"
    SETTLE_GARBAGE_RECEIPT = "settle_garbage_receipt", "a good answer with an unreadable receipt"
    SETTLE_OVERSIZED_HEADER = "settle_oversized_header", "a good answer with a 100 KB header"
    SETTLE_NON_ASCII_HEADER = "settle_non_ascii_header", "a good answer with a non-ASCII header"

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Fault:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    @property
    def moment(self) -> Moment:
        """When this fault strikes."""
        return Moment.CHALLENGE if self in _AT_CHALLENGE else Moment.PAYMENT

    @property
    def usual_times(self) -> int:
        """How often it strikes when nobody says how often."""
        return TIMES_MAX if self is Fault.FOREVER_402 else 1


_BY_NAME = {fault.value: fault for fault in Fault}
_AT_CHALLENGE = frozenset(
    {
        Fault.GARBAGE_402,
        Fault.BARE_402,
        Fault.TOO_EXPENSIVE,
        Fault.NUMBER_AMOUNT,
        Fault.NEGATIVE_AMOUNT,
        Fault.WRONG_DOMAIN_NAME,
        Fault.GATEWAY_BATCHED,
        Fault.PERMIT2_ENTRY,
        Fault.UPTO_ENTRY,
        Fault.UNKNOWN_NETWORK,
        Fault.NOTHING_PAYABLE,
        Fault.FAKE_ASSET,
        Fault.OTHER_PAYEE,
        Fault.TEN_YEAR_VALIDITY,
        Fault.THOUSAND_ACCEPTS,
        Fault.HUGE_402,
    }
)


class UnknownFaultError(ValueError):
    """Somebody asked for a fault that does not exist."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A fault, and how often it is to strike."""

    fault: Fault
    times: int

    @classmethod
    def parse(cls, text: str) -> Wish:
        """Read ``<name>``, ``<name>:<times>`` or either after ``fault:``."""
        found = _WISH.fullmatch(text)
        if found is None:
            raise UnknownFaultError(f"write a fault as fault:<name>:<times>, not {text[:100]!r}")
        return cls.of(found[1], None if found[2] is None else int(found[2]))

    @classmethod
    def of(cls, name: str, times: int | None = None) -> Wish:
        """The wish for a fault by its name; times defaults to what is usual for it."""
        fault = _BY_NAME.get(name)
        if fault is None:
            known = ", ".join(_BY_NAME)
            raise UnknownFaultError(f"no fault is called {name[:100]!r}; known: {known}")
        return cls(fault, fault.usual_times if times is None else times)


def wish_in(body: bytes, query: Mapping[str, str]) -> Wish | None:
    """The fault that a request asks for itself. UnknownFaultError when there is no such fault."""
    if "fault" in query:
        return Wish.parse(query["fault"])
    if b"fault:" not in body:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match document:
        case {"model": str(model)} if model.startswith("fault:"):
            return Wish.parse(model)
        case _:
            return None


class FaultPlan:
    """Which fault strikes next."""

    def __init__(self) -> None:
        self._queue: list[Wish] = []
        self._struck: Counter[Purchase] = Counter()

    def add(self, fault: Fault, times: int | None = None) -> None:
        """Let this fault strike the next so many challenges or presentations."""
        self._queue.append(Wish.of(fault, times))

    def clear(self) -> None:
        """Behave again; what a request asks for itself still holds."""
        self._queue.clear()

    def take(self, purchase: Purchase, wish: Wish | None, moment: Moment) -> Fault | None:
        """The fault for this occasion, counted; the request's own wish goes first."""
        if wish is not None and wish.fault.moment is moment and self._struck[purchase] < wish.times:
            self._struck[purchase] += 1
            return wish.fault
        for position, queued in enumerate(self._queue):
            if queued.fault.moment is moment and queued.times > 0:
                self._queue[position] = Wish(queued.fault, queued.times - 1)
                return queued.fault
        return None
