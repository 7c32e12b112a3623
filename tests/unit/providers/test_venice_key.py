"""Venice with an API key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import Exchange, HttpRequest, HttpResponse, Origin
from sidecar.providers.base import Balance, Credential, Observation, Occasion, PassThrough
from sidecar.providers.venice_key import VeniceKey

T = TypeVar("T")

KEY = "very-secret"
VENICE = VeniceKey("https://api.venice.ai/api", KEY)
BEARER = Credential((("Authorization", f"Bearer {KEY}"),))
OCCASION = Occasion(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), bytes(32))
REQUEST = HttpRequest("POST", "https://api.venice.ai/api/v1/chat/completions")

BILLING: dict[str, Any] = {
    "canConsume": True,
    "consumptionCurrency": "DIEM",
    "balances": {"diem": 90.5, "usd": 25},
    "diemEpochAllocation": 100,
}
RATE_LIMITS: dict[str, Any] = {
    "data": {
        "accessPermitted": True,
        "apiTier": {"id": "paid", "isCharged": True},
        "balances": {"USD": 50.23, "DIEM": 100.0, "BUNDLED_CREDITS": 25},
        "keyExpiration": None,
        "nextEpochBegins": "2026-01-03T00:00:00.000Z",
        "rateLimits": [],
    }
}
FOR_ADMINS = {"error": "Admin API key required"}


def answered(document: Any, status: int = 200) -> HttpResponse:
    """A response with this document."""
    return HttpResponse(status, (), json.dumps(document).encode())


def converse(exchange: Exchange[T], *answers: HttpResponse) -> tuple[list[HttpRequest], T]:
    """The requests of a conversation that gets these answers, and what it comes to."""
    requests = [next(exchange), *(exchange.send(answer) for answer in answers[:-1])]
    with pytest.raises(StopIteration) as done:
        exchange.send(answers[-1])
    result: T = done.value.value
    return requests, result


def balances(*answers: HttpResponse) -> tuple[Balance, ...]:
    """What the balance is when the vendor answers so."""
    return converse(VENICE.balance(BEARER, ""), *answers)[1]


def fault(*answers: HttpResponse) -> str:
    """Why the vendor is said not to have told the balance."""
    with pytest.raises(RemoteProtocolError) as raised:
        converse(VENICE.balance(BEARER, ""), *answers)
    return raised.value.diagnostics()


def reason(body: Any) -> str:
    """What the app is told about a 402 with this body."""
    remedy = VENICE.remedy(REQUEST, answered(body, 402), OCCASION)
    assert isinstance(remedy, PassThrough)
    return remedy.reason


def test_origins() -> None:
    """The key goes to Venice alone."""
    assert frozenset({Origin("https", "api.venice.ai", 443)}) == VENICE.origins


def test_traits() -> None:
    """Costs stand in bodies, and there is a balance to read."""
    assert VENICE.traits.reads_bodies
    assert VENICE.traits.balance_spacing_s > 0


def test_sign_in() -> None:
    """The key is a bearer token, until somebody changes it."""
    with pytest.raises(StopIteration) as done:
        next(VENICE.sign_in(OCCASION))

    assert BEARER == done.value.value


def test_key_is_not_renewed() -> None:
    """A key that is refused stays what it is."""
    assert not VENICE.is_stale(answered({"error": "Authentication failed"}, 401))


@pytest.mark.parametrize("upstream", ["https://api.venice.ai/api", "https://api.venice.ai/api/v1/"])
def test_balance(upstream: str) -> None:
    """An admin's key is told the account's balances, in one step."""
    requests, held = converse(VeniceKey(upstream, KEY).balance(BEARER, ""), answered(BILLING))

    assert [("GET", "https://api.venice.ai/api/v1/billing/balance")] == [
        (request.method, request.url) for request in requests
    ]
    assert BEARER.headers[0] in requests[0].headers
    assert (Balance(Decimal(25), "usd", True), Balance(Decimal("90.5"), "diem", True)) == held


def test_null_is_none() -> None:
    """A balance that is null is there, and has nothing in it."""
    billing = {**BILLING, "balances": {"diem": None, "usd": 25}}

    assert (Balance(Decimal(25), "usd", True), Balance(Decimal(0), "diem", True)) == balances(
        answered(billing)
    )


def test_newer_balances() -> None:
    """Balances that were added since are read, and those that we do not know passed over."""
    said = {"usd": 1, "bundledCredits": 2, "earnedCredits": 3, "pebbles": "many"}

    assert (
        Balance(Decimal(1), "usd", False),
        Balance(Decimal(2), "bundled", False),
        Balance(Decimal(3), "earned", False),
    ) == balances(answered({"canConsume": False, "balances": said, "new": {}}))


def test_whether_it_lets_in_is_not_said() -> None:
    """Where the vendor does not say whether it lets the next request in, money does."""
    assert (Balance(Decimal(1), "usd", True), Balance(Decimal(0), "diem", False)) == balances(
        answered({"balances": {"usd": 1, "diem": 0}})
    )


@pytest.mark.parametrize(
    "refusal",
    [answered(FOR_ADMINS, 401), answered({"error": "Forbidden"}, 403), answered({}, 404)],
)
def test_balance_of_another_key(refusal: HttpResponse) -> None:
    """A key that is not an admin's is told what its own limit leaves."""
    requests, held = converse(VENICE.balance(BEARER, ""), refusal, answered(RATE_LIMITS))

    assert "https://api.venice.ai/api/v1/api_keys/rate_limits" == requests[1].url
    assert requests[0].headers == requests[1].headers
    assert (
        Balance(Decimal("50.23"), "usd", True),
        Balance(Decimal(100), "diem", True),
        Balance(Decimal(25), "bundled", True),
    ) == held


