"""Nodit: the sign-in for a JWT, credit in USDC, and what its refusals mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import Headers, HttpRequest, HttpResponse, Origin
from sidecar.money import Usdc
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Prepaid,
    TopUp,
    Traits,
)
from sidecar.providers.nodit import Nodit
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.encode import envelope_for
from sidecar.x402.types import V2, PaymentRequired

T = TypeVar("T")

NOON = datetime(2026, 11, 21, 12, 0, 0, 999_000, tzinfo=UTC)
OCCASION = Occasion(NOON, bytes(range(32)))
WALLET = EvmWallet(b"\x11" * 32)
NODIT = Nodit("https://x402.nodit.io", WALLET, "eip155:8453")
SANDBOXED = Nodit("http://127.0.0.1:4021/nodit/credit/v1", WALLET, "eip155:84532")
CREDENTIAL = Credential((("Authorization", "Bearer jwt"),))
ENTRY = {
    "network": "eip155:8453",
    "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    "payTo": "0x2670B922ef37C7Df47158725C0CC407b5382293F",
    "amount": "1000000",
    "maxTimeoutSeconds": 3600,
    "scheme": "exact",
    "extra": {"name": "USDC", "version": "2", "acceptId": "a-1"},
}


def finish(
    exchange: Generator[HttpRequest, HttpResponse, T], response: HttpResponse
) -> tuple[HttpRequest, T]:
    """The one request of this conversation, and what it returns for this response."""
    request = next(exchange)
    with pytest.raises(StopIteration) as done:
        exchange.send(response)
    return request, done.value.value


def json_response(status: int, document: Any, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(status, headers, json.dumps(document).encode())


def jwt(claims: Any) -> str:
    """A token as Nodit makes them, as far as we look at it."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmVk"


def in_header(document: Any) -> Headers:
    value = base64.b64encode(json.dumps(document).encode()).decode()
    return (("PAYMENT-REQUIRED", value),)


def challenge(*entries: Any, **more: Any) -> HttpResponse:
    """The 402 to a charge."""
    return HttpResponse(402, in_header({"x402Version": 2, "accepts": list(entries), **more}))


def read(refusal: HttpResponse, amount: int = 1_000_000) -> PaymentRequired:
    """The terms of a charge, which the vendor's answer allows."""
    terms = NODIT.terms("", refusal, Usdc(amount))
    assert isinstance(terms, PaymentRequired)
    return terms


def renewed_after(claims: Any) -> timedelta:
    """How long a token with these claims is used."""
    answer = json_response(200, {"accessToken": jwt(claims)})
    expires_at = finish(NODIT.sign_in(OCCASION), answer)[1].expires_at
    assert expires_at is not None
    return expires_at - NOON


def test_prepaid() -> None:
    """Nodit is a vendor that sells credit, to one account for each wallet, polled gently."""
    prepaid: Prepaid = NODIT

    assert ("",) == prepaid.accounts
    assert "" == prepaid.account_of(HttpRequest("POST", "https://x402.nodit.io/credit/v1/x"))
    assert Traits(reads_bodies=False, in_flight_max=0, balance_spacing_s=6.0) == prepaid.traits


def test_origins() -> None:
    """Its requests go to its upstream's origin alone."""
    assert frozenset({Origin("https", "x402.nodit.io", 443)}) == NODIT.origins
    assert frozenset({Origin("http", "127.0.0.1", 4021)}) == SANDBOXED.origins


def test_sign_in() -> None:
    """Signing in is one POST /auth, and its JWT is renewed five minutes before it ends."""
    expires = int(NOON.timestamp()) + 3600
    token = jwt({"exp": expires})
    request, credential = finish(
        NODIT.sign_in(OCCASION), json_response(201, {"accessToken": token})
    )

    expected = Credential(
        (("Authorization", f"Bearer {token}"),), NOON + timedelta(minutes=55), single_use=False
    )
    assert expected == credential
    assert ("POST", "https://x402.nodit.io/auth") == (request.method, request.url)
    assert (("Content-Type", "application/json"),) == request.headers
    assert {"message", "signature"} == json.loads(request.body).keys()


