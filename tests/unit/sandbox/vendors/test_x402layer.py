"""x402layer: credits at each endpoint, bought in packages, and calls that are paid one by one."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from solders.pubkey import Pubkey

from sidecar.chains import SOLANA, SOLANA_DEVNET
from sidecar.money import Usdc
from sidecar.sandbox import PAY_TO, SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO, VendorOptions
from sidecar.sandbox.vendors.x402layer_options import Endpoint, X402LayerOptions
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.solana.building import PAYER as SOLANA_PAYER
from tests.unit.sandbox.solana.building import Build as SolanaBuild
from tests.unit.sandbox.solana.building import memo
from tests.world.payment_builder import PAYER, STRANGER, Build, encode

USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
WALLET: dict[str, str] = {"x-wallet-address": PAYER.address}
PLAIN = "/x402layer/e/plain"
PURCHASE = "?action=purchase"


def selling(**endpoints: Endpoint) -> SandboxOptions:
    """A gateway with these endpoints, their slugs with hyphens."""
    named = {slug.replace("_", "-"): one for slug, one in endpoints.items()}
    return SandboxOptions(vendors=VendorOptions(x402layer=X402LayerOptions(endpoints=named)))


def build(buyer: Buyer, **change: Any) -> Build:
    """What the official script signs: valid for an hour."""
    return replace(buyer.build, valid_for_s=3_600, **change)


def v1(buyer: Buyer, **change: Any) -> dict[str, Any]:
    made = build(buyer, **change)
    payload = made.payload()
    return {"x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payload}


async def present(
    buyer: Buyer, document: object, path: str = PLAIN + PURCHASE, **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await buyer.send("GET", path, None, {"X-Payment": encode(document), **named})


def credits(buyer: Buyer, slug: str = "plain", wallet: str = PAYER.address) -> int:
    balance = buyer.sandbox.vendors.x402layer.account(slug, wallet).balance
    assert int(balance) == balance
    return int(balance)


async def terms(buyer: Buyer, slug: str) -> dict[str, Any]:
    answer = await buyer.send("GET", f"/x402layer/e/{slug}", None, WALLET)
    assert 402 == answer.status, answer.body
    found: dict[str, Any] = answer.json
    return found


# --- the terms ---


async def test_out_of_credits(buyer: Buyer) -> None:
    """A wallet without credits is told what a package costs, and where people buy it."""
    found = await terms(buyer, "weather-data")

    assert ("Insufficient credits", 1, 0) == (
        found["error"],
        found["x402Version"],
        found["current_balance"],
    )
    assert {"size": 69, "price": 0.01} == found["credit_package"]
    assert "https://studio.x402layer.cc/pay/credits/weather-data" == found["purchase_url"]
    assert f"eip155:84532/erc20:{USDC}" == found["accepts"][0]["asset"]


async def test_dialects(buyer: Buyer) -> None:
    """One endpoint leaves out what another writes, and spells it otherwise."""
    plain = await terms(buyer, "plain")
    terse = await terms(buyer, "terse")
    schemeless = await terms(buyer, "schemeless")

    assert "purchaseUrl" in plain
    assert "purchase_url" not in plain
    assert {
        "scheme": "exact",
        "network": "base-sepolia",
        "maxAmountRequired": "10000",
        "payTo": PAY_TO,
        "asset": USDC,
        "resource": buyer.sandbox.url + PLAIN,
        "description": "Credits for plain",
        "mimeType": "application/json",
        "maxTimeoutSeconds": 3_600,
        "extra": {"name": "USDC", "version": "2"},
    } == plain["accepts"][0]
    assert f"base:84532/erc20:{USDC}" == terse["accepts"][0]["asset"]
    assert {"network", "maxAmountRequired", "payTo", "asset", "extra"} == terse["accepts"][0].keys()
    assert {"scheme"} == plain["accepts"][0].keys() - schemeless["accepts"][0].keys()


async def test_solana_terms(buyer: Buyer) -> None:
    """An endpoint may be paid on Solana alone, or on either chain."""
    alone, both = await terms(buyer, "solana-pack"), await terms(buyer, "both")

    assert ["solana-devnet"] == [entry["network"] for entry in alone["accepts"]]
    assert {"feePayer": str(buyer.sandbox.solana.fee_payer)} == alone["accepts"][0]["extra"]
    assert SOLANA_PAY_TO == alone["accepts"][0]["payTo"]
    assert ["base-sepolia", "solana-devnet"] == [entry["network"] for entry in both["accepts"]]


async def test_purchase_terms(buyer: Buyer) -> None:
    """A purchase without a payment gets the terms too, also without a wallet."""
    answer = await buyer.send("GET", PLAIN + PURCHASE)

    assert 402 == answer.status
    assert 0 == answer.json["current_balance"]


async def test_unknown_endpoint(buyer: Buyer) -> None:
    """An endpoint that is not there is a 404, everywhere."""
    assert 404 == (await buyer.send("GET", "/x402layer/e/nothing")).status
    assert (
        404 == (await buyer.send("GET", "/x402layer/api/credits/balance?endpoint=nothing")).status
    )


# --- buying ---


async def test_purchase(buyer: Buyer) -> None:
    """A package is paid for once, and its credits are at that endpoint alone."""
    answer = await present(buyer, v1(buyer), x_wallet_address=PAYER.address)
    account = buyer.sandbox.vendors.x402layer.account("plain", PAYER.address)

    assert 200 == answer.status
    assert {
        "success": True,
        "credits_added": 69,
        "balance": 69,
        "tx_hash": buyer.books.settlements[0].transaction,
    } == answer.json
    assert (69, Usdc(10_000), Usdc(10_000)) == (
        credits(buyer),
        account.paid,
        buyer.books.settled_total,
    )
    assert 0 == credits(buyer, "terse")


async def test_without_wallet(buyer: Buyer) -> None:
    """Without a wallet's name the credits are the payer's, in whatever case it is spelled."""
    await present(buyer, v1(buyer))

    assert 69 == credits(buyer, wallet=PAYER.address.lower())


async def test_once(buyer: Buyer) -> None:
    """A payment that comes again buys nothing again, nor at another endpoint."""
    document = v1(buyer)
    await present(buyer, document)
    again = await present(buyer, document)
    elsewhere = await present(buyer, document, "/x402layer/e/terse" + PURCHASE)

    assert (400, {"error": "Nonce already used"}) == (again.status, again.json)
    assert (400, {"error": "Nonce already used"}) == (elsewhere.status, elsewhere.json)
    assert (69, 0, 1) == (
        credits(buyer),
        credits(buyer, "terse"),
        len(buyer.books.settlements),
    )


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"value": 9_999}, 400, "Failed to verify payment: Bad Request"),
        ({"value": 10_001}, 400, "Failed to verify payment: Bad Request"),
        ({"to": STRANGER.address}, 400, "Failed to verify payment: Bad Request"),
        ({"valid_for_s": 3_606}, 400, "validBefore expired"),
        ({"valid_for_s": -1}, 400, "validBefore expired"),
        ({"signer": STRANGER}, 401, "Invalid signature"),
        ({"domain": {"name": "USD Coin"}}, 401, "Invalid signature"),
    ],
)
async def test_bad_payment(buyer: Buyer, change: dict[str, Any], status: int, error: str) -> None:
    """A payment that is no good is refused, and nothing moves."""
    made = replace(build(buyer), **change)
    document = v1(buyer) | {"payload": made.payload()}
    answer = await present(buyer, document)

    assert (status, {"error": error}) == (answer.status, answer.json)
    assert (0, Usdc(0)) == (credits(buyer), buyer.books.settled_total)
    assert 1 == len(buyer.books.presentations)


@pytest.mark.parametrize(
    "spoil",
    [
        {"x402Version": 2},
        {"x402Version": True},
        {"x402Version": "1"},
        {"scheme": "upto"},
        {"network": "base"},
        {"network": "eip155:84532"},
        {"accepted": {}},
        {"payload": {}},
        {"payload": {"transaction": "AAAA"}},
    ],
)
async def test_malformed(buyer: Buyer, spoil: dict[str, object]) -> None:
    """A payment is x402 v1 to the letter."""
    answer = await present(buyer, v1(buyer) | spoil)

    assert 400 == answer.status
    assert Usdc(0) == buyer.books.settled_total


@pytest.mark.parametrize("header", ["", "e30", "{}", "é"])
async def test_unreadable(buyer: Buyer, header: str) -> None:
    """What is not JSON in base64 is no payment."""
    headers = {"X-Payment": header}

    assert 400 == (await buyer.send("GET", PLAIN + PURCHASE, None, headers)).status


@pytest.mark.parametrize("name", ["PAYMENT-SIGNATURE", "X-402-Payment"])
async def test_other_headers(buyer: Buyer, name: str) -> None:
    """A payment under another name is not read."""
    answer = await buyer.send("GET", PLAIN + PURCHASE, None, {name: encode(v1(buyer))})

    assert 400 == answer.status
    assert Usdc(0) == buyer.books.settled_total


async def test_two_headers(buyer: Buyer) -> None:
    """Two payments at once are one too many."""
    sent = encode(v1(buyer))
    async with buyer._session.get(
        buyer.sandbox.url + PLAIN + PURCHASE, headers=[("X-Payment", sent), ("X-Payment", sent)]
    ) as answer:
        status = answer.status

    assert 400 == status
    assert Usdc(0) == buyer.books.settled_total


async def test_wallet_is_the_payer(buyer: Buyer) -> None:
    """Credits that somebody else pays for are not sold."""
    answer = await present(buyer, v1(buyer), x_wallet_address=STRANGER.address)

    assert 400 == answer.status
    assert Usdc(0) == buyer.books.settled_total


async def test_self_payment(shop: Open) -> None:
    """Nobody pays to itself."""
    buyer = await shop(selling(own=Endpoint(pay_to=PAYER.address)))
    document = v1(buyer, to=PAYER.address)
    answer = await present(buyer, document, "/x402layer/e/own" + PURCHASE)

    assert (400, {"error": "Self-payment is not allowed"}) == (answer.status, answer.json)


# --- Solana ---


def solana(buyer: Buyer, *, memos: int = 0, **change: Any) -> dict[str, Any]:
    ledger = buyer.sandbox.solana
    made = SolanaBuild(
        ledger.fee_payer,
        ledger.blocks.head().blockhash,
        pay_to=Pubkey.from_string(SOLANA_PAY_TO),
        rest=(memo(),) * memos,
    )
    payload = {"transaction": replace(made, **change).base64()}
    return {"x402Version": 1, "scheme": "exact", "network": "solana-devnet", "payload": payload}


@pytest.mark.parametrize("memos", [0, 1])
async def test_solana_purchase(buyer: Buyer, memos: int) -> None:
    """A package is sold on Solana, once, for exactly its price."""
    document = solana(buyer, memos=memos)
    path = "/x402layer/e/solana-pack" + PURCHASE
    wallet = str(SOLANA_PAYER.pubkey())
    answer = await present(buyer, document, path, x_wallet_address=wallet)
    again = await present(buyer, document, path)

    assert 200 == answer.status, answer.body
    assert 400 == again.status
    assert 69 == credits(buyer, "solana-pack", wallet)
    assert 10_000 == buyer.sandbox.solana.balance(SOLANA_PAY_TO)


async def test_bare_solana(shop: Open) -> None:
    """An endpoint may insist on three instructions, and take no memo."""
    buyer = await shop(selling(bare=Endpoint(evm=False, solana=True, solana_bare=True)))
    path = "/x402layer/e/bare" + PURCHASE

    assert 400 == (await present(buyer, solana(buyer, memos=1), path)).status
    assert 200 == (await present(buyer, solana(buyer), path)).status


async def test_bad_solana(buyer: Buyer) -> None:
    """A bad transaction is refused in the gateway's own words."""
    path = "/x402layer/e/solana-pack" + PURCHASE
    cheap = await present(buyer, solana(buyer, amount=9_999), path)
    evm = await present(buyer, v1(buyer), path)
    garbage = await present(buyer, solana(buyer) | {"payload": {"transaction": "AAAA"}}, path)

    assert (400, "Failed to verify payment: Bad Request") == (cheap.status, cheap.json["error"])
    assert [400, 400] == [evm.status, garbage.status]
    assert 0 == buyer.sandbox.solana.balance(SOLANA_PAY_TO)


