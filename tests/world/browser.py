"""A real browser, and all that it complained of, ran or asked for while a test used it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright

from tests.world.processes import INSTALL, NotInstalledError

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that somebody else's server answers for, rebound to this machine.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)
DESK = (1280, 900)
PHONE = (375, 812)
WAIT_MS = 20_000
# What a page would do to tell that its script ran.
MARK = "globalThis.__ran"


@dataclass
class Window:
    """One page that is watched. ``complaints``: its errors, and what its policy forbade."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    async def text(self, selector: str) -> str:
        """What a person reads there."""
        return await self.page.locator(selector).inner_text()

    async def until_text(self, selector: str, words: str) -> None:
        """Come back once these words stand there."""
        found = self.page.locator(selector).filter(has_text=words)
        await found.first.wait_for(timeout=WAIT_MS)

    async def width(self) -> int:
        """How wide the page is, with what sticks out of its window."""
        width: int = await self.page.evaluate("document.documentElement.scrollWidth")
        return width


@asynccontextmanager
async def window(
    *, size: tuple[int, int] = DESK, dark: bool = False, scale: float = 1
) -> AsyncIterator[Window]:
    """A browser with one empty page; closed at the end."""
    program = shutil.which("chromium")
    if program is None:
        raise NotInstalledError(f"chromium is missing: {INSTALL}")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=program, headless=True, args=list(FLAGS)
        )
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            device_scale_factor=scale,
            locale="en-GB",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        watched = Window(context, await context.new_page())
        watch(watched, watched.page)
        try:
            yield watched
        finally:
            await browser.close()


def watch(watched: Window, page: Page) -> None:
    """Write down what this page complains of and asks for."""

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            watched.complaints.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda fault: watched.complaints.append(str(fault)))
    page.on("request", lambda asked: watched.origins.add(_origin(asked.url)))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
