"""Nodit: the sign-in, the token, credit and charges."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.chains import SOLANA
from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO, NoditOptions, VendorOptions
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import (
    OTHER,
    Customer,
    Evm,
    Solana,
    Text,
    solana_transaction,
)
from tests.world.fakes import FakeClock
from tests.world.payment_builder import Build, decode, encode

BLOCK = "/nodit/credit/v1/ethereum/mainnet/blockchain/getBlockByHashOrNumber"
NODE = "/nodit/credit/ethereum/mainnet/json-rpc"
CHARGE = "/nodit/credit/charge"
BALANCE = "/nodit/credit/balance"
RPC = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
AMOUNT = 1_000_000
VECTORS = json.loads(
    (Path(__file__).parents[3] / "conformance/vectors/vectors.json").read_text("utf-8")
)["siwx"]


class Member:
    """A wallet with a token."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.buyer = customer.buyer
        self.token = ""

    @property
    def text(self) -> Text:
        text = self.customer.text
        return replace(
            text,
            statement=f"Sign in to {text.domain}",
            uri=f"http://{text.domain}",
            life=timedelta(minutes=10),
        )

    @property
    def account(self) -> Account:
        return self.buyer.sandbox.vendors.nodit.account(self.customer.wallet.address)

    async def auth(self, text: Text | None = None, **changed: str) -> Answer:
        text = text or self.text
        document = {"message": str(text), "signature": text.wallet.sign(str(text)), **changed}
        return await self.buyer.send("POST", "/nodit/auth", json.dumps(document).encode())

    async def sign_in(self) -> Member:
        answer = await self.auth()
        assert 200 == answer.status, answer.body
        self.token = answer.json["accessToken"]
        return self

    async def send(self, path: str, document: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self.token}"
        if document is None:
            return await self.buyer.send("GET", path, None, named)
        return await self.buyer.send("POST", path, json.dumps(document).encode(), named)

    @property
    def build(self) -> Build:
        """A good payment of a dollar, with a new nonce."""
        return replace(self.customer.build, value=AMOUNT, valid_for_s=300)

    async def terms(self, amount: int = AMOUNT) -> dict[str, Any]:
        answer = await self.send(CHARGE, {"amount": str(amount)})
        assert 402 == answer.status, answer.body
        return decode(answer.headers["PAYMENT-REQUIRED"])

    async def document(self, build: Build | None = None) -> dict[str, Any]:
        """A payment as documented."""
        made = build or self.build
        paid = made.v2(await self.terms(made.value))
        paid["resource"] = {
            "url": self.buyer.sandbox.url + CHARGE,
            "description": "Credit charge",
            "mimeType": "application/json",
        }
        return paid

    async def present(self, document: object, amount: int = AMOUNT) -> Answer:
        body = {"amount": str(amount)}
        return await self.send(CHARGE, body, PAYMENT_SIGNATURE=encode(document))

    async def charge(self, build: Build | None = None) -> Answer:
        made = build or self.build
        return await self.present(await self.document(made), made.value)


@pytest.fixture
async def member(buyer: Buyer) -> Member:
    """A wallet that is signed in and has no credit."""
    return await Member(Customer(buyer)).sign_in()


@pytest.fixture
async def rich(shop: Open) -> Member:
    """A wallet that is signed in and has credit for ten calls."""
    nodit = NoditOptions(starting_credit=1_000)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    return await Member(Customer(buyer)).sign_in()


def told(member: Member, misdeed: Misdeed, **more: Any) -> None:
    member.buyer.sandbox.vendors.conduct.add("nodit", misdeed, **more)


# --- sign-in ---


@pytest.mark.parametrize("name", ["nodit_evm", "nodit_solana"])
async def test_vectors(shop: Open, name: str) -> None:
    """The vectors sign in, once."""
    vendors = VendorOptions(solana_network=SOLANA, domains=frozenset({"x402.nodit.io"}))
    clock = FakeClock(datetime(2025, 1, 1, 0, 0, 1, tzinfo=UTC))
    buyer = await shop(SandboxOptions(network="eip155:8453", vendors=vendors), clock)
    body = json.dumps(VECTORS[name]["body"]).encode()
    first = await buyer.send("POST", "/nodit/auth", body)
    second = await buyer.send("POST", "/nodit/auth", body)

    assert [200, 401] == [first.status, second.status]
    assert ["accessToken"] == list(first.json)
    assert "NONCE_REUSED" == second.json["code"]


