"""A sidecar that pays, in front of a seller whose answers a test writes byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.terms import Terms
from sidecar.service import Ports, Service, open_all
from tests.hostile.recorder import OK, Recorder, Respond, Seen, recording
from tests.world.running import TOKEN, config_text
from tests.world.switches import SWITCHES

ANSWER_WAIT_S = 20.0
RECEIPTS = ("payment-signature", "x-payment")


@dataclass(frozen=True, slots=True)
class Paying:
    """``seller`` is the configured upstream; ``other`` is a second origin that nobody may reach."""

    service: Service
    seller: Recorder
    other: Recorder

    async def say(self, data: bytes) -> bytes:
        """All that comes back on a connection of our own until it is closed."""
        host = b"127.0.0.1:%d" % self.service.port
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service.port)
        writer.write(data.replace(b"{host}", host).replace(b"{token}", b"Bearer " + TOKEN.encode()))
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    def payments(self) -> set[str]:
        """The payments that reached the seller; one that was presented twice counts once."""
        return {value for seen in self.seller.requests for value in payments_in(seen)}


def payments_in(seen: Seen) -> list[str]:
    """The payment headers of a request."""
    return [value for name in RECEIPTS for value in seen.values(name)]


def challenge() -> bytes:
    """A 402 that this sidecar would pay."""
    terms = Terms(SandboxOptions())
    made = terms.challenge("http://seller/v1/a", terms.offers)
    lines = [f"{name}: {value}" for name, value in made.headers.items()]
    head = ["HTTP/1.1 402 Payment Required", *lines, f"Content-Length: {len(made.body)}"]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + made.body


def sells(seen: Seen) -> bytes:
    """An honest seller's answers: 402 without a payment, 200 with one."""
    return OK if payments_in(seen) else challenge()


@asynccontextmanager
async def paying(folder: Path, other: Recorder, respond: Respond = sells) -> AsyncIterator[Paying]:
    """All of it, started and stopped. ``respond`` is what the seller does."""
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    try:
        async with recording(respond) as seller:
            text = config_text(folder, seller.origin, rpc=sandbox.rpc_url)
            config = parse_config(text, SWITCHES, {}, folder)
            opened = open_all(config, {}, SystemEntropy())
            service = await Service.start(config, opened, lambda event: None, Ports())
            try:
                yield Paying(service, seller, other)
            finally:
                await service.stop()
    finally:
        await sandbox.stop()
