"""The status page in a real browser, in front of a real sidecar that pays."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admin_office import ViewOffice
from tests.unit.proxy.test_feed import WatchedView
from tests.world.browser import MARK, PHONE, WAIT_MS, window
from tests.world.page_state import HOSTILE, hostile_state
from tests.world.page_world import World, opened, sidecar_with_page


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A seller, and a sidecar in a process of its own."""
    async with sidecar_with_page(tmp_path) as both:
        yield both


async def test_live_payment(world: World) -> None:
    """A payment that is made while the page is open shows up on it, without a reload."""
    async with opened(world) as seen:
        await seen.page.evaluate("globalThis.__same = true")
        before = await seen.text("#tile-spent")
        status, _ = await world.call()
        await seen.until_text("#payments", "0.01")
        await seen.until_text("#payments .chip", "paid")
        await seen.until_text("#tile-spent", "0.01 USDC")
        await seen.until_text("#legend", "seller")
        await seen.until_text("#budgets", "4.99 of 5.00 left")
        await seen.until_text("#balances", "USDC")
        same = await seen.page.evaluate("globalThis.__same")

    assert ("0.00 USDC", 200, True, 1) == (before, status, same, world.settled)
    assert [] == seen.complaints
    assert {world.page.rstrip("/")} == seen.origins


async def test_refusal(world: World) -> None:
    """Why a call was refused is on the page, with the request's id for ``sidecar explain``."""
    async with opened(world) as seen:
        await world.raw("/v1/models")
        await seen.until_text("#refusals", "token")
        text = await seen.text("#refusals")
        (refusal,) = (await world.status())["refusals"]

    assert "GET /v1/models" in text
    assert refusal["request_id"] in text
    assert "401" in text


async def test_freeze(world: World) -> None:
    """Freezing from the page asks once, stops every payment, and unfreezing lets them be again."""
    async with opened(world) as seen:
        page = seen.page
        await page.click("#freeze")
        await page.click("#ask-cancel")
        untouched = (await world.status())["frozen"]
        await page.click("#freeze")
        await page.fill("#token", world.admin_token)
        await page.keyboard.press("Enter")
        await seen.until_text("#state", "Frozen")
        refused = await world.call()
        stopped = world.settled
        await page.click("#freeze")
        await seen.until_text("#state", "Serving")
        served, _ = await world.call()
        url = page.url

    assert None is untouched
    assert (402, "frozen", 0) == (refused[0], refused[1]["error"]["rule"], stopped)
    assert (200, 1) == (served, world.settled)
    assert world.page == url
    assert [] == seen.complaints


async def test_approve(world: World) -> None:
    """What waits for a person is approved on the page, and its app gets the answer it waits for."""
    async with opened(world) as seen:
        held = asyncio.create_task(world.call("/held/v1/chat/completions"))
        await seen.until_text("#attention", "waits for approval")
        presented = world.settled
        await seen.page.get_by_role("button", name="Approve 0.01 USDC for app").click()
        await seen.page.fill("#token", world.admin_token)
        await seen.page.click("#ask-go")
        status, answer = await held
        await seen.page.locator("#attention li").wait_for(state="detached", timeout=WAIT_MS)

    assert (0, 200, 1) == (presented, status, world.settled)
    assert "choices" in answer
    assert [] == seen.complaints


async def test_refuse(world: World) -> None:
    """What is refused on the page is never paid, and the app hears of it."""
    async with opened(world) as seen:
        held = asyncio.create_task(world.call("/held/v1/chat/completions"))
        await seen.until_text("#attention", "waits for approval")
        await seen.page.get_by_role("button", name="Refuse 0.01 USDC for app").click()
        await seen.page.fill("#token", world.admin_token)
        await seen.page.click("#ask-go")
        status, answer = await held

    assert (402, "approval_refused", 0) == (status, answer["error"]["rule"], world.settled)


async def test_wrong_token(world: World) -> None:
    """A wrong token is called wrong, changes nothing, and is not kept; the right one still may."""
    async with opened(world) as seen:
        page = seen.page
        await page.click("#freeze")
        said = []
        for wrong in ("", "sk-sidecar-not-this-one", "ключ"):
            await page.fill("#token", wrong)
            await page.click("#ask-go")
            await seen.until_text("#ask-error", "That is not the admin token")
            said.append(await page.evaluate("JSON.stringify(sessionStorage)"))
        invalid = await page.get_attribute("#token", "aria-invalid")
        frozen = (await world.status())["frozen"]
        await page.fill("#token", world.admin_token)
        await page.click("#ask-go")
        await seen.until_text("#state", "Frozen")
        kept = await page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")

    assert (["{}"] * 3, "true", None) == (said, invalid, frozen)
    assert [1, 0, ""] == kept


async def test_token_stays_in_its_tab(world: World) -> None:
    """The token outlives a reload, is not in another tab, and can be forgotten."""
    async with opened(world) as seen:
        await seen.page.click("#freeze")
        await seen.page.fill("#token", world.admin_token)
        await seen.page.click("#ask-go")
        await seen.until_text("#state", "Frozen")
        await seen.page.reload()
        await seen.until_text("#kept", "kept in this tab")
        other = await seen.context.new_page()
        await other.goto(world.page)
        elsewhere = await other.evaluate("sessionStorage.length")
        await seen.page.click("#forget")
        left = await seen.page.evaluate("sessionStorage.length")

    assert (0, 0) == (elsewhere, left)