async def test_token(member: Member) -> None:
    """The token is a JWT that says when it ends, an hour from now."""
    head, claims, _ = member.token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    now_s = member.buyer.now_s

    assert {"alg": "HS256", "typ": "JWT"} == json.loads(base64.urlsafe_b64decode(head + "=="))
    assert (now_s, now_s + 3_600) == (said["iat"], said["exp"])
    assert 1 == len(member.account.sign_ins)


@pytest.mark.parametrize("wallet", [Evm(), Solana()])
async def test_either_kind(buyer: Buyer, wallet: Evm | Solana) -> None:
    """Either kind of wallet signs in, and the token is good for many requests."""
    member = await Member(Customer(buyer, wallet)).sign_in()
    statuses = [(await member.send(BALANCE)).status for _ in range(2)]

    assert [200, 200] == statuses


@pytest.mark.parametrize(
    ("status", "expected", "change"),
    [
        (401, "DOMAIN_MISMATCH", lambda text: replace(text, domain="x402.nodit.io")),
        (401, "INVALID_MESSAGE", lambda text: replace(text, statement="Sign in to Venice AI")),
        (401, "INVALID_MESSAGE", lambda text: replace(text, statement=None)),
        (401, "INVALID_MESSAGE", lambda text: replace(text, uri="http://elsewhere.example")),
        (401, "INVALID_MESSAGE", lambda text: replace(text, life=None)),
        (401, "INVALID_MESSAGE", lambda text: replace(text, life=timedelta(minutes=11))),
        (401, "MISSING_NONCE", lambda text: replace(text, nonce="0123456789abcdef")),
        (401, "UNSUPPORTED_CHAIN", lambda text: replace(text, chain_id="1")),
        (401, "EXPIRED", lambda text: replace(text, issued=text.issued - timedelta(minutes=10))),
        (
            401,
            "FUTURE_TIMESTAMP",
            lambda text: replace(text, issued=text.issued + timedelta(seconds=31)),
        ),
        (400, "PARSE_ERROR", lambda text: replace(text, tail="\n")),
    ],
)
async def test_sign_in_refused(
    buyer: Buyer, status: int, expected: str, change: Callable[[Text], Text]
) -> None:
    """A sign-in with one thing wrong is refused."""
    member = Member(Customer(buyer))
    answer = await member.auth(change(member.text))

    assert (status, expected) == (answer.status, answer.json["code"])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"message": "x"}', b'{"message": 1, "signature": 2}']
)
async def test_not_a_sign_in(buyer: Buyer, body: bytes) -> None:
    """What is not a sign-in is a 400."""
    assert 400 == (await buyer.send("POST", "/nodit/auth", body)).status


async def test_bad_signature(buyer: Buyer) -> None:
    """Another wallet's signature is refused, and uses up nothing."""
    member = Member(Customer(buyer))
    text = member.text
    bad = await member.auth(text, signature=OTHER.sign(str(text)))
    good = await member.auth(text)

    assert ([401, "INVALID_SIGNATURE"], 200) == ([bad.status, bad.json["code"]], good.status)


async def test_expired_on_demand(buyer: Buyer) -> None:
    """On demand a good sign-in is called expired, once."""
    member = Member(Customer(buyer))
    told(member, Misdeed.SIGN_IN_EXPIRED_ONCE)
    statuses = [(await member.auth()).status for _ in range(2)]

    assert [401, 200] == statuses


# --- tokens ---


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer a.b.c", "Basic {token}", "bearer{token}"])
async def test_bad_token(member: Member, header: str) -> None:
    """Without a token that is good, everything is a 401."""
    headers = {"Authorization": header.format(token=member.token)}
    answer = await member.buyer.send("GET", BALANCE, None, headers)

    assert (401, {"code", "message"}) == (answer.status, answer.json.keys())


