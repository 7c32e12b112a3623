"""A paced seller and two sidecars in front of it, each a process: one with the fast lane."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.paced_app import Course, Door, listen
from tests.e2e.paced_cases import LAST, Case, chunk, event
from tests.e2e.paced_seller import Pace, PacedSeller, Play, causally
from tests.world.certificate import make_certificate
from tests.world.processes import ROOT, free_port
from tests.world.running import KEY, TOKEN, listening, write_private

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
log: {{level: error}}
limits: {{fast_lane: {lane}}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: day, limit: "1000.00 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  keyed:
    provider: api_key
    upstream: http://127.0.0.1:{seller}
    api_key: {{file: {folder}/api.key}}
  priced:
    provider: api_key
    upstream: http://127.0.0.1:{seller}
    api_key: {{file: {folder}/api.key}}
    prices:
      m: {{input: "0.25", output: "1.50"}}
  paid:
    provider: pay_per_request
    upstream: http://127.0.0.1:{seller}
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
  secure:
    provider: api_key
    upstream: https://127.0.0.1:{tls}
    api_key: {{file: {folder}/api.key}}
"""
ROUTES = ("keyed", "priced", "paid", "secure")
# The ways of a stream that cross a sidecar, by what is asked of them.
LANE = tuple(f"{route}, fast lane" for route in ROUTES)
ORDINARY = tuple(f"{route}, ordinary way" for route in ROUTES)
SIDECARS = (*LANE, *ORDINARY)
DIRECT = ("direct", "direct, secure")
WARM = Case("one event", (chunk(event("[DONE]")) + LAST,))


@dataclass(frozen=True, slots=True)
class PacedWorld:
    """What a test talks to."""

    seller: PacedSeller
    doors: dict[str, Door]

    def announce(self, way: str, case: Case, paced: Pace = causally) -> Play:
        """A stream that will be asked for this way."""
        return self.seller.announce(case, paced, costs=way.startswith("paid"))

    async def course(self, way: str, case: Case) -> tuple[Play, Course]:
        """The stream this way, paced by the app's own reading."""
        play = self.announce(way, case)
        return play, await listen(self.doors[way], play)


@asynccontextmanager
async def paced_world(folder: Path) -> AsyncIterator[PacedWorld]:
    """All of it, listening."""
    certificate = make_certificate(folder)
    async with AsyncExitStack() as stack:
        seller = await stack.enter_async_context(PacedSeller().open(certificate.for_server()))
        doors = {
            "direct": Door(seller.port),
            "direct, secure": Door(seller.tls_port, tls=certificate.for_client()),
        }
        for ways, lane in ((LANE, "true"), (ORDINARY, "false")):
            home = folder / f"lane-{lane}"
            home.mkdir()
            port = await stack.enter_async_context(
                _sidecar(home, lane, (seller.port, seller.tls_port), certificate.path)
            )
            for way, route in zip(ways, ROUTES, strict=True):
                doors[way] = Door(port, f"/{route}", TOKEN)
        world = PacedWorld(seller, doors)
        for way in SIDECARS:
            # The fast lane takes requests once a credential is at hand: the first makes it.
            _, course = await world.course(way, WARM)
            assert course.whole
        yield world


@asynccontextmanager
async def _sidecar(
    folder: Path, lane: str, sellers: tuple[int, int], believed: Path
) -> AsyncIterator[int]:
    for name, secret in (("evm.key", KEY), ("api.key", "sk-upstream"), ("app.token", TOKEN)):
        write_private(folder / name, secret)
    port = free_port()
    config = folder / "sidecar.yaml"
    config.write_text(
        CONFIG.format(
            port=port,
            admin_port=free_port(),
            folder=folder,
            lane=lane,
            seller=sellers[0],
            tls=sellers[1],
        )
    )
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
        cwd=ROOT,
        env={**os.environ, "SSL_CERT_FILE": str(believed)},
    )
    try:
        await listening(port)
        yield port
    finally:
        child.terminate()
        await child.wait()
