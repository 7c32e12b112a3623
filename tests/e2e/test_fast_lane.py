"""The fast lane pays nothing itself: a 402 that it meets is paid in the ordinary way, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from sidecar.payments.events import PaymentPosted, RequestServed
from tests.world.running import TOKEN, Running, running

CALL = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
POST_WAIT_S = 10


async def posted_in(world: Running, count: int) -> list[PaymentPosted]:
    """The payments that were posted, once there are so many: no app waits for that."""
    async with asyncio.timeout(POST_WAIT_S):
        while True:
            posted = [event for event in world.events if isinstance(event, PaymentPosted)]
            if len(posted) >= count:
                return posted
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("lane", ["true", "false"])
async def test_paid_once(tmp_path: Path, lane: str) -> None:
    """Calls on one connection are each paid once, with the lane and without."""
    async with running(tmp_path, limits=f"{{fast_lane: {lane}}}") as world:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as app:
            statuses = []
            for number in range(4):
                url = f"{world.base_url}/chat/completions?n={number}"
                async with app.post(url, json=CALL) as response:
                    await response.read()
                    statuses.append(response.status)
            posted = await posted_in(world, 4)
        served = [event for event in world.events if isinstance(event, RequestServed)]

        assert [200] * 4 == statuses
        assert 4 == len(world.sandbox.books.settlements)
        assert 4 == len({event.payment.id for event in posted}) == len(posted)
        assert ["paid"] * 4 == [event.decision for event in served]
