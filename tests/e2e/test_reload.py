"""A running sidecar reads its config again: all of it holds from then on, or nothing changes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.world.processes import ROOT
from tests.world.reloadable import EXTRA_ROUTE, KEYED, Reloadable, reloadable
from tests.world.running import TOKEN, write_private
from tests.world.switches import SWITCHES

OTHER_TOKEN = f"{TOKEN}-that-came-later"
CALL = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def one_connection() -> AsyncIterator[aiohttp.ClientSession]:
    """An app that keeps one connection and uses it for everything."""
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as app:
        yield app


async def key(
    app: aiohttp.ClientSession, world: Reloadable, token: str = TOKEN, route: str = "keyed"
) -> tuple[int, Any]:
    """What comes of one plain request."""
    headers = {"Authorization": f"Bearer {token}"}
    async with app.get(f"{world.url}/{route}/v1/key", headers=headers) as response:
        document = await response.json()
        return response.status, document.get("key")


async def pay(app: aiohttp.ClientSession, world: Reloadable) -> int:
    """The status of one call that costs a cent."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{world.url}/seller/v1/chat/completions"
    async with app.post(url, json=CALL, headers=headers) as response:
        await response.read()
        return response.status


async def settled(world: Reloadable, reads: int) -> dict[str, Any]:
    """The status once the log tells of so many readings."""
    async with asyncio.timeout(20):
        while len(re.findall("config_reload", world.log)) < reads:
            await asyncio.sleep(0.02)
    return await world.status()


async def test_token_is_rotated(tmp_path: Path) -> None:
    """The old token is refused at once, on a warm connection too, and the new one is let in."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        before = [await key(app, world) for _ in range(4)]
        write_private(tmp_path / "app.token", OTHER_TOKEN)
        reloaded = await world.reload()
        old, new = await key(app, world), await key(app, world, OTHER_TOKEN)

    assert [(200, f"Bearer {KEYED}")] * 4 == before
    assert (200, ["callers.app.token"]) == (reloaded[0], reloaded[1]["changed"])
    assert 401 == old[0]
    assert (200, f"Bearer {KEYED}") == new


async def test_token_is_rotated_behind_a_head(tmp_path: Path) -> None:
    """A head that came before on its connection, but for its length, is not let in by that."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    statuses = []
    async with reloadable(tmp_path) as world, one_connection() as app:
        for size in range(1, 6):
            if size == 5:
                write_private(tmp_path / "app.token", OTHER_TOKEN)
                await world.reload()
            url = f"{world.url}/keyed/v1/nothing"
            async with app.post(url, data=b"x" * size, headers=headers) as response:
                await response.read()
                statuses.append(response.status)

    assert [404, 404, 404, 404, 401] == statuses


async def test_routes_come_and_go(tmp_path: Path) -> None:
    """A route that is added serves at once, and one that is removed is a 404, warm or not."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        missing = await key(app, world, route="extra")
        world.write(routes=EXTRA_ROUTE)
        added = await world.reload()
        served = [await key(app, world, route="extra") for _ in range(4)]
        world.write()
        removed = await world.reload()
        gone = await key(app, world, route="extra")
        other = await key(app, world)

    assert (404, 404) == (missing[0], gone[0])
    assert (["routes.extra"], ["routes.extra"]) == (added[1]["changed"], removed[1]["changed"])
    assert {200} == {status for status, _ in served}
    assert 200 == other[0]


async def test_api_key_is_rotated(tmp_path: Path) -> None:
    """A key that was changed in its file goes out after a reload, on a warm connection too."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        before = [await key(app, world) for _ in range(3)]
        write_private(tmp_path / "api.key", "sk-another-key-of-the-account")
        await key(app, world)
        reloaded = await world.reload()
        after = [await key(app, world) for _ in range(3)]

    assert [(200, f"Bearer {KEYED}")] * 3 == before
    assert ["routes.keyed.api_key"] == reloaded[1]["changed"]
    assert [(200, "Bearer sk-another-key-of-the-account")] * 3 == after