async def test_canonical_header(buyer: Buyer) -> None:
    """On Solana too the header is canonical base64: no bit in it stands for nothing."""
    text = json.dumps(solana(buyer)).encode()
    text += b" " * (2 - len(text) % 3)
    header = base64.b64encode(text).decode()
    stray = header[:-2] + chr(ord(header[-2]) + 1) + "="
    path = "/x402layer/e/solana-pack" + PURCHASE
    answers = [await buyer.send("GET", path, None, {"X-Payment": one}) for one in (stray, header)]

    assert base64.b64decode(stray) == text
    assert [400, 200] == [answer.status for answer in answers]


async def test_solana_on_evm(buyer: Buyer) -> None:
    """A Solana transaction pays nothing where the network is another."""
    document = solana(buyer) | {"network": "base-sepolia"}

    assert 400 == (await present(buyer, document)).status
    assert 0 == credits(buyer)


async def test_mainnet_names(shop: Open) -> None:
    """On the main networks the entries name base and solana."""
    options = SandboxOptions(network="eip155:8453", vendors=VendorOptions(solana_network=SOLANA))
    buyer = await shop(options)
    found = await terms(buyer, "both")
    terse = await terms(buyer, "terse")

    assert ["base", "solana"] == [entry["network"] for entry in found["accepts"]]
    assert "USD Coin" == found["accepts"][0]["extra"]["name"]
    assert terse["accepts"][0]["asset"].startswith("base:8453/erc20:0x8335")
    assert SOLANA_DEVNET != buyer.sandbox.solana.network