def test_sign_in_message() -> None:
    """The message names the upstream's host and origin, 16 bytes of chance, and ten minutes."""
    # Clocks elsewhere say the same moment in their own way.
    at = NOON.astimezone(timezone(timedelta(hours=9)))
    request = next(SANDBOXED.sign_in(Occasion(at, OCCASION.nonce)))

    expected = (
        "127.0.0.1:4021 wants you to sign in with your Ethereum account:\n"
        f"{WALLET.address}\n"
        "\n"
        "Sign in to 127.0.0.1:4021\n"
        "\n"
        "URI: http://127.0.0.1:4021\n"
        "Version: 1\n"
        "Chain ID: 84532\n"
        "Nonce: 000102030405060708090a0b0c0d0e0f\n"
        "Issued At: 2026-11-21T12:00:00Z\n"
        "Expiration Time: 2026-11-21T12:10:00Z"
    )
    assert expected == json.loads(request.body)["message"]


@pytest.mark.parametrize(
    ("upstream", "base"),
    [
        ("https://x402.nodit.io", "https://x402.nodit.io"),
        ("https://x402.nodit.io/", "https://x402.nodit.io"),
        ("https://x402.nodit.io/credit", "https://x402.nodit.io"),
        ("https://x402.nodit.io/credit/v1/base/mainnet/", "https://x402.nodit.io"),
        ("https://x402.nodit.io/pay-per-use/v1", "https://x402.nodit.io"),
        ("http://127.0.0.1:4021/nodit", "http://127.0.0.1:4021/nodit"),
        ("http://127.0.0.1:4021/nodit/credit/base", "http://127.0.0.1:4021/nodit"),
    ],
)
def test_base(upstream: str, base: str) -> None:
    """A route may begin at one of its APIs, or under a prefix: its own paths are found by it."""
    nodit = Nodit(upstream, WALLET, "eip155:8453")

    assert f"{base}/auth" == next(nodit.sign_in(OCCASION)).url
    assert f"{base}/credit/balance" == next(nodit.balance(CREDENTIAL, "")).url
    assert f"{base}/credit/charge" == nodit.charge("", CREDENTIAL, Usdc(1)).url
    remedy = nodit.remedy(HttpRequest("GET", f"{base}/credit/x"), challenge(), OCCASION)
    assert TopUp() == remedy


@pytest.mark.parametrize(
    ("lifetime_s", "renewed_s"),
    [
        (24 * 3600, 24 * 3600 - 300),
        (24 * 3600 + 301, 24 * 3600),
        (31 * 24 * 3600, 24 * 3600),
        (3600, 3300),
        (600, 300),
        (599, 299.5),
        (60, 30),
        (1, 0.5),
        # What follows is no lifetime.
        (0, 600),
        (-1, 600),
        (31 * 24 * 3600 + 1, 600),
        (10**400, 600),
    ],
)
def test_renewal(lifetime_s: int, renewed_s: float) -> None:
    """A token is renewed early, a short one at half of its life, and any within a day."""
    expires = int(NOON.timestamp()) + lifetime_s

    assert timedelta(seconds=renewed_s) == renewed_after({"exp": expires})


@pytest.mark.parametrize("claims", [{}, {"exp": None}, {"exp": True}, {"exp": "1"}, ["exp"]])
def test_no_expiry(claims: Any) -> None:
    """A token that does not say when it ends is used for ten minutes."""
    assert timedelta(minutes=10) == renewed_after(claims)


def test_milliseconds() -> None:
    """An expiry in milliseconds is none."""
    assert timedelta(minutes=10) == renewed_after({"exp": int(NOON.timestamp()) * 1000})


def test_fractions() -> None:
    """An expiry may be a fraction, as RFC 7519 allows."""
    assert timedelta(seconds=3300.5) == renewed_after({"exp": int(NOON.timestamp()) + 3600.5})


def test_opaque_token() -> None:
    """A token that is no JWT is used for ten minutes."""
    _, credential = finish(NODIT.sign_in(OCCASION), json_response(200, {"accessToken": "opaque"}))

    assert NOON + timedelta(minutes=10) == credential.expires_at


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"accessToken": None},
        {"accessToken": ""},
        {"accessToken": "a b"},
        {"accessToken": "secret\r\nX-Evil: 1"},
        {"accessToken": "s\xe9cret"},
        {"accessToken": "secret" * 2000},
    ],
)
def test_no_token(document: Any) -> None:
    """An answer without a token that fits a header is the vendor's fault, and not printed."""
    exchange = NODIT.sign_in(OCCASION)
    next(exchange)
    with pytest.raises(RemoteProtocolError) as fault:
        exchange.send(json_response(200, document))

    assert "Nodit answered the sign-in without an access token" == str(fault.value)


def test_sign_in_refused() -> None:
    """A refused sign-in says Nodit's own words, bounded and safe to print."""
    exchange = NODIT.sign_in(OCCASION)
    next(exchange)
    with pytest.raises(RemoteProtocolError) as fault:
        exchange.send(json_response(400, {"code": "E1", "message": "bad\nnonce " + "x " * 500}))

    assert str(fault.value).startswith("Nodit answered the sign-in with 400: bad nonce x x")
    assert len(str(fault.value)) < 300


