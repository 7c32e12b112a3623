"""x402layer: credits of one endpoint, its packages, and its dialect of x402 v1."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Generator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sidecar.errors import LocalProtocolError, RemoteProtocolError
from sidecar.http import Headers, HttpRequest, HttpResponse, Origin
from sidecar.money import Usdc
from sidecar.policy import Allowed, Policy, choose
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Prepaid,
    TopUp,
)
from sidecar.providers.x402layer import X402Layer
from sidecar.x402.encode import envelope_for
from sidecar.x402.select import candidates
from sidecar.x402.types import V1, V2, PaymentRequired

T = TypeVar("T")

API = "https://api.x402layer.cc"
USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
WALLET = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
SOLANA_WALLET = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
LAYER = X402Layer(API, WALLET, "eip155:8453")
OCCASION = Occasion(datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC), bytes(32))
CREDENTIAL = Credential((("x-wallet-address", WALLET),))
REQUEST = HttpRequest("POST", f"{API}/e/weather-data/now?useCredits=1")
DOLLAR = Usdc(1_000_000)
ENTRY = {
    "scheme": "exact",
    "network": "base",
    "maxAmountRequired": "10000",
    "payTo": "0xCD95802A4aBddD75A5750DD2d6935007eF268275",
    "asset": f"eip155:8453/erc20:{USDC}",
    "extra": {"name": "USD Coin", "version": "2"},
}


def entry(**changes: Any) -> dict[str, Any]:
    """The entry with some of its words changed; without those that are ``...``."""
    return {key: value for key, value in {**ENTRY, **changes}.items() if value is not ...}


def answer(status: int, document: Any, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(status, headers, json.dumps(document).encode())


def terms_of(*entries: Any, **more: Any) -> HttpResponse:
    """A direct endpoint's 402."""
    return answer(402, {"x402Version": 1, "accepts": list(entries), **more})


def out_of_credits(*entries: Any, **changes: Any) -> HttpResponse:
    """A credit endpoint's 402."""
    document = {
        "x402Version": 1,
        "error": "Insufficient credits",
        "current_balance": 0,
        "purchase_url": "https://studio.x402layer.cc/pay/credits/weather-data",
        "credit_package": {"size": 69, "price": 0.01},
        "accepts": list(entries),
        **changes,
    }
    return answer(402, {key: value for key, value in document.items() if value is not ...})


def in_header(document: Any) -> Headers:
    value = base64.b64encode(json.dumps(document).encode()).decode()
    return (("PAYMENT-REQUIRED", value),)


def inline(refusal: HttpResponse, layer: X402Layer = LAYER) -> PaymentRequired:
    """The terms that the app's own request is to pay."""
    remedy = layer.remedy(REQUEST, refusal, OCCASION)
    assert isinstance(remedy, PayInline)
    return remedy.required


def package(refusal: HttpResponse, amount: Usdc = DOLLAR) -> PaymentRequired:
    """The terms of a purchase, which the vendor's answer allows."""
    terms = LAYER.terms("weather-data", refusal, amount)
    assert isinstance(terms, PaymentRequired)
    return terms