# --- calling ---


@pytest.fixture
async def rich(buyer: Buyer) -> Buyer:
    """A buyer with a package at one endpoint."""
    assert 200 == (await present(buyer, v1(buyer))).status
    return buyer


async def test_call(rich: Buyer) -> None:
    """A call takes a credit; its query reaches the origin."""
    answer = await rich.send("POST", PLAIN + "/forecast?city=Bern&useCredits=1", b"{}", WALLET)

    assert 200 == answer.status
    assert ("POST", "/forecast", [["city", "Bern"], ["useCredits", "1"]]) == (
        answer.json["method"],
        answer.json["path"],
        answer.json["query"],
    )
    assert 68 == credits(rich)


async def test_until_the_last(shop: Open) -> None:
    """Credits last as long as they last, and not a call longer."""
    buyer = await shop(selling(small=Endpoint(package_size=5, credits_per_call=2)))
    path = "/x402layer/e/small"
    await present(buyer, v1(buyer), path + PURCHASE)
    answers = [await buyer.send("GET", path, None, WALLET) for _ in range(3)]

    assert [200, 200, 402] == [answer.status for answer in answers]
    assert 1 == answers[2].json["current_balance"]
    assert (1, 2) == (
        credits(buyer, "small"),
        buyer.sandbox.vendors.x402layer.account("small", PAYER.address).served,
    )


