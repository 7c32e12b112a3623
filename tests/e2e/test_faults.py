"""Every way in which the sandbox misbehaves, against every way in which an app tries.

Counted at the seller: at most one settlement for each purchase, in every cell. And the app gets
its answer wherever the seller would give it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import openai
import pytest

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.faults import Fault, Moment
from tests.world.running import TOKEN, Running, running

PAID_FAULTS = [fault for fault in Fault if fault.moment is Moment.PAYMENT]
ODD_TERMS = [fault for fault in Fault if fault.moment is Moment.CHALLENGE]

# What one try is answered with where that is not 200: 0 is a broken answer.
ONE_TRY = {
    Fault.UNSETTLED_400: 400,
    Fault.FOREVER_402: 503,
    Fault.SETTLE_THEN_CUT_BODY: 0,
    Fault.SETTLE_THEN_CUT_STREAM: 0,
    Fault.SETTLE_THEN_STALL_STREAM: 0,
}
# Tried again, only a seller that refuses for ever does not serve.
THREE_TRIES = {Fault.FOREVER_402: 503}
# The stock client repeats neither a 400 nor a stream that broke off.
STOCK = {
    Fault.UNSETTLED_400: 400,
    Fault.FOREVER_402: 503,
    Fault.SETTLE_THEN_CUT_STREAM: 0,
    Fault.SETTLE_THEN_STALL_STREAM: 0,
}


class FinalError(Exception):
    """A refusal that says not to be tried again; holds its status."""


async def ask(
    world: Running,
    model: str,
    content: str,
    *,
    retries: int = 0,
    stream: bool = False,
    obeys: bool = False,
) -> int:
    """One call of the OpenAI client: its status; 0 when its answer broke off.

    ``obeys``: raise FinalError where the refusal says x-should-retry: false.
    """
    client = openai.AsyncOpenAI(
        base_url=world.base_url, api_key=TOKEN, max_retries=retries, timeout=60
    )
    try:
        answer = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": content}], stream=stream
        )
        if stream:
            async for _ in answer:  # type: ignore[union-attr]  # a stream, as asked
                pass
    except openai.APIStatusError as refusal:
        if obeys and refusal.response.headers.get("x-should-retry") == "false":
            raise FinalError(refusal.status_code) from refusal
        return refusal.status_code
    except (openai.APIConnectionError, httpx2.HTTPError):
        return 0
    else:
        return 200
    finally:
        await client.close()


def streams(fault: Fault) -> bool:
    return "STREAM" in fault.name


async def one_try(world: Running, fault: Fault) -> int:
    return await ask(world, f"fault:{fault}", f"one {fault}", stream=streams(fault))


async def three_tries(world: Running, fault: Fault) -> int:
    """A loop that tries whatever fails again, but for what says that it must not be."""
    status = 0
    for _ in range(3):
        try:
            status = await ask(
                world, f"fault:{fault}", f"three {fault}", stream=streams(fault), obeys=True
            )
        except FinalError as refusal:
            return int(refusal.args[0])
        if status == 200:
            break
    return status


async def stock(world: Running, fault: Fault) -> int:
    return await ask(world, f"fault:{fault}", f"stock {fault}", retries=2, stream=streams(fault))


def settled_twice(world: Running) -> list[str]:
    """The purchases that were paid for more than once, by the seller's own books."""
    seen = [(one.path, one.body_sha256) for one in world.sandbox.books.settlements]
    return [f"{path} {digest}" for path, digest in seen if seen.count((path, digest)) > 1]


@pytest.mark.parametrize("replays", [True, False], ids=["replays", "no replays"])
@pytest.mark.parametrize("with_rpc", [True, False], ids=["rpc", "no rpc"])
async def test_never_twice(tmp_path: Path, replays: bool, with_rpc: bool) -> None:
    """Whatever the seller does and however the app tries, no purchase settles twice."""
    options = SandboxOptions(replays=replays, hang_max_s=20, slow_head_s=6)
    async with running(
        tmp_path, options, with_rpc=with_rpc, budget="50.00 USDC", response_wait_s=4
    ) as world:
        results = await asyncio.gather(
            *(way(world, fault) for fault in Fault for way in (one_try, three_tries, stock))
        )
        twice = settled_twice(world)
        settled = len(world.sandbox.books.settlements)

    assert [] == twice
    assert settled > 60
    assert 3 * len(Fault) == len(results)


async def test_served_where_the_seller_would(tmp_path: Path) -> None:
    """A seller that answers a payment it has seen before gets the app its answer."""
    options = SandboxOptions(hang_max_s=20, slow_head_s=6)
    expected = {
        fault: (ONE_TRY.get(fault, 200), THREE_TRIES.get(fault, 200), STOCK.get(fault, 200))
        for fault in PAID_FAULTS
    }
    async with running(tmp_path, options, budget="50.00 USDC", response_wait_s=4) as world:

        async def row(fault: Fault) -> tuple[int, int, int]:
            return (
                await one_try(world, fault),
                await three_tries(world, fault),
                await stock(world, fault),
            )

        rows = await asyncio.gather(*(row(fault) for fault in PAID_FAULTS))

    assert expected == dict(zip(PAID_FAULTS, rows, strict=True))


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.GARBAGE_402, 502),
        (Fault.BARE_402, 402),
        (Fault.TOO_EXPENSIVE, 402),
        (Fault.NUMBER_AMOUNT, 402),
        (Fault.NEGATIVE_AMOUNT, 402),
        (Fault.NOTHING_PAYABLE, 402),
        (Fault.FAKE_ASSET, 402),
        (Fault.HUGE_402, 502),
        (Fault.THOUSAND_ACCEPTS, 502),
        (Fault.WRONG_DOMAIN_NAME, 200),
        (Fault.GATEWAY_BATCHED, 200),
        (Fault.PERMIT2_ENTRY, 200),
        (Fault.UPTO_ENTRY, 200),
        (Fault.UNKNOWN_NETWORK, 200),
        (Fault.TEN_YEAR_VALIDITY, 200),
    ],
)
async def test_odd_terms(tmp_path: Path, fault: Fault, status: int) -> None:
    """Terms that mean something else are refused or passed over; what is left is paid, once."""
    async with running(tmp_path) as world:
        answered = await one_try(world, fault)
        settled = len(world.sandbox.books.settlements)

    assert (status, 1 if status == 200 else 0) == (answered, settled)


async def test_hang_up_is_not_delivery(tmp_path: Path) -> None:
    """An app that hangs up in mid-stream and comes back is served by the payment it made."""
    options = SandboxOptions(chunk_delay_s=0.2)
    async with running(tmp_path, options) as world:
        client = openai.AsyncOpenAI(base_url=world.base_url, api_key=TOKEN, max_retries=0)
        call = {"model": "m", "messages": [{"role": "user", "content": "a b c d"}], "stream": True}
        answer = await client.chat.completions.create(**call)  # type: ignore[call-overload]
        async for _ in answer:
            break
        await answer.close()
        await asyncio.sleep(0.3)
        served = await client.chat.completions.create(**call)  # type: ignore[call-overload]
        text = "".join([c.choices[0].delta.content or "" async for c in served])
        await client.close()
        settled = len(world.sandbox.books.settlements)

    assert 1 == settled
    assert text.endswith("a b c d")


async def test_finished_stream_is_delivered(tmp_path: Path) -> None:
    """A stream that the app read to its [DONE] is delivered: the same call again is a new one."""
    async with running(tmp_path) as world:
        for _ in range(3):
            assert 200 == await ask(world, "m", "the same", stream=True)
        settled = len(world.sandbox.books.settlements)

    assert 3 == settled
