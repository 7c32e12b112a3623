"""Venice's own published client, unchanged, is served by the sandbox's Venice.

Each test says what the client reports, and what the sandbox's books counted, to the unit.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from sidecar.clock import SystemClock
from sidecar.money import Usdc
from sidecar.sandbox import Sandbox
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.options import VendorOptions, VeniceOptions
from tests.world.vendor_clients import (
    ADDRESS,
    KEY,
    NETWORK,
    Call,
    ClientError,
    ClientProcess,
    Open,
    sandboxes,
)

PRODUCTION = "https://api.venice.ai"
HELLO = [{"role": "user", "content": "Hello!"}]
HEARD = "The sandbox heard: Hello!"
MODEL = "kimi-k2-5"
CHAT = ("chat", {"model": MODEL, "messages": HELLO})
BELIEVED = ("believedBalance",)
TEN = Usdc(10_000_000)


@pytest.fixture
async def start() -> AsyncIterator[Open]:
    """Opens a sandbox on the client's network."""
    async with sandboxes(SystemClock()) as opened:
        yield opened


@pytest.fixture(scope="module")
def venice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientProcess]:
    folder = tmp_path_factory.mktemp("venice")
    with ClientProcess(folder, "venice-x402-client", "venice.mjs") as client:
        yield client


def account(sandbox: Sandbox) -> Account:
    return sandbox.vendors.venice.account(ADDRESS)


async def at_venice(
    client: ClientProcess,
    sandbox: Sandbox,
    *calls: Call,
    at_once: bool = False,
    may_throw: bool = False,
    **options: object,
) -> list[Any]:
    """What the client makes of these calls at this sandbox."""
    options = {"apiUrl": f"{sandbox.url}/venice", **options}
    return await client.run(*calls, key=KEY, options=options, at_once=at_once, may_throw=may_throw)


def rich(usd: str, **more: Any) -> VendorOptions:
    """Every wallet has so much before it pays anything."""
    return VendorOptions(venice=VeniceOptions(starting_balance_usd=Decimal(usd), **more))


async def test_balance(venice: ClientProcess, start: Open) -> None:
    """It signs in, and reads its balance."""
    sandbox = await start(vendors=rich("3.25"))
    told, believed = await at_venice(venice, sandbox, ("getBalance",), BELIEVED)

    assert {
        "walletAddress": ADDRESS.lower(),
        "balanceUsd": 3.25,
        "canConsume": True,
        "minimumTopUpUsd": 5,
        "suggestedTopUpUsd": 10,
    } == told
    assert 3.25 == believed
    (signed,) = account(sandbox).sign_ins
    url = f"{sandbox.url}/venice/api/v1/x402/balance/{ADDRESS}"
    assert (NETWORK, url) == (signed.network, signed.uri)


async def test_top_up(venice: ClientProcess, start: Open) -> None:
    """It buys ten dollars of credit, although the terms name five."""
    sandbox = await start(vendors=VendorOptions())
    _, believed, told = await at_venice(venice, sandbox, ("topUp", 10), BELIEVED, ("getBalance",))

    assert (10, 10) == (believed, told["balanceUsd"])
    (top_up,) = account(sandbox).top_ups
    assert (TEN, Decimal(10), ADDRESS) == (top_up.amount, top_up.credited, top_up.payer)
    (settled,) = sandbox.books.settlements
    assert (TEN, sandbox.pay_to, top_up.transaction) == (
        settled.amount,
        settled.payee,
        settled.transaction,
    )


async def test_small_top_up(venice: ClientProcess, start: Open) -> None:
    """It reads the least top-up from the terms, and asks for no less."""
    sandbox = await start(vendors=VendorOptions())
    (refused,) = await at_venice(venice, sandbox, ("topUp", 4.99), may_throw=True)

    assert ("INVALID_AMOUNT", {"minimumAmount": 5, "requestedAmount": 4.99}) == (
        refused.code,
        refused.details,
    )
    assert () == sandbox.books.presentations


async def test_chat(venice: ClientProcess, start: Open) -> None:
    """It chats, and is charged for it."""
    sandbox = await start(vendors=rich("1"))
    (answer,) = await at_venice(venice, sandbox, CHAT)

    assert HEARD == answer["choices"][0]["message"]["content"]
    assert {"usd": 0.001, "diem": 0} == answer["cost"]
    (charge,) = account(sandbox).charges
    assert (Decimal("0.001"), answer["id"], MODEL) == (
        charge.amount,
        charge.request_id,
        charge.model,
    )
    assert Decimal("0.999") == account(sandbox).balance


async def test_stream(venice: ClientProcess, start: Open) -> None:
    """It reads a stream piece by piece, the chunk with the cost included, and is charged."""
    sandbox = await start(vendors=rich("1"))
    (pieces,) = await at_venice(venice, sandbox, ("chatStream", CHAT[1]))

    assert len(pieces) > 1
    assert HEARD == "".join(pieces)
    assert (1, Decimal("0.999")) == (account(sandbox).served, account(sandbox).balance)


async def test_transactions(venice: ClientProcess, start: Open) -> None:
    """It reads its transactions, a page at a time, the newest first."""
    sandbox = await start(vendors=VendorOptions())
    calls = ("topUp", 10), CHAT, CHAT, ("getTransactions", {"limit": 2}), ("getTransactions",)
    *_, page, whole = await at_venice(venice, sandbox, *calls)

    assert {"limit": 2, "offset": 0, "hasMore": True} == page["pagination"]
    assert whole["transactions"][:2] == page["transactions"]
    rows = [(row["type"], row["amount"], row["balanceAfter"]) for row in whole["transactions"]]
    assert [("CHARGE", -0.001, 9.998), ("CHARGE", -0.001, 9.999), ("TOP_UP", 10, 10)] == rows
    assert (ADDRESS.lower(), 9.998) == (whole["walletAddress"], whole["currentBalance"])
    assert Decimal("9.998") == account(sandbox).balance


