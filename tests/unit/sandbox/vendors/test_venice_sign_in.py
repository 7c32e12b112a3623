"""Venice's sign-in header, on a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar.chains import SOLANA
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import VendorOptions, VeniceOptions
from sidecar.sandbox.vendors.siwx import Unfit
from sidecar.sandbox.vendors.venice_sign_in import read_header
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import (
    CHAT,
    MINUTES,
    OTHER,
    VENICE,
    Customer,
    Solana,
    Text,
    base64_signature,
    chat_body,
)
from tests.world.fakes import FakeClock
from tests.world.payment_builder import encode

FOLDER = Path(__file__).parents[3] / "conformance/vectors"
VECTORS = json.loads((FOLDER / "vectors.json").read_text("utf-8"))["siwx"]
CAPTURED = json.loads((FOLDER / "venice-js.json").read_text("utf-8"))["scenarios"]
VECTOR_TIME = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)


def rich(**more: Any) -> SandboxOptions:
    """A sandbox on Base whose wallets have ten dollars at Venice."""
    venice = VeniceOptions(starting_balance_usd=VeniceOptions().price_usd * 10_000)
    vendors = VendorOptions(
        solana_network=SOLANA, domains=frozenset({"api.venice.ai"}), venice=venice
    )
    return SandboxOptions(network="eip155:8453", vendors=vendors, **more)


async def call(buyer: Buyer, header: str, name: str = "SIGN-IN-WITH-X") -> Answer:
    return await buyer.send("POST", CHAT, chat_body(), {name: header})


async def refused(buyer: Buyer, document: object) -> str:
    """The code of the refusal."""
    answer = await call(buyer, encode(document))
    assert 401 == answer.status, answer.body
    return str(answer.json["code"]).removeprefix("X402_SIGN_IN_")


@pytest.fixture
async def rich_buyer(shop: Open) -> Buyer:
    venice = VeniceOptions(starting_balance_usd=VeniceOptions().price_usd * 10_000)
    return await shop(SandboxOptions(vendors=VendorOptions(venice=venice)))


@pytest.mark.parametrize("name", ["venice_evm", "venice_solana", "x402_sdk_structured_evm"])
async def test_vectors(shop: Open, name: str) -> None:
    """The vectors are let in, in either form and of either kind of wallet, once each."""
    buyer = await shop(rich(), FakeClock(VECTOR_TIME))
    header = VECTORS[name]["header_value"]
    first, second = await call(buyer, header), await call(buyer, header)

    assert (200, 401) == (first.status, second.status)
    assert "X402_SIGN_IN_NONCE_REUSED" == second.json["code"]


async def test_one_nonce_in_two_forms(shop: Open) -> None:
    """The structured form of a sign-in that was used is used, too."""
    buyer = await shop(rich(), FakeClock(VECTOR_TIME))
    await call(buyer, VECTORS["venice_evm"]["header_value"])
    again = await call(buyer, VECTORS["x402_sdk_structured_evm"]["header_value"])

    assert "X402_SIGN_IN_NONCE_REUSED" == again.json["code"]


@pytest.mark.parametrize("scenario", ["chat", "chatStream", "authFetch"])
async def test_captured(shop: Open, scenario: str) -> None:
    """What Venice's own client sent is let in, under the older name of the header."""
    (sent,) = CAPTURED[scenario]
    header = dict(sent["headers"])["X-Sign-In-With-X"]
    signed_ms = sent["decoded_headers"][0]["decoded"]["timestamp"]
    clock = FakeClock(datetime.fromtimestamp(signed_ms / 1_000, UTC))
    buyer = await shop(rich(), clock)
    answer = await buyer.send(
        "POST", CHAT, chat_body(), {"X-Sign-In-With-X": header, "Content-Type": "application/json"}
    )

    assert 200 == answer.status


async def test_records(rich_buyer: Buyer) -> None:
    """A good sign-in is written down with the account; a bad one with nobody's."""
    customer = Customer(rich_buyer)
    await customer.chat()
    await refused(rich_buyer, replace(customer.text, domain="elsewhere.example").header)
    venice = rich_buyer.sandbox.vendors.venice
    account = venice.account(customer.wallet.address)
    (signed,) = account.sign_ins

    assert ("eip155:84532", f"{1:032x}") == (signed.network, signed.nonce)
    assert ["X402_SIGN_IN_DOMAIN_MISMATCH"] == [one.code for one in venice.books.refusals]


Change = Callable[[Text], object]