async def test_somebody_elses_credits(rich: Buyer) -> None:
    """Whoever names a wallet spends its credits: there is no signature."""
    named: dict[str, str] = {"x-wallet-address": PAYER.address.lower()}

    assert 200 == (await rich.send("GET", PLAIN, None, named)).status
    assert 68 == credits(rich)


@pytest.mark.parametrize("wallet", ["", "me", "0x12", "1" * 100])
async def test_bad_wallet(rich: Buyer, wallet: str) -> None:
    """A wallet is an address."""
    assert 400 == (await rich.send("GET", PLAIN, None, {"x-wallet-address": wallet})).status
    assert 69 == credits(rich)


async def test_payment_on_a_call(rich: Buyer) -> None:
    """A payment has no place on a call that takes credits."""
    document = v1(rich, nonce="0x" + "cd" * 32)
    answer = await present(rich, document, PLAIN, x_wallet_address=PAYER.address)

    assert 400 == answer.status
    assert (69, Usdc(10_000)) == (credits(rich), rich.books.settled_total)


async def test_openai_behind_it(rich: Buyer) -> None:
    """What an endpoint serves can be an OpenAI API, streamed."""
    async with openai.AsyncOpenAI(
        base_url=rich.sandbox.url + PLAIN + "/v1",
        api_key="any",
        max_retries=0,
        default_headers=WALLET,
    ) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert "The sandbox heard: hello" == text
    assert 68 == credits(rich)