async def test_changed_token(member: Member) -> None:
    """A token whose claims were changed is refused."""
    head, claims, mac = member.token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    said["exp"] += 3_600
    changed = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    member.token = f"{head}.{changed}.{mac}"

    assert 401 == (await member.send(BALANCE)).status


async def test_token_ends(member: Member) -> None:
    """A token is good for an hour."""
    member.buyer.clock.advance(3_599)
    before = await member.send(BALANCE)
    member.buyer.clock.advance(1)

    assert (200, 401) == (before.status, (await member.send(BALANCE)).status)


async def test_token_life(shop: Open) -> None:
    """The options say how long."""
    nodit = NoditOptions(jwt_life_s=10)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    member = await Member(Customer(buyer)).sign_in()
    buyer.clock.advance(10)

    assert 401 == (await member.send(BALANCE)).status


async def test_revoked_on_demand(member: Member) -> None:
    """On demand one token is refused for ever; a new one is good."""
    told(member, Misdeed.JWT_REVOKED_ONCE)
    first, second = await member.send(BALANCE), await member.send(BALANCE)
    await member.sign_in()

    assert [401, 401] == [first.status, second.status]
    assert 200 == (await member.send(BALANCE)).status


# --- the API ---


async def test_call(rich: Member) -> None:
    """A call is answered, and its price is taken from the credit, as a whole number."""
    answer = await rich.send(BLOCK, {"block": "latest"})

    assert (200, "getBlockByHashOrNumber") == (answer.status, answer.json["operation"])
    assert {"balance": 900} == (await rich.send(BALANCE)).json
    assert (Decimal(100), BLOCK) == (rich.account.charges[0].amount, rich.account.charges[0].path)


async def test_json_rpc(rich: Member) -> None:
    """JSON-RPC is answered by id; a batch costs what its calls cost."""
    one = await rich.send(NODE, RPC)
    two = await rich.send(NODE, [RPC, RPC | {"id": 2}])

    assert 1 == one.json["id"]
    assert [1, 2] == [answer["id"] for answer in two.json]
    assert {"balance": 700} == (await rich.send(BALANCE)).json


@pytest.mark.parametrize("document", [[], [1], {"method": "x"}, "x"])
async def test_no_sense(rich: Member, document: object) -> None:
    """What makes no sense is a 400, and costs nothing."""
    assert 400 == (await rich.send(NODE, document)).status
    assert {"balance": 1_000} == (await rich.send(BALANCE)).json


async def test_web3_body(rich: Member) -> None:
    """A web3 call has an object for its body."""
    assert 400 == (await rich.send(BLOCK, [])).status


async def test_out_of_credit(member: Member) -> None:
    """Without credit a call is a 402 with the terms in its header."""
    answer = await member.send(BLOCK, {})
    required = decode(answer.headers["PAYMENT-REQUIRED"])

    assert 402 == answer.status
    assert ["10000", "10000"] == [entry["amount"] for entry in required["accepts"]]
    assert "accepts" not in answer.json
    assert ["INSUFFICIENT_CREDIT"] == [refused.code for refused in member.account.refusals]


async def test_exact_credit(shop: Open) -> None:
    """Credit for just one call is enough for it."""
    nodit = NoditOptions(starting_credit=100)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    member = await Member(Customer(buyer)).sign_in()

    assert [200, 402] == [
        (await member.send(BLOCK, {})).status,
        (await member.send(BLOCK, {})).status,
    ]


async def test_last_credit(shop: Open) -> None:
    """Credit is spent to its end and no further."""
    nodit = NoditOptions(starting_credit=199)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit), handler_delay_s=0.1))
    member = await Member(Customer(buyer)).sign_in()
    answers = await asyncio.gather(*(member.send(BLOCK, {}) for _ in range(2)))

    assert [200, 402] == sorted(answer.status for answer in answers)
    assert Decimal(99) == member.account.balance


async def test_payment_with_a_call(rich: Member) -> None:
    """A payment belongs to a charge, not to a call."""
    assert 400 == (await rich.send(BLOCK, {}, PAYMENT_SIGNATURE="e30=")).status
    assert 400 == (await rich.send(BLOCK, {}, X_PAYMENT="e30=")).status