def with_header(text: Text, **more: object) -> dict[str, Any]:
    return text.header | more


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("DOMAIN_MISMATCH", lambda text: replace(text, domain="api.venice.ai").header),
        ("EXPIRED", lambda text: replace(text, issued=text.issued - 6 * MINUTES).header),
        ("FUTURE_TIMESTAMP", lambda text: replace(text, issued=text.issued + MINUTES).header),
        ("UNSUPPORTED_CHAIN", lambda text: with_header(replace(text, chain_id="1"), chainId=1)),
        ("CHAIN_MISMATCH", lambda text: with_header(text, chainId=1)),
        ("CHAIN_MISMATCH", lambda text: with_header(text, chainId="base")),
        ("INVALID_CHAIN_ID", lambda text: with_header(text, chainId=None)),
        ("INVALID_CHAIN_ID", lambda text: with_header(text, chainId=True)),
        ("ADDRESS_MISMATCH", lambda text: with_header(text, address=OTHER.address)),
        ("ADDRESS_MISMATCH", lambda text: with_header(text, address=text.wallet.address.lower())),
        ("INVALID_SIGNATURE", lambda text: with_header(text, signature=OTHER.sign(str(text)))),
        ("INVALID_SIGNATURE", lambda text: with_header(text, signature="0x")),
        ("PARSE_ERROR", lambda text: with_header(text, message="hello")),
        ("INVALID_PAYLOAD", lambda text: with_header(text, message=1)),
        ("INVALID_PAYLOAD", lambda text: with_header(text, padding="")),
        ("INVALID_PAYLOAD", lambda text: with_header(text, type="ed25519")),
        ("INVALID_PAYLOAD", lambda text: with_header(text, timestamp="now")),
        (
            "TIMESTAMP_MISMATCH",
            lambda text: with_header(text, timestamp=int(text.issued.timestamp() * 1_000) + 30_001),
        ),
        ("INVALID_PAYLOAD", lambda text: []),
        ("INVALID_PAYLOAD", lambda text: {}),
    ],
)
async def test_refused(rich_buyer: Buyer, expected: str, change: Change) -> None:
    """A sign-in with one thing wrong is refused with the code for it."""
    text = Customer(rich_buyer).text

    assert expected == await refused(rich_buyer, change(text))
    assert () == rich_buyer.sandbox.vendors.venice.account(text.wallet.address).charges


@pytest.mark.parametrize("chain_id", [84532, "84532", "eip155:84532"])
async def test_chain_names(rich_buyer: Buyer, chain_id: object) -> None:
    """The chain may be named by its number, in either type, or in full."""
    header = Customer(rich_buyer).text.header | {"chainId": chain_id}

    assert 200 == (await call(rich_buyer, encode(header))).status


async def test_timestamp(rich_buyer: Buyer) -> None:
    """A timestamp within thirty seconds of the text's own time is let in."""
    text = Customer(rich_buyer).text
    stamp = int(text.issued.timestamp() * 1_000) - 30_000

    assert 200 == (await call(rich_buyer, encode(text.header | {"timestamp": stamp}))).status


async def test_solana_forms(rich_buyer: Buyer) -> None:
    """Solana's signature may be base58 or base64; its type must be said, its chain in full."""
    customer = Customer(rich_buyer, Solana())
    good = customer.text.header
    packed = customer.text.header
    packed["signature"] = base64_signature(packed["signature"])
    bare, typeless = customer.text.header, customer.text.header
    bare["chainId"] = bare["chainId"].partition(":")[2]
    del typeless["type"]

    assert 200 == (await call(rich_buyer, encode(good))).status
    assert 200 == (await call(rich_buyer, encode(packed))).status
    assert "CHAIN_MISMATCH" == await refused(rich_buyer, bare)
    assert "INVALID_PAYLOAD" == await refused(rich_buyer, typeless)


async def test_nonce_is_used_up_by_a_402(shop: Open) -> None:
    """A nonce is used up as soon as its signature is good, even if no call is served."""
    buyer = await shop()
    header = encode(Customer(buyer).text.header)
    first, second = await call(buyer, header), await call(buyer, header)

    assert (402, 401) == (first.status, second.status)
    assert "X402_SIGN_IN_NONCE_REUSED" == second.json["code"]


async def test_bad_signature_uses_up_nothing(rich_buyer: Buyer) -> None:
    """Nobody uses up another wallet's nonce without its signature."""
    good = Customer(rich_buyer).text.header
    await refused(rich_buyer, good | {"signature": OTHER.sign(good["message"])})

    assert 200 == (await call(rich_buyer, encode(good))).status