async def test_bad_config_changes_nothing(tmp_path: Path) -> None:
    """A config with mistakes is refused whole: each is answered, logged, shown and counted."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        good = await world.samples()
        world.write(routes="  broken:\n    provider: nobody\n", more="surprise: 1\n")
        world.tell(signal.SIGHUP)
        status = await settled(world, 1)
        refused = await world.reload()
        bad = await world.samples()
        served = await key(app, world)
        world.write()
        mended = await world.reload()
        after = await world.samples()
        shown = await world.status()

    name = "sidecar_config_last_reload_successful"
    at = "sidecar_config_last_reload_success_timestamp_seconds"
    assert 200 == served[0]
    assert 409 == refused[0]
    assert status["config_mistakes"] == refused[1]["errors"]
    assert all(
        any(mistake.startswith(path) for mistake in refused[1]["errors"])
        for path in ("surprise", "routes.broken.provider", "routes.broken.upstream")
    )
    assert all(part in world.log for part in ("config_reload_failed", "surprise: "))
    assert (1, 0, 1) == (good[name], bad[name], after[name])
    assert good[at] == bad[at] < after[at]
    assert (200, [], []) == (mended[0], mended[1]["changed"], shown["config_mistakes"])


async def test_what_needs_a_restart(tmp_path: Path) -> None:
    """What was made once, at start, is refused by its path, and nothing else is taken over."""
    more = "event_loop: asyncio\nlog: {format: console}\n"
    async with reloadable(tmp_path) as world, one_connection() as app:
        world.write(limits="{keepalive_s: 9}", routes=EXTRA_ROUTE, more=more)
        text = world.config.read_text()
        text = text.replace(f"127.0.0.1:{world.port}", "127.0.0.1:1")
        text = text.replace("state_dir:", "auth: token\nstate_dir:").replace(
            "wallets:\n", f"wallets:\n  two: {{kind: evm, key: {{file: {tmp_path}/evm.key}}}}\n"
        )
        world.config.write_text(text)
        status, document = await world.reload()
        extra = await key(app, world, route="extra")

    # What the environment says, the file does not change.
    loop = () if "SIDECAR_EVENT_LOOP" in SWITCHES else ("event_loop",)
    assert 409 == status
    assert [
        f"{path}: needs a restart; put it back or restart"
        for path in ("listen", "wallets.two", "limits.keepalive_s", "log.format", *loop)
    ] == document["errors"]
    assert 404 == extra[0]


async def test_secrets_from_the_environment(tmp_path: Path) -> None:
    """What came in a variable still does after a reload; one that was never there is a mistake."""
    first = "  - {{name: two, token: {{env: TEST_TOKEN}}}}"
    third = first + "\n  - {{name: three, token: {{env: TEST_TOKEN_OF_THREE}}}}"
    environ = {"TEST_TOKEN": OTHER_TOKEN}
    async with reloadable(tmp_path, environ=environ, callers=first) as world:
        async with one_connection() as app:
            world.write(callers=first, budget="1.00 USDC")
            good = await world.reload()
            status = (await key(app, world, OTHER_TOKEN))[0]
            world.write(callers=third)
            bad = await world.reload()

    assert (200, ["routes.seller", "budgets.day"]) == (good[0], good[1]["changed"])
    assert 200 == status
    assert 409 == bad[0]
    assert any(
        "$TEST_TOKEN_OF_THREE: a running process is given no new variables" in mistake
        for mistake in bad[1]["errors"]
    )


async def test_lowered_budget_binds_at_once(tmp_path: Path) -> None:
    """What was spent stays spent: a limit below it refuses the next payment, a higher one not."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        first = [await pay(app, world) for _ in range(2)]
        world.write(budget="0.02 USDC")
        await world.reload()
        second = await pay(app, world)
        (shown,) = (await world.status())["budgets"]
        world.write(budget="0.03 USDC")
        await world.reload()
        third = [await pay(app, world) for _ in range(2)]
        moved = len(world.sandbox.books.settlements)

    assert ([200, 200], 402, [200, 402]) == (first, second, third)
    assert ("0.02 USDC", "0.02 USDC") == (shown["limit"], shown["spent"])
    assert 3 == moved


async def test_changed_window_begins_anew(tmp_path: Path) -> None:
    """A budget whose window was changed starts anew: what it spent belongs to the old one."""
    async with reloadable(tmp_path, budget="0.01 USDC", window="30d") as world:
        async with one_connection() as app:
            first = [await pay(app, world) for _ in range(2)]
            world.write(budget="0.01 USDC", window="total")
            await world.reload()
            second = [await pay(app, world) for _ in range(2)]

    assert ([200, 402], [200, 402]) == (first, second)