def receipt(claims: Any) -> tuple[str, str]:
    """A direct payment's receipt, as far as we look at it."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return ("X-X402-Receipt-Token", f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2lnbmVk")


def talk(
    exchange: Generator[HttpRequest, HttpResponse, T], *answers: HttpResponse
) -> tuple[list[HttpRequest], T]:
    """The requests of this conversation, and what it returns for these responses."""
    requests = [next(exchange)]
    requests += [exchange.send(response) for response in answers[:-1]]
    with pytest.raises(StopIteration) as done:
        exchange.send(answers[-1])
    return requests, done.value.value


def test_prepaid() -> None:
    """It is a vendor that sells credit, whose balance can be read, at one origin."""
    prepaid: Prepaid = X402Layer(f"{API}/e/weather-data", WALLET, "eip155:8453")

    assert frozenset({Origin("https", "api.x402layer.cc", 443)}) == prepaid.origins
    assert 2.0 == prepaid.traits.balance_spacing_s
    assert not prepaid.traits.reads_bodies


@pytest.mark.parametrize(
    ("path", "accounts"),
    [
        ("", ()),
        ("/", ()),
        ("/e", ()),
        ("/e/", ()),
        ("/x402layer", ()),
        ("/e/weather-data", ("weather-data",)),
        ("/e/weather-data/", ("weather-data",)),
        ("/e/weather-data/v1", ("weather-data",)),
        ("/e/e/e", ("e",)),
        ("/x402layer/e/A.b_9", ("A.b_9",)),
    ],
)
def test_accounts(path: str, accounts: tuple[str, ...]) -> None:
    """The account that is known before any request is the slug in the upstream."""
    assert accounts == X402Layer(API + path, WALLET, "eip155:8453").accounts


@pytest.mark.parametrize("slug", ["a%20b", "a%2Fb", "..", ".", "a b", "caf\xe9", "a" * 129, "a;b"])
def test_odd_slugs(slug: str) -> None:
    """An odd slug is no route's, gives no account, and is never asked about or bought for."""
    assert "" == LAYER.account_of(HttpRequest("GET", f"{API}/e/{slug}/x"))
    with pytest.raises(ValueError, match="not an endpoint's slug"):
        X402Layer(f"{API}/e/{slug}", WALLET, "eip155:8453")
    with pytest.raises(LocalProtocolError, match="not an endpoint's slug"):
        LAYER.charge(slug, CREDENTIAL, DOLLAR)
    with pytest.raises(LocalProtocolError, match="not an endpoint's slug"):
        next(LAYER.balance(CREDENTIAL, slug))


def test_longest_slug() -> None:
    """A slug may have 128 characters."""
    assert ("a" * 128,) == X402Layer(f"{API}/e/{'a' * 128}", WALLET, "eip155:8453").accounts


@pytest.mark.parametrize(
    ("path", "account"),
    [
        ("/e/weather-data", "weather-data"),
        ("/e/weather-data/now", "weather-data"),
        ("/e/weather-data?action=x/e/y", "weather-data"),
        ("/e/", ""),
        ("/e", ""),
        ("/api/credits/balance", ""),
        ("/other/e/weather-data", ""),
    ],
)
def test_account_of(path: str, account: str) -> None:
    """A request is paid by the account of the endpoint in its path."""
    assert account == LAYER.account_of(HttpRequest("POST", API + path))


def test_prefix() -> None:
    """The gateway may live under a prefix, as in a rehearsal."""
    layer = X402Layer("http://127.0.0.1:4021/x402layer/e/a", WALLET, "eip155:84532")

    charge = layer.charge("b", CREDENTIAL, DOLLAR)
    assert "http://127.0.0.1:4021/x402layer/e/b?action=purchase" == charge.url
    assert "b" == layer.account_of(charge)
    asked = next(layer.balance(CREDENTIAL, "b"))
    assert "http://127.0.0.1:4021/x402layer/api/credits/balance?endpoint=b" == asked.url


def test_sign_in() -> None:
    """Signing in takes no step: the wallet's address is all there is, and it never expires."""
    with pytest.raises(StopIteration) as done:
        next(LAYER.sign_in(OCCASION))

    assert Credential((("x-wallet-address", WALLET),), None) == done.value.value
    assert not LAYER.is_stale(HttpResponse(401))


@pytest.mark.parametrize(
    "refusal",
    [
        out_of_credits(ENTRY),
        out_of_credits(ENTRY, error=..., purchase_url=...),
        out_of_credits(ENTRY, error=..., credit_package=...),
        out_of_credits(ENTRY, error=..., credit_package=..., purchase_url=..., purchaseUrl="x"),
        out_of_credits(ENTRY, purchase_url=..., credit_package=...),
        answer(402, {"error": "INSUFFICIENT CREDITS for this endpoint"}),
        HttpResponse(
            402, (("Content-Encoding", "gzip"),), gzip.compress(out_of_credits(ENTRY).body)
        ),
    ],
)
def test_credits_are_topped_up(refusal: HttpResponse) -> None:
    """A 402 that speaks of credits in any of its ways asks for a purchase at that endpoint."""
    assert TopUp("weather-data") == LAYER.remedy(REQUEST, refusal, OCCASION)


def test_no_endpoint() -> None:
    """Credits cannot be bought for a path that is no endpoint's."""
    request = HttpRequest("GET", f"{API}/api/credits/balance?endpoint=a")

    assert isinstance(LAYER.remedy(request, out_of_credits(ENTRY), OCCASION), PassThrough)