async def test_auto_top_up(venice: ClientProcess, start: Open) -> None:
    """With an empty account its own auto top-up buys credit once, and the call is served."""
    sandbox = await start(vendors=VendorOptions())
    auto = {"enabled": True, "amount": 10}
    answer, again, believed = await at_venice(venice, sandbox, CHAT, CHAT, BELIEVED, autoTopUp=auto)

    assert HEARD == answer["choices"][0]["message"]["content"]
    assert HEARD == again["choices"][0]["message"]["content"]
    assert 10 == believed
    counted = account(sandbox)
    assert ["PAYMENT_REQUIRED"] == [refused.code for refused in counted.refusals]
    assert (TEN, 2, Decimal("9.998")) == (counted.paid, counted.served, counted.balance)
    assert TEN == sandbox.books.settled_total


async def test_out_of_credit(venice: ClientProcess, start: Open) -> None:
    """Without it, the client reads from the refusal what there is, and what to buy."""
    sandbox = await start(vendors=rich("0.04"))
    (refused,) = await at_venice(venice, sandbox, CHAT, may_throw=True)

    assert (
        ClientError(
            name="VeniceError",
            message="Insufficient balance",
            code="INSUFFICIENT_BALANCE",
            details={"currentBalance": 0.04, "suggestedAmount": 10},
        )
        == refused
    )
    assert (0, Usdc(0)) == (account(sandbox).served, account(sandbox).paid)


async def test_busy(venice: ClientProcess, start: Open) -> None:
    """A call too many is refused, and its own retry, signed anew, is served."""
    sandbox = await start(vendors=rich("1", in_flight_max=1), handler_delay_s=0.5)
    answers = await at_venice(venice, sandbox, CHAT, CHAT, at_once=True)

    assert [HEARD, HEARD] == [one["choices"][0]["message"]["content"] for one in answers]
    counted = account(sandbox)
    refused = [found.code for found in counted.refusals]
    assert {"X402_CONCURRENCY_LIMIT"} == set(refused)
    assert (2, Decimal("0.998")) == (counted.served, counted.balance)
    assert 2 + len(refused) == len({signed.nonce for signed in counted.sign_ins})


async def test_balance_header(venice: ClientProcess, start: Open) -> None:
    """It believes the header that Venice documents, where the sandbox is told to send it."""
    sandbox = await start(vendors=rich("1", balance_header=True))
    _, believed = await at_venice(venice, sandbox, CHAT, BELIEVED)

    assert 1 == believed


async def test_other_goods(venice: ClientProcess, start: Open) -> None:
    """It lists the models for nothing, and buys embeddings."""
    sandbox = await start(vendors=rich("1"))
    request = {"model": "text-embedding-bge-m3", "input": "Hello!"}
    models, embeddings = await at_venice(venice, sandbox, ("models",), ("embeddings", request))

    assert "list" == models["object"]
    assert ["embedding"] == [row["object"] for row in embeddings["data"]]
    assert (1, Decimal("0.999")) == (account(sandbox).served, account(sandbox).balance)


async def test_lent_fetch(venice: ClientProcess, start: Open) -> None:
    """The fetch that it lends to other tools is admitted by its sign-in."""
    sandbox = await start(vendors=rich("1"))
    url = f"{sandbox.url}/venice/api/v1/chat/completions"
    body = json.dumps(CHAT[1])
    (answer,) = await at_venice(
        venice, sandbox, ("authFetch", url, {"method": "POST", "body": body})
    )

    assert (200, HEARD) == (
        answer["status"],
        json.loads(answer["body"])["choices"][0]["message"]["content"],
    )
    assert (1, Decimal("0.999")) == (account(sandbox).served, account(sandbox).balance)


async def test_production(venice: ClientProcess, start: Open) -> None:
    """With no address given it signs for api.venice.ai, and is served by a sandbox of that name."""
    sandbox = await start(vendors=VendorOptions(domains=frozenset({"api.venice.ai"})))
    moved = {f"{PRODUCTION}/": f"{sandbox.url}/venice/"}
    _, answer, told = await venice.run(
        ("topUp", 10), CHAT, ("getBalance",), key=KEY, options={}, moved=moved
    )

    assert HEARD == answer["choices"][0]["message"]["content"]
    assert 9.999 == told["balanceUsd"]
    assert (TEN, Decimal("9.999")) == (account(sandbox).paid, account(sandbox).balance)
    assert f"{PRODUCTION}/api/v1/chat/completions" == account(sandbox).sign_ins[0].uri


async def test_relayed(venice: ClientProcess, start: Open) -> None:
    """A sandbox of another name refuses what it signed for api.venice.ai."""
    sandbox = await start(vendors=rich("1"))
    moved = {f"{PRODUCTION}/": f"{sandbox.url}/venice/"}
    (refused,) = await venice.run(CHAT, key=KEY, options={}, moved=moved, may_throw=True)

    expected = {"status": 401, "code": "X402_SIGN_IN_DOMAIN_MISMATCH"}
    assert ("API_ERROR", expected) == (refused.code, refused.details)
    assert 0 == account(sandbox).served