async def test_refused_by_the_origin(rich: Buyer) -> None:
    """What the origin refuses costs no credit."""
    answer = await rich.send("POST", PLAIN + "/v1/chat/completions", b"nonsense", WALLET)

    assert 400 == answer.status
    assert 69 == credits(rich)


# --- balance ---


async def test_old_balance(rich: Buyer) -> None:
    """The documented way to the balance: the endpoint in the query, the wallet in the header."""
    path = "/x402layer/api/credits/balance?endpoint="
    found = await rich.send("GET", path + "plain", None, WALLET)

    assert {"credits": 69, "endpoint": "plain"} == found.json
    assert 404 == (await rich.send("GET", path + "weather-data", None, WALLET)).status
    assert 400 == (await rich.send("GET", path + "plain")).status


async def test_new_balance(rich: Buyer) -> None:
    """The official script's way to the balance: all in the query."""
    await present(rich, v1(rich, nonce="0x" + "cd" * 32), "/x402layer/e/weather-data" + PURCHASE)
    query = f"?action=balance&wallet={PAYER.address}"
    found = await rich.send("GET", "/x402layer/e/weather-data" + query)

    assert {"balance": 69} == found.json
    assert 404 == (await rich.send("GET", PLAIN + query)).status
    assert 404 == (await rich.send("GET", "/x402layer/e/direct" + query)).status
    assert 405 == (await rich.send("POST", "/x402layer/e/weather-data" + query)).status
    assert 400 == (await rich.send("GET", "/x402layer/e/weather-data?action=balance")).status


async def test_unreadable_balance(rich: Buyer) -> None:
    """A balance can be a page of HTML."""
    rich.sandbox.vendors.conduct.add("x402layer", Misdeed.BALANCE_UNREADABLE, times=2)
    query = f"?action=balance&wallet={PAYER.address}"
    old = await rich.send("GET", "/x402layer/api/credits/balance?endpoint=plain", None, WALLET)
    new = await rich.send("GET", "/x402layer/e/both" + query)

    assert [200, 200] == [old.status, new.status]
    assert [True, True] == [answer.body.startswith(b"<html>") for answer in (old, new)]


# --- direct ---


def claims(token: str) -> Any:
    """What the receipt's token says."""
    head, body, signature = token.split(".")
    assert 256 == len(base64.urlsafe_b64decode(signature + "=="))
    assert "RS256" == json.loads(base64.urlsafe_b64decode(head + "=="))["alg"]
    return json.loads(base64.urlsafe_b64decode(body + "=="))


