"""A sandbox on a real socket, at a time that stands still unless something sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from sidecar.clock import Clock
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.unit.sandbox.client import Buyer
from tests.world.fakes import FakeClock, FakeEntropy

Open = Callable[..., Awaitable[Buyer]]


@pytest.fixture
async def shop() -> AsyncIterator[Open]:
    """Opens a sandbox with these options, and a buyer who talks to it."""
    async with AsyncExitStack() as stack:

        async def start(options: SandboxOptions | None = None, clock: Clock | None = None) -> Buyer:
            clock = clock or FakeClock()
            sandbox = Sandbox(options or SandboxOptions(), clock, FakeEntropy())
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            return await stack.enter_async_context(Buyer(sandbox, clock))

        yield start


@pytest.fixture
async def buyer(shop: Open) -> Buyer:
    """A buyer at a sandbox that has nothing special about it."""
    return await shop()
