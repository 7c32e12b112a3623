"""The config is swapped under load: nothing is dropped, nothing fails, nothing is paid twice.

Thirty-two apps on connections of their own mix plain calls, streams, paid calls and paid streams,
while the file changes between two good configs and a bad one, as often as five times a second.

SIDECAR_RELOAD_ROUNDS says how often each of them comes; two in the short form.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import aiohttp

from sidecar.sandbox import SandboxOptions
from tests.world.reloadable import EXTRA_ROUTE, KEYED, WORDS, Reloadable, reloadable
from tests.world.running import TOKEN

APPS = 32
SWAP_S = 0.2
ROUNDS = int(os.environ.get("SIDECAR_RELOAD_ROUNDS", "2"))
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SAID = "what is said here has a few words"


class Load:
    """What the apps do, and what came of it."""

    def __init__(self, world: Reloadable) -> None:
        self.world = world
        self.over = False
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []

    async def app(self, number: int) -> None:
        """One app: calls of its kind on one connection, until it is over."""
        kinds = (self.plain, self.stream, self.paid, self.paid_stream)
        kind = kinds[number % len(kinds)]
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
            while not self.over:
                try:
                    wrong = await kind(session)
                except aiohttp.ClientError as fault:
                    wrong = repr(fault)
                if wrong:
                    self.failed.append(f"{kind.__name__}: {wrong}")
                self.done[kind.__name__] += 1

    async def plain(self, session: aiohttp.ClientSession) -> str:
        """An ordinary request."""
        async with session.get(f"{self.world.url}/keyed/v1/key") as response:
            document = await response.json()
            right = (response.status, document.get("key")) == (200, f"Bearer {KEYED}")
            return "" if right else f"{response.status} {document}"

    async def stream(self, session: aiohttp.ClientSession) -> str:
        """A stream that outlives a few configs."""
        async with session.get(f"{self.world.url}/keyed/v1/stream") as response:
            text = await response.text()
            right = (response.status, text) == (200, "".join(WORDS))
            return "" if right else f"{response.status} {text}"

    async def paid(self, session: aiohttp.ClientSession) -> str:
        """A call that costs a cent."""
        return await self._buy(session, streams=False)

    async def paid_stream(self, session: aiohttp.ClientSession) -> str:
        """A stream that costs a cent."""
        return await self._buy(session, streams=True)

    async def _buy(self, session: aiohttp.ClientSession, *, streams: bool) -> str:
        call = {"model": "m", "messages": [{"role": "user", "content": SAID}], "stream": streams}
        url = f"{self.world.url}/seller/v1/chat/completions"
        async with session.post(url, json=call) as response:
            text = await response.text()
            whole = "data: [DONE]" in text if streams else SAID in text
            return "" if response.status == 200 and whole else f"{response.status} {text}"


async def swap(world: Reloadable) -> Counter[str]:
    """Change the file and tell of it; what came of each."""
    came: Counter[str] = Counter()
    for turn in ("first", "bad", "second", "bad") * ROUNDS:
        if turn == "first":
            world.write(routes=EXTRA_ROUTE, budget="900.00 USDC")
        elif turn == "second":
            world.write(callers="  - {{name: two, token: {{file: {folder}/api.key}}}}")
        else:
            world.write(budget="none", more="surprise: 1\n")
        before = (await world.status())["config_read_at"]
        world.tell(signal.SIGHUP)
        for _ in range(1_000):
            status = await world.status()
            told = "taken" if status["config_read_at"] != before else "waits"
            told = "refused" if status["config_mistakes"] else told
            if told == ("refused" if turn == "bad" else "taken"):
                break
            await asyncio.sleep(0.01)
        came[f"{turn} {told}"] += 1
        await asyncio.sleep(SWAP_S)
    return came


async def test_swapped_under_load(tmp_path: Path) -> None:
    """No request is dropped or fails, each is paid once, and a bad file changes nothing."""
    async with reloadable(tmp_path, SandboxOptions(chunk_delay_s=0.05)) as world:
        world.pace_s = 0.15
        load = Load(world)
        apps = [asyncio.ensure_future(load.app(number)) for number in range(APPS)]
        came = await swap(world)
        load.over = True
        await asyncio.gather(*apps)
        moved = len(world.sandbox.books.settlements)
        status = await world.status()
        samples = await world.samples()
    bought = load.done["paid"] + load.done["paid_stream"]
    spent = sum(
        value for name, value in samples.items() if name.startswith("sidecar_spend_usdc_total")
    )

    assert [] == load.failed
    assert {"first taken": ROUNDS, "bad refused": 2 * ROUNDS, "second taken": ROUNDS} == came
    assert {"plain", "stream", "paid", "paid_stream"} == set(load.done)
    assert bought == moved
    assert f"{bought / 100:.2f} USDC" == status["budgets"][0]["spent"]
    assert round(bought / 100, 2) == round(spent, 2)
    assert [] == status["in_doubt"]