def test_secrets_are_not_echoed() -> None:
    """A signature or a token that an error quotes is not printed."""
    exchange = NODIT.sign_in(OCCASION)
    signature = json.loads(next(exchange).body)["signature"]
    with pytest.raises(RemoteProtocolError) as refused:
        exchange.send(json_response(403, {"message": f'not good: "{signature}"'}))
    token = jwt({"exp": 1, "sub": WALLET.address})
    reading = NODIT.balance(Credential((("Authorization", f"Bearer {token}"),)), "")
    next(reading)
    with pytest.raises(RemoteProtocolError) as unread:
        reading.send(json_response(500, {"message": f"bad Bearer {token}"}))

    assert 'Nodit answered the sign-in with 403: not good: "(a long word)"' == str(refused.value)
    expected = "Nodit answered a question for the balance with 500: bad Bearer (a long word)"
    assert expected == str(unread.value)


def test_stale() -> None:
    """A 401, and nothing else, is mended by a new sign-in."""
    assert NODIT.is_stale(HttpResponse(401))
    assert not NODIT.is_stale(HttpResponse(403))
    assert not NODIT.is_stale(HttpResponse(402))


@pytest.mark.parametrize("path", ["/credit/v1/base/mainnet/token/x", "/credit/base/main/json-rpc"])
def test_credit_is_topped_up(path: str) -> None:
    """Any 402 of the credit API asks for credit; what it says of a payment is not paid there."""
    request = HttpRequest("POST", f"https://x402.nodit.io{path}")

    assert TopUp() == NODIT.remedy(request, HttpResponse(402), OCCASION)
    assert TopUp() == NODIT.remedy(request, challenge(ENTRY), OCCASION)


@pytest.mark.parametrize("path", ["/credit/charge", "/credit/charge/"])
def test_own_charge(path: str) -> None:
    """An app that charges credit itself is not topped up: its charge would be refused again."""
    request = HttpRequest("POST", f"https://x402.nodit.io{path}")

    assert isinstance(NODIT.remedy(request, challenge(ENTRY), OCCASION), PassThrough)


def test_pay_per_use() -> None:
    """A 402 of the pay-per-use API is paid with the app's request; its entry is echoed whole."""
    entry = {**ENTRY, "maxTimeoutSeconds": 60}
    request = HttpRequest("POST", "https://x402.nodit.io/pay-per-use/base/mainnet/json-rpc")
    remedy = NODIT.remedy(request, challenge(entry), OCCASION)

    assert isinstance(remedy, PayInline)
    assert 60 == remedy.required.accepts[0].max_timeout_seconds
    assert entry == remedy.required.accepts[0].original
    assert V2 == remedy.required.written_in


def test_pay_per_use_without_terms() -> None:
    """A 402 of the pay-per-use API that names no terms is the app's to see."""
    request = HttpRequest("POST", "https://x402.nodit.io/pay-per-use/x")

    assert isinstance(NODIT.remedy(request, json_response(402, {}), OCCASION), PassThrough)


@pytest.mark.parametrize("path", ["/auth", "/", "/creditor/x", "/x/credit/y"])
def test_elsewhere(path: str) -> None:
    """A 402 of any other path is the app's to see, whatever it says of a payment."""
    request = HttpRequest("POST", f"https://x402.nodit.io{path}")

    assert isinstance(NODIT.remedy(request, challenge(ENTRY), OCCASION), PassThrough)


def test_balance() -> None:
    """The balance is in credits, and a credit is one atomic unit of USDC."""
    request, balances = finish(
        NODIT.balance(CREDENTIAL, ""), json_response(200, {"balance": 1_234_567})
    )

    expected = HttpRequest("GET", "https://x402.nodit.io/credit/balance", CREDENTIAL.headers)
    assert expected == request
    assert (Balance(Decimal("1.234567"), "usd", can_consume=True),) == balances