def test_no_access() -> None:
    """A key that is let in nowhere is said not to be, whatever the balances are."""
    refused = {"data": {**RATE_LIMITS["data"], "accessPermitted": False}}

    assert {False} == {
        balance.can_consume for balance in balances(answered(FOR_ADMINS, 401), answered(refused))
    }


def test_bad_key() -> None:
    """A key that is not known is not asked about twice."""
    assert "Venice does not tell the balance: 401: Authentication failed" == fault(
        answered({"error": "Authentication failed"}, 401)
    )


@pytest.mark.parametrize("status", [429, 500, 503])
def test_balance_refused(status: int) -> None:
    """A refusal says so, and its status."""
    assert f"Venice does not tell the balance: {status}" == fault(answered({}, status))


def test_both_refused() -> None:
    """Where the second place refuses too, its refusal is told."""
    assert "Venice does not tell the balance: 401: Authentication failed" == fault(
        answered(FOR_ADMINS, 401), answered({"error": "Authentication failed"}, 401)
    )


@pytest.mark.parametrize("document", [[], 7, None, {}, {"balances": []}, {"balances": 7}])
def test_no_balances(document: Any) -> None:
    """An answer without balances is a fault of the vendor's, at either place."""
    said = "Venice does not tell the balance: its answer has none"

    assert said == fault(answered(document))
    assert said == fault(answered(FOR_ADMINS, 401), answered({"data": document}))


@pytest.mark.parametrize("value", [True, "lots", [], {}, 1e300])
def test_no_number(value: Any) -> None:
    """A balance that is no number is a fault of the vendor's."""
    assert "Venice tells a balance of usd that is not a number" == fault(
        answered({"balances": {"usd": value}})
    )


def test_observe() -> None:
    """Headers tell the balances, and the body the cost."""
    response = HttpResponse(
        200,
        (("x-venice-balance-usd", "25.10"), ("X-Venice-Balance-Diem", "0")),
        b'{"cost": {"usd": 0.00042, "diem": 0}}',
    )

    assert Observation(
        (Balance(Decimal("25.10"), "usd", True), Balance(Decimal(0), "diem", False)),
        Decimal("0.00042"),
    ) == VENICE.observe(response)


def test_observe_rpc() -> None:
    """What a call of a chain's node cost stands in a header."""
    response = HttpResponse(200, (("X-Venice-RPC-Cost-USD", "0.00002"),), b'{"result": "0x1"}')

    assert Observation(cost_usd=Decimal("0.00002")) == VENICE.observe(response)


@pytest.mark.parametrize("value", ["", "null", "NaN", "1e9", "5 USD"])
def test_observe_nothing(value: str) -> None:
    """Headers without a number say nothing."""
    names = ("x-venice-balance-usd", "x-venice-balance-diem", "x-venice-rpc-cost-usd")

    assert Observation() == VENICE.observe(
        HttpResponse(200, tuple((name, value) for name in names))
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"error": "Insufficient USD or Diem balance to complete request."},
            "the Venice account of the API key is out of credit "
            "(402: Insufficient USD or Diem balance to complete request.)",
        ),
        (
            {"error": "API key DIEM spend limit exceeded."},
            "the API key's own spend limit at Venice is reached "
            "(402: API key DIEM spend limit exceeded.)",
        ),
        (
            {"x402Version": 2, "error": "Authentication required", "accepts": []},
            "Venice did not read the API key, and asks for a wallet instead",
        ),
        ({}, "Venice answers 402, and an API key cannot pay"),
    ],
)
def test_never_pays(body: Any, said: str) -> None:
    """No 402 is ever paid, and the app is told what it means."""
    assert said == reason(body)


def test_repr_hides_the_key() -> None:
    """The key is not in the provider's repr."""
    assert KEY not in repr(VENICE)
