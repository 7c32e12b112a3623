"""A few short conversations over HTTP, for a command that wants to know something now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from sidecar.errors import UpstreamTimeoutError
from sidecar.http import Exchange, Origin, Upstream, run_exchange
from sidecar.proxy.pool import Pool
from sidecar.service.tunnels import proxy_for
from sidecar.tasks import Supervisor
from sidecar.values import dataclass

WAIT_S = 3.0
BODY_BYTES_MAX = 64 * 1024
TASKS_WAIT_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Holds exchanges with a closed set of origins."""

    upstream: Upstream
    step_wait_s: float = WAIT_S

    async def hold(
        self, exchange: Exchange[T], body_bytes_max: int = BODY_BYTES_MAX, wait_s: float = WAIT_S
    ) -> T:
        """What the exchange returns, all of it within ``wait_s``, each step within its own.

        UpstreamError, UpstreamTimeoutError or RemoteProtocolError when it cannot be had.
        """
        try:
            async with asyncio.timeout(wait_s):
                return await run_exchange(
                    self.upstream, exchange, wait_s=self.step_wait_s, body_bytes_max=body_bytes_max
                )
        except TimeoutError as fault:
            raise UpstreamTimeoutError(f"no whole answer in {wait_s:g} s") from fault


@asynccontextmanager
async def dialogue(urls: Iterable[str], step_wait_s: float = WAIT_S) -> AsyncIterator[Dialogue]:
    """A dialogue with the origins of these URLs; each step of it takes so long at most."""
    # Nothing here is started and left alone: whoever starts something awaits it.
    tasks = Supervisor(lambda name, fault: None)
    pool = Pool(tasks, proxy_for(os.environ))
    try:
        origins = frozenset(Origin.of(url) for url in urls)
        yield Dialogue(pool.upstream(origins, WAIT_S, step_wait_s), step_wait_s)
    finally:
        await tasks.drain(TASKS_WAIT_S)
        await pool.close()