async def test_nonce_belongs_to_a_wallet(rich_buyer: Buyer) -> None:
    """Two wallets may use the same nonce."""
    one, two = Customer(rich_buyer), Customer(rich_buyer, OTHER)

    assert 200 == (await call(rich_buyer, encode(replace(one.text, nonce="f" * 16).header))).status
    assert 200 == (await call(rich_buyer, encode(replace(two.text, nonce="f" * 16).header))).status


async def test_nonce_is_forgotten_when_no_text_can_have_it(rich_buyer: Buyer) -> None:
    """After five and a half minutes a nonce may come again, in a new text."""
    customer = Customer(rich_buyer)
    first = replace(customer.text, nonce="f" * 16)
    await call(rich_buyer, encode(first.header))
    rich_buyer.clock.advance(330)
    at_the_end = replace(first, issued=rich_buyer.clock.now())
    again = await call(rich_buyer, encode(at_the_end.header))
    rich_buyer.clock.advance(1)
    after = replace(first, issued=rich_buyer.clock.now())

    assert 401 == again.status
    assert 200 == (await call(rich_buyer, encode(after.header))).status


async def test_localhost(rich_buyer: Buyer) -> None:
    """The sandbox may be called localhost; with another port it is somebody else."""
    customer = Customer(rich_buyer)
    port = customer.domain.rpartition(":")[2]
    local = replace(customer.text, domain=f"localhost:{port}")
    other = replace(customer.text, domain="localhost:1")

    assert 200 == (await call(rich_buyer, encode(local.header))).status
    assert "DOMAIN_MISMATCH" == await refused(rich_buyer, other.header)


async def test_two_headers(rich_buyer: Buyer) -> None:
    """Two sign-ins are refused: one of them is a mistake."""
    customer = Customer(rich_buyer)
    answer = await customer.send(
        "POST", CHAT, chat_body(), X_Sign_In_With_X=encode(customer.text.header)
    )

    assert "X402_SIGN_IN_INVALID_PAYLOAD" == answer.json["code"]


async def test_expired_once(rich_buyer: Buyer) -> None:
    """On demand a good sign-in is called expired, once, and used up all the same."""
    rich_buyer.sandbox.vendors.conduct.add("venice", Misdeed.SIGN_IN_EXPIRED_ONCE)
    header = encode(Customer(rich_buyer).text.header)
    first, second = await call(rich_buyer, header), await call(rich_buyer, header)

    assert ["X402_SIGN_IN_EXPIRED", "X402_SIGN_IN_NONCE_REUSED"] == [
        first.json["code"],
        second.json["code"],
    ]
    assert 200 == (await Customer(rich_buyer, OTHER).chat()).status


async def test_reads_say_less(rich_buyer: Buyer) -> None:
    """Where an account is read, every bad sign-in has the same words and no code."""
    customer = Customer(rich_buyer)
    header = encode(replace(customer.text, domain="elsewhere.example").header)
    path = f"{VENICE}/x402/balance/{customer.wallet.address}"
    answer = await rich_buyer.send("GET", path, None, {"SIGN-IN-WITH-X": header})

    assert (401, {"error": "Invalid Sign-in-with-x signature"}) == (answer.status, answer.json)


STRUCTURED = VECTORS["x402_sdk_structured_evm"]["payload"]


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        ("missing: ['nonce']", {k: v for k, v in STRUCTURED.items() if k != "nonce"}),
        ("unknown key: color", STRUCTURED | {"color": "red"}),
        ("nonce must be a string", STRUCTURED | {"nonce": 12345678}),
        ("resources must be a list", STRUCTURED | {"resources": "https://a"}),
        ("statement has a line break", STRUCTURED | {"statement": "a\n\nURI: https://b"}),
        ("type 'ed25519' for Ethereum", STRUCTURED | {"type": "ed25519"}),
        ("not a time", STRUCTURED | {"issuedAt": "yesterday"}),
        ("not a chain", STRUCTURED | {"chainId": "eip155:abc"}),
    ],
)
async def test_structured_refused(shop: Open, expected: str, document: object) -> None:
    """Structured fields are read as strictly as a text."""
    buyer = await shop(rich(), FakeClock(VECTOR_TIME))
    answer = await call(buyer, encode(document))

    assert 401 == answer.status
    if "chain" not in expected:
        assert expected in answer.json["error"]


@pytest.mark.parametrize("header", ["", "!", "e30", "e31=", encode("x"), "bnVsbA=="])
def test_not_a_header(header: str) -> None:
    """What is not canonical base64 of a JSON object is not read."""
    assert isinstance(read_header(header), Unfit)