def test_own_purchase() -> None:
    """An app that buys credits itself is not topped up: its purchase would be refused again."""
    for query in ("action=purchase", "x=1&action=purchase"):
        request = HttpRequest("GET", f"{API}/e/weather-data?{query}")
        remedy = LAYER.remedy(request, out_of_credits(ENTRY), OCCASION)

        assert isinstance(remedy, PassThrough)
    other = HttpRequest("GET", f"{API}/e/weather-data?action=balance&purchase=action")
    assert TopUp("weather-data") == LAYER.remedy(other, out_of_credits(ENTRY), OCCASION)


def test_direct_endpoint() -> None:
    """A direct endpoint's 402 is paid with the app's own request, in v1."""
    required = inline(terms_of(ENTRY, error="pay", api_schema={"routes": []}))

    assert 1 == required.x402_version
    assert V1 == required.written_in
    assert "pay" == required.error
    assert ("eip155:8453", USDC, "10000") == (
        required.accepts[0].network,
        required.accepts[0].asset,
        required.accepts[0].amount,
    )


def test_endpoint_with_odd_slug() -> None:
    """A direct endpoint needs no account: it is paid whatever its path."""
    request = HttpRequest("GET", f"{API}/e/a%20b")

    assert isinstance(LAYER.remedy(request, terms_of(ENTRY), OCCASION), PayInline)


@pytest.mark.parametrize(
    "refusal",
    [
        answer(402, {"error": "no"}),
        answer(402, {"error": {"message": "Insufficient credits"}}),
        answer(402, {"credit_package": None, "purchase_url": ""}),
        answer(402, ["Insufficient credits"]),
        HttpResponse(402, (), b"Insufficient credits"),
        HttpResponse(402),
    ],
)
def test_no_terms_pass(refusal: HttpResponse) -> None:
    """A 402 that names neither credits nor terms is the app's to see."""
    assert isinstance(LAYER.remedy(REQUEST, refusal, OCCASION), PassThrough)


@pytest.mark.parametrize(
    "refusal",
    [
        terms_of(ENTRY, x402Version=True),
        terms_of(ENTRY, x402Version=3),
        answer(402, {"x402Version": 1, "accepts": {"0": ENTRY}}),
        terms_of(*[ENTRY] * 33),
        HttpResponse(402, (("PAYMENT-REQUIRED", "%%%"),), b"{}"),
    ],
)
def test_garbage(refusal: HttpResponse) -> None:
    """A challenge that is garbage is the vendor's fault, and said so."""
    with pytest.raises(RemoteProtocolError):
        LAYER.remedy(REQUEST, refusal, OCCASION)


@pytest.mark.parametrize("asset", [USDC, f"eip155:8453/erc20:{USDC}", f"base:8453/erc20:{USDC}"])
def test_assets(asset: str) -> None:
    """A token is read in each of the ways that the vendor writes it."""
    assert USDC == inline(terms_of(entry(asset=asset))).accepts[0].asset


def test_missing_words() -> None:
    """What the vendor leaves out, or has as null, is filled in; what it says stays."""
    bare = entry(scheme=..., extra=...)
    null = entry(scheme=None, maxTimeoutSeconds=None, extra=None)
    full = entry(maxTimeoutSeconds=90, resource="https://x", description="d")
    required = inline(answer(402, {"accepts": [bare, null, full]}))
    read = [(offer.scheme, offer.max_timeout_seconds, offer.extra) for offer in required.accepts]

    assert [("exact", 300, {}), ("exact", 300, {}), ("exact", 90, ENTRY["extra"])] == read
    assert 1 == required.x402_version


def test_other_scheme() -> None:
    """A scheme that is said is not taken for another."""
    assert "upto" == inline(terms_of(entry(scheme="upto"))).accepts[0].scheme


def test_unreadable_entries() -> None:
    """An entry that cannot be read is left out, and why is kept."""
    required = inline(terms_of("no entry", entry(network=...), ENTRY))

    assert 1 == len(required.accepts)
    expected = (
        "accepts[0]: it is not an object",
        "accepts[1]: its network is not a string with something in it",
    )
    assert expected == required.unreadable


def test_network_is_echoed() -> None:
    """The payment names the network as the vendor does, beside the payload."""
    for network in ("base", "eip155:8453"):
        required = inline(terms_of(entry(network=network)))
        envelope = envelope_for(required, required.accepts[0], "pay_" + "0" * 32)

        expected = {
            "header": "X-PAYMENT",
            "encoding": "base64",
            "document": {"x402Version": 1, "scheme": "exact", "network": network},
        }
        assert expected == envelope


