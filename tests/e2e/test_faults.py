"""Every way in which the plain seller misbehaves, against every way in which an app tries.

Counted at the seller: at most one settlement for each purchase, in every cell, on EVM and on
Solana. And the app gets its answer wherever the seller would give it. The short form plays each
fault on each chain, in ways that take turns, before a seller that gives a paid answer again and
one that does not; SIDECAR_FAULTS=all plays each in all ways and prints the table (pytest -s).
fault_table.py plays all of it, the top-ups too.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import openai
import pytest

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.faults import Fault
from tests.e2e.fault_cells import (
    SELLERS,
    STRICT,
    USUAL,
    WORLDS,
    Ended,
    Place,
    World,
    every_fault,
    sampled_faults,
    wrongs,
)
from tests.e2e.fault_clients import BROKEN, SERVED, Way, chat, tried
from tests.e2e.fault_official import by_official_client
from tests.e2e.fault_table import OFFICIAL, details, section, totals
from tests.e2e.fault_worlds import at_seller
from tests.world.running import TOKEN, running

ALL = os.environ.get("SIDECAR_FAULTS") == "all"
SAMPLED_WORLDS = (USUAL, STRICT)
# What the official client meets in the short form: none of them keeps it waiting.
SAMPLED_FAULTS = (
    Fault.VERIFY_REFUSED,
    Fault.SETTLE_THEN_RESET,
    Fault.SETTLE_THEN_402,
    Fault.SETTLE_THEN_503,
    Fault.SETTLE_THEN_CUT_BODY,
    Fault.SETTLE_NO_RECEIPT,
)


@pytest.mark.parametrize("place", SELLERS, ids=["evm", "solana"])
@pytest.mark.parametrize("world", WORLDS if ALL else SAMPLED_WORLDS, ids=str)
async def test_at_most_one_payment(tmp_path: Path, place: Place, world: World) -> None:
    """Whatever the seller does and however the app tries: paid once at most, told truly, served."""
    start = 2 * SELLERS.index(place) + WORLDS.index(world)
    cells = every_fault(place) if ALL else sampled_faults(place, start)
    ended = await at_seller(tmp_path / "town", world, place, cells)
    part = section(place, world, ended)
    print(f"\n{details(part)}\n{totals([part])}")

    assert [] == wrongs(world, ended)
    assert set(Fault) == {one.cell.mode for one in ended}
    # Most cells settle: only a few faults never do.
    assert sum(one.settled for one in ended) > len(ended) // 3
    # A seller that gives a paid answer again serves most.
    assert not world.replays or 2 * part.served > part.payable


async def test_beside_the_official_client() -> None:
    """An app of the official client that tries three times pays twice where ours pays once."""
    ended = await by_official_client(tuple(Fault) if ALL else SAMPLED_FAULTS)
    part = section(Place.SELLER_EVM, USUAL, ended, OFFICIAL)
    print(f"\n{details(part)}\n{totals([part])}")
    impatient, patient = part.columns

    assert 0 == impatient.doubles
    # Else the seller's faults would be none.
    assert patient.doubles > len(patient.cells) // 4


def test_sample_is_whole() -> None:
    """Each fault and each way is in the sample of every chain."""
    for place in SELLERS:
        cells = [cell for start in range(4) for cell in sampled_faults(place, start)]

        assert set(Fault) == {cell.mode for cell in cells}
        assert set(Way) == {cell.way for cell in cells}


FIRST, LAST = every_fault(Place.SELLER_EVM)[0], every_fault(Place.SELLER_EVM)[-1]
BAD = {
    "it settled twice": Ended(LAST, SERVED, 2, ("delivered", "delivered")),
    "two were signed": Ended(LAST, SERVED, 1, ("delivered", "in doubt")),
    "more settled than was written down": Ended(LAST, SERVED, 1, ()),
    "it settled and is voided": Ended(LAST, 503, 1, ("voided",)),
    "it is posted and did not settle": Ended(LAST, 502, 0, ("given up",)),
    "it settled and is not posted": Ended(LAST, 503, 1, ("in doubt",)),
    "delivered, and the app was not served": Ended(LAST, BROKEN, 1, ("delivered",)),
    "signed for terms that must not be paid": Ended(FIRST, 502, 0, ("in doubt",)),
    "served without payment": Ended(LAST, SERVED, 0, ()),
    "served, and not marked as delivered": Ended(LAST, SERVED, 1, ("undelivered",)),
    "not what it should hear": Ended(LAST, 502, 1, ("undelivered",)),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong(what: str) -> None:
    """A cell that ended badly is called so."""
    assert what in "".join(wrongs(USUAL, [BAD[what]]))


@pytest.mark.parametrize(
    "fault", [Fault.GARBAGE_402, Fault.THOUSAND_ACCEPTS, Fault.HUGE_402], ids=str
)
async def test_terms_that_get_better(tmp_path: Path, fault: Fault) -> None:
    """Terms that nobody can read are refused so that an app tries again: then it pays, once."""
    async with running(tmp_path) as world:
        ask = chat("sandbox", "hi")
        heard = await tried(Way.THREE_TRIES, world.base_url, ask, {"fault": f"{fault}:1"})
        settled = len(world.sandbox.books.settlements)

    assert (SERVED, 1) == (heard, settled)


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
        ask = chat("m", "the same")
        heard = [await tried(Way.SSE, world.base_url, ask, {}) for _ in range(3)]
        settled = len(world.sandbox.books.settlements)

    assert ([SERVED] * 3, 3) == (heard, settled)
