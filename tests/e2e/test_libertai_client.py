"""LibertAI's own published client, unchanged, is served by the sandbox's LibertAI.

Each test says what the client reports, and what the sandbox's books counted, to the unit.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import Outcome, Sandbox
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.libertai_options import (
    RECIPIENT,
    SERVER_WALLET,
    LibertaiOptions,
    Model,
    PrimaryType,
)
from sidecar.sandbox.vendors.options import VendorOptions
from tests.world.vendor_clients import (
    ADDRESS,
    KEY,
    Call,
    ClientError,
    ClientProcess,
    Open,
    sandboxes,
)

# Where the client reads nonces; it has no option for it.
BASE_RPC = "https://mainnet.base.org/"


class ShiftedClock:
    """The machine's clock, and what a test has added to it."""

    def __init__(self) -> None:
        self._shift_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._shift_s)

    def monotonic_s(self) -> float:
        return time.monotonic() + self._shift_s

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)

    def advance(self, duration_s: float) -> None:
        """Let this many seconds pass at once."""
        self._shift_s += duration_s


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def start(clock: ShiftedClock) -> AsyncIterator[Open]:
    """Opens a sandbox on the client's network."""
    async with sandboxes(clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def libertai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientProcess]:
    folder = tmp_path_factory.mktemp("libertai")
    with ClientProcess(folder, "@libertai/x402", "libertai.mjs") as client:
        yield client


HELLO = [{"role": "user", "content": "Hello!"}]
HEARD = "The sandbox heard: Hello!"
SETTLE_DELAY_S = 1.0
# A token in is 100 atomic units, a token out is 1,000. HELLO is one token, HEARD are four.
PRICED = Model(input_usd=Decimal(100), output_usd=Decimal(1_000))
USED = Usdc(4_100)
# A quote takes four bytes of the body for a token: 21 for each request below, and 20 to be said.
QUOTED = Usdc(22_100)
VENDORS = VendorOptions(
    libertai=LibertaiOptions(
        models={
            "permit": PRICED,
            "direct": replace(PRICED, primary_type=PrimaryType.TRANSFER),
            "silent": replace(PRICED, primary_type=PrimaryType.TRANSFER, unnamed=True),
        },
        settle_delay_s=SETTLE_DELAY_S,
    )
)


def chat(model: str, **more: object) -> Call:
    return ("chat", {"model": model, "messages": HELLO, "max_tokens": 20, **more})


def posted(fetch: str, sandbox: Sandbox) -> Call:
    """A request of no library's, without a limit to the answer."""
    body = json.dumps({"model": "permit", "messages": HELLO})
    headers = {"Content-Type": "application/json"}
    url = f"{sandbox.url}/libertai/v1/chat/completions"
    return (fetch, url, {"method": "POST", "headers": headers, "body": body})


async def at_libertai(
    client: ClientProcess,
    sandbox: Sandbox,
    *calls: Call,
    may_throw: bool = False,
    **options: object,
) -> list[Any]:
    """What the client makes of these calls at this sandbox, whose chain is its Base."""
    return await client.run(
        *calls,
        key=KEY,
        options={"baseURL": f"{sandbox.url}/libertai/v1", **options},
        moved={BASE_RPC: sandbox.rpc_url},
        may_throw=may_throw,
    )


def moved(sandbox: Sandbox) -> list[tuple[str, str, Usdc]]:
    """Who paid whom how much on the chain, in order."""
    return [(one.payer, one.payee, one.amount) for one in sandbox.books.settlements]


def allowed(sandbox: Sandbox) -> int:
    """What the server wallet may still take of the payer's."""
    return sandbox.chain.allowance(ADDRESS, SERVER_WALLET, sandbox.chain.head())


def signed_nonces(sandbox: Sandbox) -> list[int]:
    """The nonces of the permits that were presented, in order."""
    return [int(one.nonce, 16) for one in sandbox.books.presentations]


