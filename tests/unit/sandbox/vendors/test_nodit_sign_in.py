"""Nodit: the sign-in, and the token."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar.chains import SOLANA
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import NoditOptions, VendorOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.member import (
    BALANCE,
    Member,
    told,
)
from tests.unit.sandbox.vendors.wallets import (
    OTHER,
    Customer,
    Evm,
    Solana,
    Text,
)
from tests.world.fakes import FakeClock

VECTORS = json.loads(
    (Path(__file__).parents[3] / "conformance/vectors/vectors.json").read_text("utf-8")
)["siwx"]


@pytest.fixture
async def member(buyer: Buyer) -> Member:
    """A wallet that is signed in and has no credit."""
    return await Member(Customer(buyer)).sign_in()


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
