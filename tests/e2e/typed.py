"""Commands that are typed beside a market: its sidecar runs, and what it sells is counted.

They run in this process, so that what is planted in the code is in them as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.shell import WAIT_S
from tests.unit.cli.commands import Command, Ran
from tests.world.market import Market, config_text

# Venice and Nodit, with a wallet on each chain.
SIGN_INS_AT_START = 4


def as_it_is(text: str) -> str:
    """The market's own config."""
    return text


@dataclass(frozen=True, slots=True)
class Typist:
    """Types commands in a folder with the market's config."""

    command: Command
    folder: Path

    async def __call__(
        self, place: Market, *argv: str, change: Callable[[str], str] = as_it_is
    ) -> Ran:
        """Run one, with the config changed, beside the market's running sidecar."""
        service = place.service
        text = config_text(self.folder, place.sandbox.url, 3600, "")
        text = text.replace("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{service.port}")
        text = text.replace("admin: 127.0.0.1:0", f"admin: 127.0.0.1:{service.admin_port}")
        path = self.folder / "sidecar.yaml"
        path.write_text(change(text))
        words: tuple[str, ...] = (argv[0], "--config", str(path), *argv[1:])
        return await asyncio.to_thread(self.command, *words)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Typist:
    return Typist(Command(capsys), tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ran]:
    """Types a command in a folder with a config of its own."""
    command, path = Command(capsys), tmp_path / "sidecar.yaml"
    return lambda name, *argv: command(name, "--config", path, *argv)


async def begun(place: Market) -> tuple[int, int, int]:
    """Wait until the sidecar has asked each vendor for its balance, and count."""
    async with asyncio.timeout(WAIT_S):
        while (now := await counted(place))[2] < SIGN_INS_AT_START:
            await asyncio.sleep(0.05)
    return now


async def delivered(place: Market) -> None:
    """Wait until each payment has the mark that its last byte makes, which no app waits for."""
    async with asyncio.timeout(WAIT_S):
        while any(payment.delivered_at is None for payment in await place.payments()):
            await asyncio.sleep(0.01)


async def counted(place: Market) -> tuple[int, int, int]:
    """At the sellers: payments that were presented, that settled, and sign-ins."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{place.sandbox.url}/sandbox/vendors") as response:
            books = json.loads(await response.text())
    sign_ins = sum(len(found) for found in _all(books, "sign_ins"))
    shown = place.sandbox.books
    return len(shown.presentations), len(shown.settlements), sign_ins


def _all(document: Any, key: str) -> Iterator[Any]:
    if isinstance(document, dict):
        for name, value in document.items():
            if name == key:
                yield value
            else:
                yield from _all(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _all(value, key)