async def test_counts_stay(tmp_path: Path) -> None:
    """Counters go on over a reload, and new routes and callers have their own labels."""
    caller = "  - {{name: two, token: {{file: {folder}/two.token}}}}"
    write_private(tmp_path / "two.token", OTHER_TOKEN)
    async with reloadable(tmp_path) as world, one_connection() as app:
        for _ in range(3):
            await key(app, world)
        await pay(app, world)
        world.write(routes=EXTRA_ROUTE, callers=caller)
        await world.reload()
        await key(app, world)
        await key(app, world, OTHER_TOKEN, "extra")
        samples = await world.samples()

    def requests(caller: str, route: str) -> float:
        labels = f'caller="{caller}",code_class="2xx",route="{route}"'
        found = {
            name: value
            for name, value in samples.items()
            if name.startswith("sidecar_requests_total")
            and set(re.findall(r'\w+="\w+"', name)) == set(labels.split(","))
        }
        return sum(found.values())

    assert (4, 1, 1, 0) == (
        requests("app", "keyed"),
        requests("app", "seller"),
        requests("two", "extra"),
        requests("other", "other"),
    )
    assert 0.01 == sum(
        value for name, value in samples.items() if name.startswith("sidecar_spend_usdc_total")
    )


async def test_command(tmp_path: Path) -> None:
    """`sidecar reload` says what has changed, or every mistake, and its status tells which."""
    async with reloadable(tmp_path) as world:

        async def reload() -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "sidecar", "reload", "--config", str(world.config)]
            return await asyncio.to_thread(
                subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False
            )

        same = await reload()
        world.write(routes=EXTRA_ROUTE)
        other = await reload()
        world.write(limits="{keepalive_s: 9}")
        stuck = await reload()
        stranger = await world.reload("sk-nobody")

    assert (0, "reloaded: nothing has changed\n") == (same.returncode, same.stdout)
    assert (0, "reloaded: routes.extra\n") == (other.returncode, other.stdout)
    assert (2, "") == (stuck.returncode, stuck.stdout)
    assert "limits.keepalive_s: needs a restart; put it back or restart\n" in stuck.stderr
    assert 401 == stranger[0]


async def test_one_at_a_time(tmp_path: Path) -> None:
    """Many who ask at once are served one after another, and the last word is the file's."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        world.write(routes=EXTRA_ROUTE)
        answers = await asyncio.gather(*(world.reload() for _ in range(20)))
        extra = await key(app, world, route="extra")

    assert {200} == {status for status, _ in answers}
    assert [["routes.extra"]] == [told["changed"] for _, told in answers if told["changed"]]
    assert 200 == extra[0]


async def test_hosts_and_levels(tmp_path: Path) -> None:
    """Names to be called by, limits of requests and the log's level are taken over, too."""
    async with reloadable(tmp_path) as world, one_connection() as app:
        called = {"Authorization": f"Bearer {TOKEN}", "Host": "sidecar.internal"}
        url = f"{world.url}/keyed/v1/key"
        async with app.get(url, headers=called) as response:
            before = response.status
        world.write(
            limits="{body_idle_s: 5}", more="hosts: [sidecar.internal]\nlog: {level: warning}\n"
        )
        reloaded = await world.reload()
        async with app.get(url, headers=called) as response:
            after = response.status
        async with app.get(f"{world.url}/keyed/v1/quiet", headers=called) as response:
            await response.read()
    # It has ended, and so has written all that it writes.
    quiet = world.log.count("/v1/quiet")

    assert (403, 200, 0) == (before, after, quiet)
    assert ["hosts", "limits.body_idle_s", "log.level"] == reloaded[1]["changed"]


async def test_terminal(tmp_path: Path) -> None:
    """SIGHUP is a reload on a terminal, too, until that goes away: then the sidecar ends."""
    ours, its = os.openpty()
    try:
        async with reloadable(tmp_path, terminal=its) as world, one_connection() as app:
            world.write(routes=EXTRA_ROUTE)
            world.tell(signal.SIGHUP)
            await settled(world, 1)
            extra = await key(app, world, route="extra")
            os.close(its)
            os.close(ours)
            code = await world.ended()
    finally:
        for descriptor in (ours, its):
            with suppress(OSError):
                os.close(descriptor)

    assert (200, 0) == (extra[0], code)