async def test_402_on_demand(rich: Member) -> None:
    """On demand a call is a 402 whatever the credit is."""
    told(rich, Misdeed.DIEM_402)

    assert [402, 200] == [(await rich.send(BLOCK, {})).status, (await rich.send(BLOCK, {})).status]


async def test_unreadable_balance(member: Member) -> None:
    """On demand the balance is not to be read, once."""
    told(member, Misdeed.BALANCE_UNREADABLE)

    assert "text/html" in (await member.send(BALANCE)).headers["Content-Type"]
    assert {"balance": 0} == (await member.send(BALANCE)).json


async def test_healthcheck(buyer: Buyer) -> None:
    """The health check is for everybody."""
    assert 200 == (await buyer.send("GET", "/nodit/healthcheck")).status


# --- charges ---


async def test_terms(member: Member) -> None:
    """A bare charge is a 402 whose terms stand in the header alone."""
    answer = await member.send(CHARGE, {"amount": "1000000"})
    evm, solana = decode(answer.headers["PAYMENT-REQUIRED"])["accepts"]

    assert (402, {}) == (answer.status, answer.json)
    assert {
        "network": "eip155:84532",
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "payTo": member.buyer.sandbox.pay_to,
        "amount": "1000000",
        "maxTimeoutSeconds": 3600,
        "scheme": "exact",
        "extra": {"name": "USDC", "version": "2"},
    } == evm
    assert {"name", "version", "feePayer"} == solana["extra"].keys()
    assert "maxTimeoutSeconds" not in solana


async def test_charge(member: Member) -> None:
    """A charge buys credit, which then pays for calls."""
    answer = await member.charge()
    (top_up,) = member.account.top_ups

    assert 200 == answer.status
    assert {
        "balance": AMOUNT,
        "paymentResponse": {"txHash": top_up.transaction},
    } == answer.json
    assert (Usdc(AMOUNT), Decimal(AMOUNT)) == (top_up.amount, top_up.credited)
    assert 200 == (await member.send(BLOCK, {})).status
    assert {"balance": AMOUNT - 100} == (await member.send(BALANCE)).json


async def test_mainnet_domain(shop: Open) -> None:
    """On Base the terms say "USDC", and only a signature over "USD Coin" is good."""
    buyer = await shop(SandboxOptions(network="eip155:8453"))
    member = Member(Customer(buyer))
    answer = await member.auth(replace(member.text, chain_id="8453"))
    member.token = answer.json["accessToken"]
    naive = await member.charge(replace(member.build, domain={"name": "USDC"}))
    right = await member.charge()

    assert "USDC" == (await member.terms())["accepts"][0]["extra"]["name"]
    assert (402, 200) == (naive.status, right.status)


async def test_documented_resource(member: Member) -> None:
    """The resource may also be named as the documents name it."""
    document = await member.document()
    document["resource"]["url"] = "https://x402.nodit.io/credit/charge"

    assert 200 == (await member.present(document)).status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": 1000000}, "INVALID_ARGUMENT"),
        ({"amount": "1.0"}, "INVALID_ARGUMENT"),
        ({"amount": "0"}, "INVALID_ARGUMENT"),
        ({}, "INVALID_ARGUMENT"),
        ({"amount": "1000000", "more": 1}, "INVALID_ARGUMENT"),
        ({"amount": "9999"}, "AMOUNT_TOO_LOW"),
    ],
)
async def test_bad_amount(member: Member, body: object, code: str) -> None:
    """The amount is atomic units in a string, and at least the minimum."""
    answer = await member.send(CHARGE, body)

    assert (400, code) == (answer.status, answer.json["code"])


