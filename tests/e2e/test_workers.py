"""Several workers on one port are one sidecar: one ledger, one set of metrics, one admin port."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import aiohttp

from sidecar.ledger.sqlite import SqliteLedger
from sidecar.sandbox import SandboxOptions
from tests.world.crew import (
    MORE,
    WAIT_S,
    WORKERS,
    apps,
    call,
    counters,
    crew,
    killed,
    pay,
    payments_by_instance,
    processes,
    total,
)
from tests.world.reloadable import WORDS, Reloadable
from tests.world.running import TOKEN

CALLS = 60
KILLS = 3
STREAMS = 24
FOR_EVER_S = 600


def is_gone(process: int) -> bool:
    """Whether there is no such process, or only what is left of one."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


async def gone(numbers: list[int]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not all(map(is_gone, numbers)):
            await asyncio.sleep(0.05)


async def is_refused(world: Reloadable) -> bool:
    """Whether nobody takes connections on the data port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    except OSError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


async def test_all_serve(tmp_path: Path) -> None:
    """Every worker pays, and what they count together is what the seller was paid."""
    async with crew(tmp_path) as world, apps() as app:
        statuses = await asyncio.gather(*(pay(app, world, f"{n}") for n in range(CALLS)))
        by_instance = payments_by_instance(tmp_path)
        samples = await world.samples()
        (budget,) = (await world.status())["budgets"]
        settled = len(world.sandbox.books.settlements)

    assert {200} == set(statuses)
    assert WORKERS == len(by_instance)
    assert all(by_instance)
    assert CALLS == settled == sum(by_instance)
    assert CALLS == total(samples, "sidecar_requests_total", 'code_class="2xx"')
    assert CALLS == total(samples, "sidecar_payments_total", 'outcome="posted"')
    assert CALLS == total(samples, "sidecar_request_duration_seconds_count")
    assert f"{CALLS / 100:.2f}" == f"{total(samples, 'sidecar_spend_usdc_total'):.2f}"
    assert budget["spent"] == f"{CALLS / 100:.2f} USDC"
    assert (WORKERS, 0) == (
        samples["sidecar_workers"],
        samples["sidecar_worker_restarts_total"],
    )


async def persistent(app: aiohttp.ClientSession, world: Reloadable, words: str, key: str) -> None:
    """An app that asks again until it is served."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                if await pay(app, world, words, key) == 200:
                    return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


async def test_killed_while_paying(tmp_path: Path) -> None:
    """`kill -9` of workers while they pay: no call is paid twice, others go on, nothing counted
    is counted back, and in the place of each a new one serves."""
    # What the kernel took, and a killed process never read, was served to nobody.
    options = SandboxOptions(replays_delivered=True, handler_delay_s=0.02)
    async with crew(tmp_path, options) as world, apps() as app:
        room = asyncio.Semaphore(6)

        async def one(number: int) -> None:
            async with room:
                key = f"key-{number}" if number % 2 else ""
                await persistent(app, world, f"call {number}", key)

        async def kill() -> list[dict[str, float]]:
            seen = [await world.samples()]
            for already in range(KILLS):
                while len(world.sandbox.books.settlements) < (already + 1) * 10:
                    await asyncio.sleep(0.01)
                await killed(world, (await processes(world))[already % 2])
                seen.append(await world.samples())
            return seen

        killing = asyncio.ensure_future(kill())
        await asyncio.gather(*(one(number) for number in range(CALLS)))
        seen = [*await killing, await world.samples()]
        settlements = world.sandbox.books.settlements
    rows = SqliteLedger.read(tmp_path / "ledger.db", None, 1_000)

    assert CALLS == len(settlements)
    assert CALLS == len({found.purchase for found in settlements})
    assert CALLS == sum(row.state.value == "posted" for row in rows)
    assert (WORKERS, KILLS) == (
        seen[-1]["sidecar_workers"],
        seen[-1]["sidecar_worker_restarts_total"],
    )
    for before, after in pairwise(seen):
        assert {} == {
            name: (value, after.get(name))
            for name, value in counters(before).items()
            if after.get(name, -1) < value
        }
    assert total(seen[-1], "sidecar_spend_usdc_total") < (CALLS + 0.5) / 100


async def test_leader_is_killed(tmp_path: Path) -> None:
    """What only the leader does, another does once it is gone: the balances are read again."""
    async with crew(tmp_path) as world, apps() as app:
        first = await processes(world)
        await pay(app, world, "one")
        await killed(world, first[0])
        second = await processes(world)
        async with asyncio.timeout(WAIT_S):
            while 99.99 not in (await world.samples()).values():
                await asyncio.sleep(0.1)
        samples = await world.samples()

    assert second[0] in first[1:]
    assert 99.99 == total(samples, "sidecar_wallet_balance_usdc")


async def test_one_key_at_several_workers(tmp_path: Path) -> None:
    """One Idempotency-Key at all workers at once is one purchase: it is paid once."""
    options = SandboxOptions(handler_delay_s=0.2, replays_delivered=True)
    async with crew(tmp_path, options) as world, apps() as app:
        calls = [persistent(app, world, "the same", "one-key") for _ in range(12)]
        await asyncio.gather(*calls)
        settled = len(world.sandbox.books.settlements)

    assert 1 == settled


async def test_asks_again_in_time(tmp_path: Path) -> None:
    """An app that gives up waiting and asks again, at whatever worker, has paid once."""
    options = SandboxOptions(handler_delay_s=2.5, replays_delivered=True)
    async with crew(tmp_path, options) as world, apps() as app:

        async def impatient(number: int) -> None:
            words = f"call {number}"
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await pay(app, world, words)
            # As SDKs do. By then whoever served it knows that its app is gone.
            await asyncio.sleep(0.5)
            await persistent(app, world, words, "")

        await asyncio.gather(*(impatient(number) for number in range(8)))
        settled = len(world.sandbox.books.settlements)

    assert 8 == settled


async def test_budget_is_shared(tmp_path: Path) -> None:
    """Of two hundred calls at once, for half of which there is money, exactly half are paid."""
    async with crew(tmp_path, budget="1.00 USDC") as world, apps() as app:
        statuses = await asyncio.gather(*(pay(app, world, f"{n}") for n in range(200)))
        settled = len(world.sandbox.books.settlements)
        by_instance = payments_by_instance(tmp_path)

    assert (100, 100) == (statuses.count(200), statuses.count(402))
    assert 100 == settled
    assert 1 < sum(made > 0 for made in by_instance)


async def plain_stream(app: aiohttp.ClientSession, world: Reloadable) -> str:
    async with app.get(f"{world.url}/keyed/v1/stream") as response:
        return await response.text()


async def paid_stream(app: aiohttp.ClientSession, world: Reloadable, number: int) -> str:
    document = {**call(f"stream {number}"), "stream": True}
    async with app.post(f"{world.url}/seller/v1/chat/completions", json=document) as response:
        return await response.text()


async def test_sigterm_with_streams(tmp_path: Path) -> None:
    """SIGTERM lets the streams of all workers end whole; then all are gone, and the exit is 0."""
    options = SandboxOptions(chunk_delay_s=0.2)
    async with crew(tmp_path, options) as world, apps() as app:
        serving = await processes(world)
        world.pace_s = 0.4
        plain = [asyncio.ensure_future(plain_stream(app, world)) for _ in range(STREAMS // 2)]
        paid = [asyncio.ensure_future(paid_stream(app, world, n)) for n in range(STREAMS // 2)]
        while len(world.sandbox.books.settlements) < STREAMS // 2:
            await asyncio.sleep(0.02)
        by_instance = payments_by_instance(tmp_path)
        world.tell(signal.SIGTERM)
        texts = await asyncio.gather(*plain), await asyncio.gather(*paid)
        code = await world.ended()
        refused = await is_refused(world)
    rows = SqliteLedger.read(tmp_path / "ledger.db", None, 1_000)

    assert 1 < sum(made > 0 for made in by_instance)
    assert ["".join(WORDS)] * (STREAMS // 2) == texts[0]
    assert all("data: [DONE]" in text for text in texts[1])
    assert (0, True) == (code, refused)
    assert all(map(is_gone, serving))
    assert all(row.delivered_at is not None for row in rows)


async def test_second_sigterm(tmp_path: Path) -> None:
    """Whoever asks twice does not wait for what any worker has under way."""
    async with crew(tmp_path, limits=f"{{drain_wait_s: {FOR_EVER_S}}}") as world, apps() as app:
        world.pace_s = FOR_EVER_S
        streams = [asyncio.ensure_future(plain_stream(app, world)) for _ in range(6)]
        async with asyncio.timeout(WAIT_S):
            while world.streams < 6:
                await asyncio.sleep(0.02)
        world.tell(signal.SIGTERM)
        async with asyncio.timeout(WAIT_S):
            while (await world.status())["state"] != "draining":
                await asyncio.sleep(0.02)
        world.tell(signal.SIGINT)
        code = await world.ended()
        ends = await asyncio.gather(*streams, return_exceptions=True)

    assert 0 == code
    assert all(isinstance(end, aiohttp.ClientError) for end in ends)


async def test_group_is_signalled(tmp_path: Path) -> None:
    """A service manager that tells every process of us to end asks once: streams end whole."""
    async with crew(tmp_path) as world, apps() as app:
        world.pace_s = 0.2
        streams = [asyncio.ensure_future(plain_stream(app, world)) for _ in range(6)]
        async with asyncio.timeout(WAIT_S):
            while world.streams < 6:
                await asyncio.sleep(0.02)
        for process in await processes(world):
            os.kill(process, signal.SIGTERM)
            os.kill(process, signal.SIGINT)
        world.tell(signal.SIGTERM)
        texts = await asyncio.gather(*streams)
        code = await world.ended()

    assert ["".join(WORDS)] * 6 == texts
    assert 0 == code


async def test_warden_is_killed(tmp_path: Path) -> None:
    """Workers do not outlive who keeps them, and let go of the port."""
    async with crew(tmp_path) as world:
        serving = await processes(world)
        world.tell(signal.SIGKILL)
        await world.ended()
        try:
            await gone(serving)
        finally:
            # Whatever a bug leaves, it must not outlive the test.
            for process in serving:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        refused = await is_refused(world)

    assert refused


async def test_reload(tmp_path: Path) -> None:
    """A config that is good is gone by in every worker, and one that is bad in none."""
    async with crew(tmp_path) as world, apps() as app:
        await pay(app, world, "before")
        world.write(more=f"{MORE}surprise: 1\n", budget="0.01 USDC")
        world.tell(signal.SIGHUP)
        async with asyncio.timeout(WAIT_S):
            while not (await world.status())["config_mistakes"]:
                await asyncio.sleep(0.02)
        by_old = await asyncio.gather(*(pay(app, world, f"old {n}") for n in range(12)))
        refused = await world.reload()
        counted = await world.samples()
        world.write(more=MORE, budget="0.13 USDC")
        taken = await world.reload()
        by_new = await asyncio.gather(*(pay(app, world, f"new {n}") for n in range(24)))
        shown = await world.status()

    name = "sidecar_config_last_reload_successful"
    assert ({200}, 409, 0) == (set(by_old), refused[0], counted[name])
    assert ["surprise"] == [mistake.partition(":")[0] for mistake in refused[1]["errors"]]
    assert (200, ["routes.seller", "budgets.day"]) == (taken[0], taken[1]["changed"])
    assert {402} == set(by_new)
    assert [] == shown["config_mistakes"]
    assert 3 == world.log.count('"config_reload')


async def test_started_again_by_the_config_that_holds(tmp_path: Path) -> None:
    """Who is started after a crash goes by the config that the others go by, not by the file."""
    async with crew(tmp_path) as world, apps() as app:
        world.write(more=f"{MORE}surprise: 1\n", budget="0.01 USDC")
        for process in await processes(world):
            await killed(world, process)
        statuses = await asyncio.gather(*(pay(app, world, f"{n}") for n in range(12)))

    assert {200} == set(statuses)


async def test_switches(tmp_path: Path) -> None:
    """Frozen at the one admin port, no worker pays; thawed, all do."""
    admin = {"Authorization": ""}
    async with crew(tmp_path) as world, apps() as app:
        admin["Authorization"] = f"Bearer {(tmp_path / 'admin.token').read_text().strip()}"
        url = f"http://127.0.0.1:{world.admin_port}"

        async def switch(path: str) -> int:
            async with app.post(f"{url}{path}", headers=admin) as response:
                await response.read()
                return response.status

        async with app.post(f"{url}/freeze", headers={"Authorization": f"Bearer {TOKEN}"}) as no:
            stranger = no.status
        frozen = await switch("/freeze")
        while_frozen = await asyncio.gather(*(pay(app, world, f"a{n}") for n in range(12)))
        async with app.get(f"{url}/readyz") as response:
            ready = response.status, await response.json()
        thawed = await switch("/unfreeze")
        after = await asyncio.gather(*(pay(app, world, f"b{n}") for n in range(12)))
        refusals = (await world.status())["refusals"]

    assert (401, 200, 200) == (stranger, frozen, thawed)
    assert ({402}, {200}) == (set(while_frozen), set(after))
    assert (503, ["frozen"]) == (ready[0], list(ready[1]["failed"]))
    assert 12 == len(refusals)
    assert 12 == len({each["request_id"] for each in refusals})
