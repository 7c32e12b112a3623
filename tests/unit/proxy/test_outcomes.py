"""How the money path's outcomes look to the app."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sidecar.errors import (
    LedgerError,
    RemoteProtocolError,
    SignerAwayError,
    SignerRefusedError,
    UpstreamTimeoutError,
    WalletError,
)
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.proxy.outcomes import (
    answer_denied,
    answer_fault,
    answer_undelivered,
    purchase_of,
    without_challenge,
)
from sidecar.refusal import BudgetUse, Denied
from tests.unit.payments.test_evidence import Asked
from tests.world.fakes import NOON

REQUEST = HttpRequest("POST", "http://seller/v1/chat", (), b"body")


async def test_same_call_same_purchase() -> None:
    """What the app sends makes the purchase, whatever retry headers it adds."""
    first = await purchase_of("r", "app", REQUEST, (("x-stainless-retry-count", "0"),))
    second = await purchase_of("r", "app", REQUEST, (("x-stainless-retry-count", "1"),))

    assert first == second
    assert not first.explicit


@pytest.mark.parametrize(
    ("route", "caller", "request_"),
    [
        ("other", "app", REQUEST),
        ("r", "other", REQUEST),
        ("r", "app", HttpRequest("PUT", REQUEST.url, (), b"body")),
        ("r", "app", HttpRequest("POST", "http://seller/v1/x", (), b"body")),
        ("r", "app", HttpRequest("POST", REQUEST.url, (), b"other")),
    ],
)
async def test_other_call_other_purchase(route: str, caller: str, request_: HttpRequest) -> None:
    """Route, caller, method, target and body each make it another purchase."""
    other = await purchase_of(route, caller, request_, ())

    assert await purchase_of("r", "app", REQUEST, ()) != other


async def test_key_of_a_purchase() -> None:
    """The key is the same in every version: after an update a retry still finds its payment."""
    request = HttpRequest("POST", 'http://seller/"\\é\u2028', (), b"body")
    parts = ["call", "åpp", 'r"', "POST", request.url, hashlib.sha256(b"body").hexdigest()]

    purchase = await purchase_of('r"', "åpp", request, ())

    assert hashlib.sha256(json.dumps(parts).encode()).hexdigest() == purchase.key


class Elsewhere:
    """A body that is not in memory."""

    def __init__(self, *parts: bytes) -> None:
        self.size = sum(map(len, parts))
        self._parts = parts

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


async def test_stored_body() -> None:
    """Where a body is kept makes no other purchase of it, and what is in it does."""
    same = replace(REQUEST, body=b"", stored=Elsewhere(b"bo", b"dy"))
    other = replace(REQUEST, body=b"", stored=Elsewhere(b"bo", b"dies"))
    mine = await purchase_of("r", "app", REQUEST, ())

    assert mine == await purchase_of("r", "app", same, ())
    assert mine != await purchase_of("r", "app", other, ())


async def test_idempotency_key() -> None:
    """The app's own key stands for the call, and belongs to its caller alone."""
    key = (("Idempotency-Key", "order-1"),)
    mine = await purchase_of("r", "app", REQUEST, key)

    assert mine.explicit
    assert mine == await purchase_of("r", "app", HttpRequest("POST", REQUEST.url, (), b"x"), key)
    assert mine != await purchase_of("r", "other", REQUEST, key)
    assert mine != await purchase_of("r", "app", REQUEST, (("Idempotency-Key", "order-2"),))


@pytest.mark.parametrize("values", [("",), ("a", "b"), ("x" * 256,)])
async def test_odd_idempotency_keys(values: tuple[str, ...]) -> None:
    """A key that is empty, doubled or too long is no key."""
    headers = tuple(("Idempotency-Key", value) for value in values)

    assert await purchase_of("r", "app", REQUEST, ()) == await purchase_of(
        "r", "app", REQUEST, headers
    )


def test_budget_refusal() -> None:
    """A budget's refusal names it, with spent, limit and reset time, and is not retried."""
    reset = datetime(2026, 11, 22, tzinfo=UTC)
    use = BudgetUse("day", Usdc(100), Usdc(60), Usdc(40), reset)
    answer = answer_denied(Denied("budget", "no more", use))

    assert (402, False, "sidecar_budget") == (answer.status, answer.retry, answer.code)
    assert {
        "rule": "budget",
        "budget": "day",
        "limit": "0.0001 USDC",
        "spent": "0.00006 USDC",
        "reserved": "0.00004 USDC",
        "resets_at": "2026-11-22T00:00:00+00:00",
    } == dict(answer.details)


def test_budget_for_all_time() -> None:
    """A budget that never starts again says so."""
    use = BudgetUse("all", Usdc(1), Usdc(1), Usdc(0), None)

    assert "never" == dict(answer_denied(Denied("budget", "m", use)).details)["resets_at"]


@pytest.mark.parametrize(("rule", "status"), [("draining", 503), ("in_progress", 409)])
def test_passing_refusals(rule: str, status: int) -> None:
    """A refusal that time mends is retried."""
    answer = answer_denied(Denied(rule, "m"))

    assert (status, True) == (answer.status, answer.retry)


@pytest.mark.parametrize(
    ("fault", "status", "retry"),
    [
        (LedgerError("disk full"), 503, True),
        (UpstreamTimeoutError("slow"), 504, True),
        (RemoteProtocolError("garbage"), 502, True),
        (WalletError("no key"), 500, None),
        (SignerAwayError("nobody there"), 503, True),
        (SignerRefusedError("domain"), 402, False),
    ],
)
def test_faults(fault: WalletError, status: int, retry: bool | None) -> None:
    """Each fault has its status, and its sentence reaches the app."""
    answer = answer_fault(fault)

    assert (status, retry, str(fault)) == (answer.status, answer.retry, answer.message)


def test_plain_402_is_relayed() -> None:
    """A 402 that is no challenge keeps its body."""
    body = b'{"error": "Insufficient USD"}'

    assert body == without_challenge(HttpResponse(402, (), body))
    assert b"not json" == without_challenge(HttpResponse(402, (), b"not json"))
    assert b"" == without_challenge(HttpResponse(402, (("Content-Encoding", "gzip"),), b""))


@pytest.mark.parametrize(
    "refusal",
    [
        HttpResponse(402, (), json.dumps({"x402Version": 1}).encode()),
        HttpResponse(402, (), json.dumps({"accepts": []}).encode()),
        HttpResponse(402, (("Content-Encoding", "gzip"),), gzip.compress(b'{"accepts": []}')),
    ],
)
def test_challenges_stay_here(refusal: HttpResponse) -> None:
    """A body that is a challenge, or may be one, does not reach the app."""
    assert None is without_challenge(refusal)


@pytest.mark.parametrize(
    ("delivered_at", "words"),
    [
        (None, "it is recorded as undelivered, and the next call will be a new purchase"),
        (NOON, "its answer was delivered before; another Idempotency-Key is another purchase"),
    ],
)
def test_undelivered(delivered_at: datetime | None, words: str) -> None:
    """Paid and not served is said once, with the payment; what was delivered before, as that."""
    payment = replace(Asked().payment(), delivered_at=delivered_at)
    answer = answer_undelivered(payment, "402: no")

    assert (502, False, payment.id) == (answer.status, answer.retry, answer.payment_id)
    assert answer.message.endswith(words)