async def test_permit(libertai: ClientProcess, clock: ShiftedClock, start: Open) -> None:
    """It permits the quote; what was used goes to the recipient, and the rest stays allowed."""
    sandbox = await start(vendors=VENDORS)
    (answer,) = await at_libertai(libertai, sandbox, chat("permit"))

    assert HEARD == answer["choices"][0]["message"]["content"]
    assert (1, 4) == (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"])
    (call,) = sandbox.vendors.libertai.calls
    assert (QUOTED.atomic, USED, None) == (call.quote.amount, call.amount, call.settled)
    assert [QUOTED] == [one.amount for one in sandbox.books.authorizations]
    assert [] == moved(sandbox)

    clock.advance(SETTLE_DELAY_S)

    assert [(ADDRESS, RECIPIENT, USED)] == moved(sandbox)
    assert QUOTED.atomic - USED.atomic == allowed(sandbox)


async def test_next_nonce(libertai: ClientProcess, clock: ShiftedClock, start: Open) -> None:
    """It reads its next nonce from the chain, where the one before has settled."""
    sandbox = await start(vendors=VENDORS)
    for _ in range(3):
        await at_libertai(libertai, sandbox, chat("permit"))
        clock.advance(SETTLE_DELAY_S)

    assert [0, 1, 2] == signed_nonces(sandbox)
    assert [(ADDRESS, RECIPIENT, USED)] * 3 == moved(sandbox)
    assert QUOTED.atomic - USED.atomic == allowed(sandbox)


async def test_one_nonce_twice(libertai: ClientProcess, clock: ShiftedClock, start: Open) -> None:
    """Before that, it signs the same nonce again: both calls are served, and one is paid."""
    sandbox = await start(vendors=VENDORS)
    calls = chat("permit"), chat("permit", user="another")
    answers = await at_libertai(libertai, sandbox, *calls)
    clock.advance(SETTLE_DELAY_S)

    assert [HEARD, HEARD] == [one["choices"][0]["message"]["content"] for one in answers]
    assert [0, 0] == signed_nonces(sandbox)
    assert [True, False] == [call.settled for call in sandbox.vendors.libertai.calls]
    assert [(ADDRESS, RECIPIENT, USED)] == moved(sandbox)


@pytest.mark.parametrize("model", ["direct", "silent"])
async def test_transfer(
    libertai: ClientProcess, clock: ShiftedClock, start: Open, model: str
) -> None:
    """Asked for a transfer, or for nothing, it signs one, and all of the quote goes."""
    sandbox = await start(vendors=VENDORS)
    (answer,) = await at_libertai(libertai, sandbox, chat(model))
    clock.advance(SETTLE_DELAY_S)

    assert HEARD == answer["choices"][0]["message"]["content"]
    assert [(ADDRESS, SERVER_WALLET, QUOTED)] == moved(sandbox)
    assert 0 == allowed(sandbox)


# 34 tokens of its body are quoted, and 20 to be said.
@pytest.mark.parametrize(("model", "settled"), [("permit", 4_100), ("direct", 23_400)])
async def test_stream(
    libertai: ClientProcess, clock: ShiftedClock, start: Open, model: str, settled: int
) -> None:
    """It reads a stream piece by piece, with the usage that it asked for, and pays."""
    sandbox = await start(vendors=VENDORS)
    call = chat(model, stream=True, stream_options={"include_usage": True})
    (chunks,) = await at_libertai(libertai, sandbox, call)
    clock.advance(SETTLE_DELAY_S)

    pieces = [one["delta"].get("content", "") for chunk in chunks for one in chunk["choices"]]
    assert len(pieces) > 2
    assert HEARD == "".join(pieces)
    usages = [chunk["usage"] for chunk in chunks if "usage" in chunk]
    assert [(1, 4)] == [(one["prompt_tokens"], one["completion_tokens"]) for one in usages]
    assert [Usdc(settled)] == [amount for _, _, amount in moved(sandbox)]


async def test_paid_fetch(libertai: ClientProcess, clock: ShiftedClock, start: Open) -> None:
    """Its fetch alone is as good; with no limit to the answer, the whole context is permitted."""
    sandbox = await start(vendors=VENDORS)
    (answer,) = await at_libertai(libertai, sandbox, posted("paidFetch", sandbox))
    clock.advance(SETTLE_DELAY_S)

    assert (200, HEARD) == (
        answer["status"],
        json.loads(answer["body"])["choices"][0]["message"]["content"],
    )
    # 18 tokens in, and 32,768 that could be said.
    assert [Usdc(32_769_800)] == [one.amount for one in sandbox.books.authorizations]
    assert [(ADDRESS, RECIPIENT, USED)] == moved(sandbox)


async def test_plain_fetch(libertai: ClientProcess, start: Open) -> None:
    """Without the client, the same request is answered 402."""
    sandbox = await start(vendors=VENDORS)
    (answer,) = await at_libertai(libertai, sandbox, posted("plainFetch", sandbox))

    terms = json.loads(answer["body"])
    assert (402, "X-PAYMENT header is required") == (answer["status"], terms["error"])
    assert () == sandbox.books.presentations


async def test_models(libertai: ClientProcess, start: Open) -> None:
    """The models are listed for nothing."""
    sandbox = await start(vendors=VENDORS)
    (models,) = await at_libertai(libertai, sandbox, ("models",))

    assert ["permit", "direct", "silent"] == [model["id"] for model in models]
    assert () == sandbox.books.presentations


async def test_real_key(libertai: ClientProcess, start: Open) -> None:
    """A key of the app's own is sent as it is: it is refused, and nothing is paid."""
    sandbox = await start(vendors=VENDORS)
    (refused,) = await at_libertai(
        libertai, sandbox, chat("permit"), may_throw=True, apiKey="sk-real"
    )

    assert 401 == refused.status
    seen = [(one.status, one.code) for one in sandbox.vendors.libertai.books.refusals]
    assert [(401, "Invalid API key")] == seen
    assert () == sandbox.books.presentations


@pytest.mark.parametrize("model", ["permit", "direct"])
async def test_refused(libertai: ClientProcess, start: Open, model: str) -> None:
    """A payment that is refused gets the same 402, and the client leaves it at that."""
    sandbox = await start(vendors=VENDORS)
    sandbox.vendors.conduct.add("libertai", Misdeed.TOP_UP_REFUSED)
    (refused,) = await at_libertai(libertai, sandbox, chat(model), may_throw=True)

    assert isinstance(refused, ClientError)
    assert 402 == refused.status
    assert [Outcome.REFUSED] == [one.outcome for one in sandbox.books.presentations]
    assert () == sandbox.vendors.libertai.calls