def test_no_credit() -> None:
    """Without credit, the next request is not let in."""
    _, balances = finish(NODIT.balance(CREDENTIAL, ""), json_response(200, {"balance": 0}))

    assert (Balance(Decimal(0), "usd", can_consume=False),) == balances


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (json_response(401, {"code": "X", "message": "expired"}), "401: expired"),
        (json_response(500, {"balance": 5}), "500"),
        (json_response(200, {"balance": True}), "200"),
        (json_response(200, {"balance": -1}), "200"),
        (json_response(200, {"message": ["balance"]}), "200"),
        (HttpResponse(200, (), b"<html>"), "200"),
    ],
)
def test_unsaid_balance(response: HttpResponse, words: str) -> None:
    """An answer that is none is the vendor's fault, and said so."""
    exchange = NODIT.balance(CREDENTIAL, "")
    next(exchange)
    with pytest.raises(RemoteProtocolError) as fault:
        exchange.send(response)

    assert f"Nodit answered a question for the balance with {words}" == str(fault.value)


def test_observe() -> None:
    """A balance in an API's answer is somebody's on a chain, and not our credit."""
    assert Observation() == NODIT.observe(json_response(200, {"balance": 5}))


def test_charge() -> None:
    """Credit is bought by POST /credit/charge with the amount as text in atomic units."""
    expected = HttpRequest(
        "POST",
        "https://x402.nodit.io/credit/charge",
        (*CREDENTIAL.headers, ("Content-Type", "application/json")),
        b'{"amount":"1000000"}',
    )
    assert expected == NODIT.charge("", CREDENTIAL, Usdc(1_000_000))


def test_terms() -> None:
    """The terms are the header's, in v2, and the chosen entry is echoed word for word."""
    terms = read(challenge(ENTRY))
    envelope = envelope_for(terms, terms.accepts[0], "pay_" + "0" * 32)

    expected = {
        "header": "PAYMENT-SIGNATURE",
        "encoding": "base64",
        "document": {
            "x402Version": 2,
            "accepted": ENTRY,
            "resource": {
                "url": "https://x402.nodit.io/credit/charge",
                "description": "Credit charge",
                "mimeType": "application/json",
            },
        },
    }
    assert expected == envelope


def test_own_resource() -> None:
    """A resource that the vendor names is echoed, and not ours."""
    assert {"url": "theirs"} == read(challenge(ENTRY, resource={"url": "theirs"})).resource


def test_other_amount() -> None:
    """An entry that asks another amount than was charged is left out, with the reason."""
    dearer = {**ENTRY, "amount": "1000001"}
    odd = {**ENTRY, "amount": "01000000", "network": "eip155:84532"}
    terms = read(challenge(dearer, ENTRY, "no entry", odd))

    assert [ENTRY] == [entry.original for entry in terms.accepts]
    expected = (
        "accepts[2]: it is not an object",
        "eip155:8453: it asks 1000001 atomic units for a charge of 1000000",
        "eip155:84532: it asks 01000000 atomic units for a charge of 1000000",
    )
    assert expected == terms.unreadable


def test_least_charge() -> None:
    """A charge below the least that Nodit sells is refused in a sentence; that itself is not."""
    least = challenge({**ENTRY, "amount": "10000"})

    assert "Nodit sells no less than 0.01 USDC of credit" == NODIT.terms("", least, Usdc(9_999))
    assert 1 == len(read(least, 10_000).accepts)


def test_other_least_charge() -> None:
    """The least charge can be set, as Nodit's documents disagree about it."""
    nodit = Nodit("https://x402.nodit.io", WALLET, "eip155:8453", charge_min=Usdc(1_000_000))

    expected = "Nodit sells no less than 1.00 USDC of credit"
    assert expected == nodit.terms("", challenge(ENTRY), Usdc(999_999))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("PAYMENT-REQUIRED", "%%%"),),
        (("PAYMENT-REQUIRED", ""),),
        (*in_header({"x402Version": 2}), *in_header({"x402Version": 2})),
        in_header({"x402Version": 1, "accepts": [ENTRY]}),
    ],
)
def test_body_is_not_terms(headers: Headers) -> None:
    """Terms in the body alone are none, nor are those of a header that cannot be read."""
    refusal = json_response(402, {"x402Version": 2, "accepts": [ENTRY]}, *headers)
    with pytest.raises(RemoteProtocolError):
        NODIT.terms("", refusal, Usdc(1_000_000))


def test_body_does_not_matter() -> None:
    """The terms in the header count whatever the body is."""
    refusal = HttpResponse(
        402, (("Content-Encoding", "gzip"), *challenge(ENTRY).headers), b"not gzip"
    )

    assert 1 == len(read(refusal).accepts)


def test_credited() -> None:
    """The answer to a paid charge says what there is now."""
    answer = json_response(200, {"balance": 1_000_000, "paymentResponse": {"txHash": "0xab"}})

    assert (Balance(Decimal(1), "usd", can_consume=True),) == NODIT.credited(answer)
    assert () == NODIT.credited(HttpResponse(200, (), b"thanks"))