def test_payable() -> None:
    """The vendor's terms, as documented, can be paid for long enough to settle."""
    offers = candidates(inline(terms_of(entry(scheme=...))))
    allowed = choose(offers, Policy(DOLLAR, frozenset({"eip155:8453"}), frozenset()))

    assert isinstance(allowed, Allowed)
    assert 120 == allowed.validity_s
    assert Usdc(10_000) == allowed.candidate.amount


def test_solana_layout() -> None:
    """What a Solana entry says beside its terms stays as it came."""
    layer = X402Layer(API, SOLANA_WALLET, SOLANA)
    token = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    payer = {"feePayer": "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"}
    offer = entry(network="solana", asset=f"solana:5eykt/token:{token}", extra=payer)
    required = inline(terms_of(offer), layer)

    assert (SOLANA, token, payer) == (
        required.accepts[0].network,
        required.accepts[0].asset,
        required.accepts[0].extra,
    )


def test_free() -> None:
    """A payment of nothing is not signed."""
    required = inline(terms_of(entry(maxAmountRequired="0"), ENTRY))

    assert 1 == len(required.accepts)
    assert ("it is free, and a payment of nothing is not signed",) == required.unreadable


def test_self_payment() -> None:
    """An endpoint of our own wallet is not paid, however the address is written."""
    required = inline(terms_of(entry(payTo=WALLET.upper().replace("X", "x")), ENTRY))

    assert ["0xCD95802A4aBddD75A5750DD2d6935007eF268275"] == [
        offer.pay_to for offer in required.accepts
    ]
    assert ("its payee is the wallet that pays, which the vendor refuses",) == required.unreadable


def test_self_payment_on_solana() -> None:
    """On Solana the case of an address tells wallets apart."""
    layer = X402Layer(API, SOLANA_WALLET, SOLANA)
    ours = entry(network="solana", payTo=SOLANA_WALLET)
    theirs = entry(network="solana", payTo=SOLANA_WALLET.swapcase())
    required = inline(terms_of(ours, theirs), layer)

    assert [SOLANA_WALLET.swapcase()] == [offer.pay_to for offer in required.accepts]


def test_v2_header() -> None:
    """Terms in a header are v2's and come before the body's; their entry is echoed whole."""
    said = {**entry(network="eip155:8453", maxAmountRequired=...), "amount": "5", "new": [1]}
    headers = in_header({"x402Version": 2, "accepts": [said]})
    required = inline(answer(402, {"x402Version": 1, "accepts": [ENTRY]}, *headers))

    assert V2 == required.written_in
    assert [said] == [offer.original for offer in required.accepts]
    assert USDC == required.accepts[0].asset


def test_v2_body() -> None:
    """Terms of v2 in the body are read as they are, too."""
    said = {**entry(network="eip155:8453"), "extra": None}
    required = inline(answer(402, {"x402Version": 2, "accepts": [said]}))

    assert V2 == required.written_in
    assert [said] == [offer.original for offer in required.accepts]


def test_charge() -> None:
    """Credits are bought at the endpoint itself, of which there is one package."""
    expected = HttpRequest("GET", f"{API}/e/weather-data?action=purchase", CREDENTIAL.headers)

    assert expected == LAYER.charge("weather-data", CREDENTIAL, DOLLAR)


def test_package() -> None:
    """A package's terms are the 402's own, wherever its purchase_url points."""
    refusal = out_of_credits(ENTRY, purchase_url="https://evil.example/pay")

    assert ["10000"] == [offer.amount for offer in package(refusal).accepts]
    assert V1 == package(refusal).written_in


def test_dear_package() -> None:
    """A package that costs more than a top-up may is left out, with the reason."""
    dear = entry(maxAmountRequired="10001", network="solana")
    odd = entry(maxAmountRequired="1e9")
    required = package(out_of_credits(dear, ENTRY, odd), Usdc(10_000))

    # What is no amount is nobody's to compare, and cannot be paid.
    assert ["10000", "1e9"] == [offer.amount for offer in required.accepts]
    expected = ("the package costs 0.010001 USDC, and a top-up at most 0.01 USDC",)
    assert expected == required.unreadable


