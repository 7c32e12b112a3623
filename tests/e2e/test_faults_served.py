"""Which app is served under which fault of the plain seller: exactly those that could be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.faults import Fault, Moment
from tests.e2e.fault_cells import EITHER, REFUSED_TERMS, UNSERVED
from tests.e2e.fault_clients import BROKEN, SERVED, Way, chat, tried
from tests.world.running import running

PAID_FAULTS = [fault for fault in Fault if fault.moment is Moment.PAYMENT]
ODD_TERMS = {
    **{fault: status for fault, status in REFUSED_TERMS.items() if fault is not Fault.OTHER_PAYEE},
    Fault.WRONG_DOMAIN_NAME: 200,
    Fault.GATEWAY_BATCHED: 200,
    Fault.PERMIT2_ENTRY: 200,
    Fault.UPTO_ENTRY: 200,
    Fault.UNKNOWN_NETWORK: 200,
    Fault.TEN_YEAR_VALIDITY: 200,
}


@pytest.mark.parametrize("way", Way, ids=lambda way: way.name)
async def test_served_where_the_seller_would(tmp_path: Path, way: Way) -> None:
    """A seller that answers a payment it has seen before gets the app its answer."""
    options = SandboxOptions(hang_max_s=20, slow_head_s=6, replays_delivered=True)
    async with running(tmp_path, options, budget="50.00 USDC", response_wait_s=4) as world:

        async def heard(fault: Fault) -> int:
            ask = chat(f"fault:{fault}", f"{way} {fault}")
            return await tried(way, world.base_url, ask, {})

        statuses = await asyncio.gather(*map(heard, PAID_FAULTS))
    expected = {fault: UNSERVED[way].get(fault, SERVED) for fault in PAID_FAULTS}
    expected[Fault.FOREVER_402] = 503
    found = dict(zip(PAID_FAULTS, statuses, strict=True))
    if way is EITHER[0] and found[EITHER[1]] in {SERVED, BROKEN}:
        found[EITHER[1]] = expected[EITHER[1]]

    assert expected == found


@pytest.mark.parametrize(("fault", "status"), ODD_TERMS.items(), ids=[str(f) for f in ODD_TERMS])
async def test_odd_terms(tmp_path: Path, fault: Fault, status: int) -> None:
    """Terms that mean something else are refused or passed over; what is left is paid, once."""
    async with running(tmp_path) as world:
        heard = await tried(Way.ONE_TRY, world.base_url, chat(f"fault:{fault}", "odd"), {})
        settled = len(world.sandbox.books.settlements)

    assert (status, 1 if status == 200 else 0) == (heard, settled)