async def test_hostile_path(world: World) -> None:
    """A path that would be a script in a page is a text on this one."""
    async with opened(world) as seen:
        await world.raw(f"/v1/<script>{MARK}=1</script>")
        await world.raw(f"/v1/<img/src=x/onerror={MARK}=1>")
        await seen.until_text("#refusals", f"/v1/<script>{MARK}=1</script>")
        await seen.until_text("#refusals", f"/v1/<img/src=x/onerror={MARK}=1>")
        ran = await seen.page.evaluate(MARK)
        made = await seen.page.locator("main script, main img").count()

    assert (None, 0) == (ran, made)
    assert [] == seen.complaints


@dataclass
class Fixed:
    """An admin port with a view that a test makes up."""

    view: WatchedView
    url: str = ""


@asynccontextmanager
async def fixed(facts: dict[str, Any]) -> AsyncIterator[Fixed]:
    view = MadeUpView({}, facts=facts)
    server = RawTestServer(
        AdminHandler(ViewOffice(view), lambda: frozenset({f"127.0.0.1:{server.port}"}), "t")
    )
    await server.start_server()
    try:
        yield Fixed(view, f"http://127.0.0.1:{server.port}/")
    finally:
        view.stop()
        await server.close()


@dataclass
class MadeUpView(WatchedView):
    """Says what it is told to, instead of what a ledger would."""

    def describe(self) -> dict[str, Any]:
        return {**self.facts}

    def observed(self) -> dict[str, Any]:
        return {name: self.facts[name] for name in ("refusals", "top_ups_stopped")}

    async def money(self) -> dict[str, Any]:
        # The last word: also on what the handler says of the ledger.
        return {**self.facts}


async def test_hostile_words() -> None:
    """Whatever text a state has, it is shown as it is: no script runs, nothing is loaded."""
    async with fixed(hostile_state()) as port, window() as seen:
        await seen.page.goto(port.url)
        await seen.until_text("#heard", "Live")
        await seen.until_text("#refusals", HOSTILE)
        text = await seen.text("body")
        ran = await seen.page.evaluate(MARK)
        made = await seen.page.locator("main script, main img, main iframe").count()

    assert (None, 0) == (ran, made)
    # Of the name of a budget, a route, a caller, a balance and a refusal.
    assert 5 <= text.count(HOSTILE)
    assert [] == seen.complaints
    assert {port.url.rstrip("/")} == seen.origins


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_phone(dark: bool) -> None:
    """On a phone nothing sticks out, whatever the texts, and the dark is dark."""
    async with fixed(hostile_state()) as port, window(size=PHONE, dark=dark) as seen:
        await seen.page.goto(port.url)
        await seen.until_text("#heard", "Live")
        width = await seen.width()
        back = await seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    colours = [int(part) for part in back.removeprefix("rgb(").rstrip(")").split(",")]

    assert PHONE[0] == width
    assert dark == (max(colours) < 64)
    assert [] == seen.complaints


async def test_other_sites(world: World) -> None:
    """A page of another origin reads nothing and switches nothing, even if it knew the token."""
    runner = web.ServerRunner(web.Server(_elsewhere))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    statuses: list[int] = []
    try:
        async with window() as seen:
            seen.page.on("response", lambda got: statuses.append(got.status))
            await seen.page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            read = await seen.page.evaluate(ATTACK, [world.page, world.admin_token])
            rebound = await seen.page.goto(
                world.page.replace("127.0.0.1", "rebound.example"), wait_until="commit"
            )
    finally:
        await runner.cleanup()

    assert ["refused", "refused", "refused"] == read
    assert None is (await world.status())["frozen"]
    assert rebound is not None
    assert 403 == rebound.status
    assert {200, 403} >= set(statuses)
    assert 200 in statuses[:1]


async def _elsewhere(request: web.BaseRequest) -> web.Response:
    return web.Response(text="<!doctype html><title>elsewhere</title>", content_type="text/html")


ATTACK = """
async ([page, token]) => {
  const tried = [];
  for (const ask of [
    () => fetch(page + "status").then((got) => got.text()),
    () => fetch(page + "freeze", {method: "POST", headers: {Authorization: "Bearer " + token}})
      .then((got) => got.text()),
    () => new Promise((done, fail) => {
      const source = new EventSource(page + "events");
      source.addEventListener("state", (event) => done(event.data));
      source.onerror = () => { source.close(); fail(); };
    }),
  ]) {
    tried.push(await ask().catch(() => "refused"));
  }
  await fetch(page + "freeze", {method: "POST", mode: "no-cors"}).catch(() => {});
  return tried;
}
"""


async def test_stop_with_an_open_page(world: World) -> None:
    """A stop does not wait for pages: it ends as asked, and the page says that it is gone."""
    async with opened(world) as seen:
        world.process.send_signal(signal.SIGTERM)
        code = await world.process.wait()
        await seen.until_text("#heard", "No answer")

    assert 0 == code


async def test_keyboard(world: World) -> None:
    """The page is used without a mouse: bars are read, and a question is answered or left."""
    await world.call()
    async with opened(world) as seen:
        page = seen.page
        await seen.until_text("#legend", "seller")
        await page.focus("#chart svg")
        whole = await seen.text("#readout")
        await page.keyboard.press("ArrowLeft")
        hour = await seen.text("#readout")
        await page.keyboard.press("Escape")
        again = await seen.text("#readout")
        await page.focus("#freeze")
        await page.keyboard.press("Enter")
        asked = await page.evaluate("document.activeElement.id")
        await page.keyboard.press("Escape")
        left = await page.evaluate(
            "[document.activeElement.id, document.querySelector('dialog').open]"
        )

    assert ("Last 24 hours: 0.01 USDC", whole) == (whole, again)
    assert hour not in {whole, ""}
    assert ("token", ["freeze", False]) == (asked, left)