def test_no_package() -> None:
    """A purchase that is refused without terms is the vendor's fault, and said so."""
    with pytest.raises(RemoteProtocolError, match="names no x402 terms"):
        LAYER.terms("weather-data", answer(402, {"error": "Insufficient credits"}), DOLLAR)


def test_balance() -> None:
    """The balance is in credits of the endpoint, by the documented path."""
    requests, balances = talk(
        LAYER.balance(CREDENTIAL, "weather-data"),
        answer(200, {"credits": 4500, "balance": 1, "endpoint": "weather-data"}),
    )

    url = f"{API}/api/credits/balance?endpoint=weather-data"
    assert [HttpRequest("GET", url, CREDENTIAL.headers)] == requests
    assert (Balance(Decimal(4500), "credits", can_consume=True),) == balances


@pytest.mark.parametrize("status", [404, 405])
def test_newer_balance(status: int) -> None:
    """Where the documented path is gone, the endpoint itself is asked, as the scripts do."""
    requests, balances = talk(
        LAYER.balance(CREDENTIAL, "weather-data"),
        answer(status, {"credits": 9}),
        answer(200, {"balance": 0}),
    )

    url = f"{API}/e/weather-data?action=balance&wallet={WALLET}"
    assert HttpRequest("GET", url, CREDENTIAL.headers) == requests[1]
    assert (Balance(Decimal(0), "credits", can_consume=False),) == balances


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (answer(500, {"error": "down", "credits": 5}), "500: down"),
        (answer(200, {"credits": True}), "200"),
        (answer(200, {"credits": -1, "balance": 5}), "200"),
        (answer(200, {"credits": None}), "200"),
        (HttpResponse(200, (), b"<html>"), "200"),
    ],
)
def test_unsaid_balance(response: HttpResponse, words: str) -> None:
    """An answer that says no balance is the vendor's fault, and said so."""
    exchange = LAYER.balance(CREDENTIAL, "weather-data")
    next(exchange)
    with pytest.raises(RemoteProtocolError) as fault:
        exchange.send(response)

    assert f"x402layer answered a question for the balance with {words}" == str(fault.value)


def test_still_gone() -> None:
    """The endpoint is asked once: a second 404 is no balance."""
    exchange = LAYER.balance(CREDENTIAL, "weather-data")
    next(exchange)
    exchange.send(HttpResponse(404))
    with pytest.raises(RemoteProtocolError):
        exchange.send(HttpResponse(404))


def test_receipt() -> None:
    """A direct payment's receipt says what it cost, and nothing else of a response does."""
    claims = {"amount": "1.00", "currency": "USDC", "source_slug": "weather-data"}

    expected = Observation(cost_usd=Decimal("1.00"))
    assert expected == LAYER.observe(HttpResponse(200, (receipt(claims),)))
    assert expected == LAYER.observe(HttpResponse(200, (receipt({"amount": "1.00"}),)))
    assert Observation() == LAYER.observe(answer(200, {"credits": 5, "amount": "1.00"}))


@pytest.mark.parametrize(
    "headers",
    [
        (("X-X402-Receipt-Token", "opaque"),),
        (receipt({"amount": "-1.00"}),),
        (receipt({"amount": "1e9"}),),
        (receipt({"amount": "NaN"}),),
        (receipt({"amount": ["1.00"]}),),
        (receipt({"amount": "1.00", "currency": "EUR"}),),
        (receipt({"amount": "1.00", "currency": ["USD"]}),),
        (receipt({"currency": "USD"}),),
        (receipt({"amount": "1.00"}), receipt({"amount": "2.00"})),
    ],
)
def test_no_receipt(headers: Headers) -> None:
    """A receipt that says nothing sure says nothing."""
    assert Observation() == LAYER.observe(HttpResponse(200, headers))


def test_credited() -> None:
    """A purchase's answer is read where it says a balance; credits beside it were bought."""

    def held(credits_left: int) -> tuple[Balance, ...]:
        return (Balance(Decimal(credits_left), "credits", can_consume=True),)

    assert held(469) == LAYER.credited(answer(200, {"credits": 69, "balance": 469}))
    assert held(69) == LAYER.credited(answer(200, {"credits": 69}))
    assert () == LAYER.credited(answer(200, {"ok": True}))
    assert () == LAYER.credited(HttpResponse(200, (), b"thanks"))