async def test_minimum(member: Member) -> None:
    """The minimum itself is enough."""
    assert 200 == (await member.charge(replace(member.build, value=10_000))).status


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """The document without what is at this path."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    *folders, name = path
    place = changed
    for folder in folders:
        place = place[folder]
    del place[name]
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda document: without(document, "accepted", "maxTimeoutSeconds"),
        lambda document: without(document, "accepted", "extra", "version"),
        lambda document: without(document, "accepted"),
        lambda document: without(document, "resource"),
        lambda document: without(document, "resource", "description"),
        lambda document: document | {"accepted": document["accepted"] | {"more": 1}},
        lambda document: document | {"accepted": document["accepted"] | {"amount": "10000"}},
        lambda document: document | {"resource": document["resource"] | {"url": "https://a/b"}},
        lambda document: document | {"x402Version": 1},
        lambda document: document | {"payload": {"transaction": "AA=="}},
        lambda document: {
            "x402Version": 2,
            "scheme": "exact",
            "network": "eip155:84532",
            "payload": document["payload"],
        },
        lambda document: [],
    ],
)
async def test_malformed(member: Member, change: Callable[[Any], object]) -> None:
    """A payment that drops or changes anything of what it was told is a 400; nothing moves."""
    answer = await member.present(change(await member.document()))

    assert (400, "INVALID_PAYMENT") == (answer.status, answer.json["code"])
    assert () == member.buyer.books.settlements


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 999_999},
        {"value": 1_000_001},
        {"to": OTHER.address},
        {"valid_for_s": 306},
        {"valid_for_s": 5},
        {"domain": {"version": "1"}},
    ],
)
async def test_bad_payment(member: Member, changed: dict[str, Any]) -> None:
    """A payment that is not good is a 402 with the reason in its terms; nothing moves."""
    build = replace(member.build, **changed)
    document = await member.document(replace(build, value=AMOUNT))
    document["payload"] = build.payload()
    answer = await member.present(document)

    assert (402, {}) == (answer.status, answer.json)
    assert decode(answer.headers["PAYMENT-REQUIRED"])["error"].startswith("invalid_exact_evm")
    assert () == member.buyer.books.settlements


async def test_other_header(member: Member) -> None:
    """A payment under a name of v1 is refused."""
    answer = await member.send(CHARGE, {"amount": "1000000"}, X_PAYMENT="e30=")

    assert 400 == answer.status


async def test_only_once(member: Member) -> None:
    """A payment that comes again is refused, and credited once."""
    document = await member.document()
    first, second = await member.present(document), await member.present(document)

    assert [200, 402] == [first.status, second.status]
    assert Decimal(AMOUNT) == member.account.balance


async def test_replays(shop: Open) -> None:
    """Where the options say so, it is answered as before."""
    nodit = NoditOptions(replays=True)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    member = await Member(Customer(buyer)).sign_in()
    document = await member.document()
    first, second = await member.present(document), await member.present(document)

    assert first.json == second.json
    assert 1 == len(member.account.top_ups)


async def test_solana(buyer: Buyer) -> None:
    """A Solana payment buys credit, too."""
    member = await Member(Customer(buyer, Solana())).sign_in()
    required = await member.terms(10_000)
    transaction = solana_transaction(buyer.sandbox.solana, Solana(), SOLANA_PAY_TO, 10_000)
    document = {
        "x402Version": 2,
        "resource": {
            "url": buyer.sandbox.url + CHARGE,
            "description": "Credit charge",
            "mimeType": "application/json",
        },
        "accepted": required["accepts"][1],
        "payload": {"transaction": transaction},
    }
    answer = await member.present(document, 10_000)

    assert (200, 10_000) == (answer.status, answer.json["balance"])


@pytest.mark.parametrize(
    ("misdeed", "status", "moved", "credited"),
    [
        (Misdeed.TOP_UP_TAKEN_BUT_402, 402, 1, 0),
        (Misdeed.TOP_UP_UNCREDITED, 200, 1, 0),
        (Misdeed.TOP_UP_REFUSED, 402, 0, 0),
        (Misdeed.TOP_UP_409, 409, 0, 0),
        (Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, 504, 1, AMOUNT),
        (Misdeed.TOP_UP_SLOW, 200, 1, AMOUNT),
    ],
)
async def test_misconduct(
    member: Member, misdeed: Misdeed, status: int, moved: int, credited: int
) -> None:
    """Each misdeed takes or leaves the money as it says."""
    told(member, misdeed)
    answer = await member.charge()

    assert status == answer.status
    assert (moved, Decimal(credited)) == (
        len(member.buyer.books.settlements),
        member.account.balance,
    )