@pytest.mark.parametrize("query", ["", PURCHASE])
async def test_direct(buyer: Buyer, query: str) -> None:
    """A direct endpoint sells one call for one payment, and confirms it with a token."""
    path = "/x402layer/e/direct" + query
    required = await buyer.send("GET", path)
    answer = await present(buyer, v1(buyer), path)
    said = claims(answer.headers["X-X402-Receipt-Token"])

    assert (402, "Payment required") == (required.status, required.json["error"])
    assert "credit_package" not in required.json
    assert (200, True) == (answer.status, answer.json["ok"])
    assert ("0.01", "USDC", PAYER.address, "direct") == (
        said["amount"],
        said["currency"],
        said["payer_wallet"],
        said["source_slug"],
    )
    assert buyer.books.settlements[0].transaction == said["tx_hash"]
    assert ("https://api.x402layer.cc", "x402layer:receipt") == (said["iss"], said["aud"])


async def test_direct_amount(shop: Open) -> None:
    """The token tells dollars with two digits at least."""
    buyer = await shop(selling(dear=Endpoint(direct=True, price=Usdc(1_000_000))))
    answer = await present(buyer, v1(buyer, value=1_000_000), "/x402layer/e/dear")

    assert "1.00" == claims(answer.headers["X-X402-Receipt-Token"])["amount"]


async def test_direct_post(buyer: Buyer) -> None:
    """The method and the body of the call stay, and reach the origin."""
    sent = {"X-Payment": encode(v1(buyer))}
    answer = await buyer.send("POST", "/x402layer/e/direct/search", b'{"q": 1}', sent)
    again = await buyer.send("POST", "/x402layer/e/direct/search", b'{"q": 1}', sent)

    assert ("POST", "/search") == (answer.json["method"], answer.json["path"])
    assert 400 == again.status
    assert Usdc(10_000) == buyer.books.settled_total


async def test_direct_refused(buyer: Buyer) -> None:
    """What the origin refuses is not settled."""
    sent = {"X-Payment": encode(v1(buyer))}
    path = "/x402layer/e/direct/v1/chat/completions"

    assert 400 == (await buyer.send("POST", path, b"nonsense", sent)).status
    assert Usdc(0) == buyer.books.settled_total


async def test_free_of_charge(shop: Open) -> None:
    """A price of nothing still wants a signed payment."""
    buyer = await shop(selling(free=Endpoint(direct=True, price=Usdc(0))))

    assert 402 == (await buyer.send("GET", "/x402layer/e/free")).status
    assert 200 == (await present(buyer, v1(buyer, value=0), "/x402layer/e/free")).status


# --- misconduct ---


@pytest.mark.parametrize(
    ("misdeed", "status", "balance", "settled"),
    [
        (Misdeed.TOP_UP_REFUSED, 402, 0, 0),
        (Misdeed.TOP_UP_TAKEN_BUT_402, 402, 0, 10_000),
        (Misdeed.TOP_UP_UNCREDITED, 200, 0, 10_000),
        (Misdeed.TOP_UP_409, 409, 0, 0),
        (Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, 504, 69, 10_000),
    ],
)
async def test_misdeeds(
    buyer: Buyer, misdeed: Misdeed, status: int, balance: int, settled: int
) -> None:
    """It can take the money and say otherwise, or the other way round."""
    buyer.sandbox.vendors.conduct.add("x402layer", misdeed)
    answer = await present(buyer, v1(buyer))

    assert (status, balance) == (answer.status, credits(buyer))
    assert Usdc(settled) == buyer.books.settled_total


async def test_402_whatever_the_wallet_has(rich: Buyer) -> None:
    """A call can be answered 402 although there are credits."""
    rich.sandbox.vendors.conduct.add("x402layer", Misdeed.DIEM_402)

    assert 402 == (await rich.send("GET", PLAIN, None, WALLET)).status
    assert 200 == (await rich.send("GET", PLAIN, None, WALLET)).status


@pytest.mark.parametrize("change", [{"evm": False}, {"package_size": 0}, {"credits_per_call": 0}])
def test_impossible_endpoints(change: dict[str, Any]) -> None:
    """An endpoint takes money, and sells whole credits."""
    with pytest.raises(ValueError, match=r"money|credits"):
        Endpoint(**change)
