"""Large bodies that are paid for: the seller names its price while they come, and gets them whole.

The seller speaks in bytes and counts what it is paid, whatever our own books say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.ledger.model import Payment
from sidecar.payments.events import Event, PaymentDenied, TaskFailed
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.terms import Terms
from sidecar.service import Ports, Service, open_all
from tests.world.raw_upstream import End, raw_app
from tests.world.running import TOKEN, config_text
from tests.world.switches import SWITCHES

MIB = 2**20
SIZE = 5 * MIB
BODY = bytes(range(251)) * (SIZE // 251 + 1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
WAIT_S = 20.0


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Seller:
    """It wants money, and says so ``when``; what it is paid for it reads to its end."""

    when: str = "at the end"
    port: int = 0
    looks: int = 0
    paid: list[bytes] = field(default_factory=list)  # the bodies that came with a payment
    heads: list[bytes] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_paid: asyncio.Event = field(default_factory=asyncio.Event)
    may_read: asyncio.Event = field(default_factory=_set)
    may_serve: asyncio.Event = field(default_factory=_set)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._open.add(writer)
        # The last of them is what a cut chunk's missing size reads as.
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        pays = b"\r\npayment-signature: " in head
        if pays:
            self.heads.append(head)
        else:
            self.looks += 1
        if not pays and self.when != "at the end":
            await reader.readexactly(MIB)
            writer.write(self._challenge())
            await writer.drain()
            if self.when == "at once, and hangs up":
                return False
            if self.when == "at once, and is deaf":
                await self.over.wait()
                return False
        if pays:
            await self.may_read.wait()
        body = await _read(head, reader)
        if pays:
            self.paid.append(body)
            self.is_paid.set()
            await self.may_serve.wait()
            writer.write(OK)
        elif self.when == "at the end":
            writer.write(self._challenge())
        return True

    def _challenge(self) -> bytes:
        terms = Terms(SandboxOptions())
        said = terms.challenge(f"http://127.0.0.1:{self.port}/v1/up", terms.offers)
        lines = [f"{name}: {value}" for name, value in said.headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(said.body)}"]
        return "\r\n".join(["HTTP/1.1 402 Pay", *lines, "", ""]).encode() + said.body


async def _read(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if b"\r\ntransfer-encoding: chunked\r\n" not in head:
        length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        return await reader.readexactly(int(length))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


@dataclass(frozen=True, slots=True)
class Market:
    """A sidecar, the seller behind it, and what was said."""

    service: Service
    seller: Seller
    events: list[Event]

    def head(self, *lines: str) -> bytes:
        """The head of an upload."""
        first = (
            "POST /v1/up HTTP/1.1",
            f"Host: 127.0.0.1:{self.service.port}",
            f"Authorization: Bearer {TOKEN}",
        )
        return ("\r\n".join((*first, *lines)) + "\r\n\r\n").encode()

    def upload(self, chunked: bool, size: int = SIZE) -> tuple[bytes, bytes]:
        """Head and body, as they are sent."""
        if not chunked:
            return self.head(f"Content-Length: {size}"), BODY[:size]
        parts = [BODY[at : min(at + 90_000, size)] for at in range(0, size, 90_000)]
        framed = b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts])
        return self.head("Transfer-Encoding: chunked"), framed + b"0\r\n\r\n"

    async def payments(self) -> tuple[Payment, ...]:
        """What the books have."""
        assert self.service._ledger is not None
        return tuple(await self.service._ledger.payments(None, 10))

    def faults(self) -> list[TaskFailed]:
        """What failed that nobody waited for."""
        return [event for event in self.events if isinstance(event, TaskFailed)]

    def denials(self) -> list[str]:
        """By which rules payments were refused."""
        return [event.denied.rule for event in self.events if isinstance(event, PaymentDenied)]


@asynccontextmanager
async def market(
    folder: Path, seller: Seller, limits: str = "{}", as_vendor: str = ""
) -> AsyncIterator[Market]:
    """Both, started and stopped."""
    server = await asyncio.start_server(seller.serve, "127.0.0.1", 0)
    seller.port = server.sockets[0].getsockname()[1]
    text = config_text(folder, f"http://127.0.0.1:{seller.port}", response_wait_s=10, limits=limits)
    if as_vendor:
        text = text.replace("pay_per_request", as_vendor).replace("84532", "8453")
        text = text.replace("0.10 USDC", "10.00 USDC").replace("5.00 USDC", "50.00 USDC")
        text += '    top_up: {amount: "5.00 USDC"}\n'
    config = parse_config(text, SWITCHES, {}, folder)
    events: list[Event] = []
    service = await Service.start(
        config, open_all(config, {}, SystemEntropy()), events.append, Ports()
    )
    try:
        yield Market(service, seller, events)
    finally:
        await service.stop()
        seller.over.set()
        server.close()
        for writer in seller._open:
            writer.close()
        await asyncio.sleep(0.05)


async def status_of(app: End) -> int:
    """The status of the whole answer that comes."""
    async with asyncio.timeout(WAIT_S):
        return int((await app.answer())[9:12])


MOMENTS = ("at the end", "at once, and reads on", "at once, and is deaf", "at once, and hangs up")


@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_paid_once_and_whole(tmp_path: Path, when: str, chunked: bool) -> None:
    """Whenever the price is named, the upload is paid for once, and sent with it to its last byte.

    The rest of it comes long after the price.
    """
    async with market(tmp_path, Seller(when)) as shop, raw_app(shop.service.port) as app:
        head, body = shop.upload(chunked)
        app.say(head + body[: 2 * MIB])
        await asyncio.sleep(0.3)
        early = list(shop.seller.paid), await shop.payments()
        app.say(body[2 * MIB :])
        status = await status_of(app)
        rows = await shop.payments()

    assert ([], ()) == early
    assert 200 == status
    assert [BODY[:SIZE]] == shop.seller.paid
    assert 1 == len(rows) == shop.seller.looks
    assert f"\r\ncontent-length: {SIZE}\r\n".encode() in shop.seller.heads[0]
    assert b"transfer-encoding" not in shop.seller.heads[0]
    assert [] == shop.faults()


@pytest.mark.parametrize("when", MOMENTS)
async def test_app_gone_before_its_last_byte(tmp_path: Path, when: str) -> None:
    """An app that hangs up in mid-upload buys nothing, though its price was named already."""
    async with market(tmp_path, Seller(when)) as shop:
        async with raw_app(shop.service.port) as app:
            head, body = shop.upload(False)
            app.say(head + body[: 4 * MIB])
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.3)
        rows = await shop.payments()
        # A control: who stays pays.
        async with raw_app(shop.service.port) as app:
            app.say(head + body)
            status = await status_of(app)

    assert () == rows
    assert 200 == status
    assert [BODY[:SIZE]] == shop.seller.paid
    assert [] == shop.faults()


async def test_silent_after_the_price(tmp_path: Path) -> None:
    """An app that goes silent after the price was named is told so, and buys nothing."""
    limits = "{body_idle_s: 1}"
    async with market(tmp_path, Seller(MOMENTS[1]), limits) as shop:
        async with raw_app(shop.service.port) as app:
            head, body = shop.upload(False)
            app.say(head + body[: 4 * MIB])
            status = await status_of(app)
        rows = await shop.payments()

    assert 408 == status
    assert [] == shop.seller.paid
    assert () == rows


@pytest.mark.parametrize("when", MOMENTS)
async def test_chunks_beyond_the_cap(tmp_path: Path, when: str) -> None:
    """A chunked upload that outgrows the cap is sent on and not paid for, and that is counted."""
    async with (
        market(tmp_path, Seller(when), "{replay_bytes_max: 3MiB}") as shop,
        raw_app(shop.service.port) as app,
    ):
        head, body = shop.upload(True)
        app.say(head + body)
        status = await status_of(app)
        rows = await shop.payments()

    assert 402 == status
    assert ["body_too_large"] == shop.denials()
    assert [] == shop.seller.paid
    assert () == rows


async def test_chunks_beyond_the_room(tmp_path: Path) -> None:
    """A chunked upload for which there is no more room is not paid for, and may come again."""
    limits = "{replay_bytes_max: 3MiB, replay_memory_max: 3MiB}"
    async with (
        market(tmp_path, Seller(), limits) as shop,
        raw_app(shop.service.port) as one,
        raw_app(shop.service.port) as two,
    ):
        one.say(shop.upload(True)[0] + b"%x\r\n" % SIZE + BODY[: 2 * MIB])
        async with asyncio.timeout(WAIT_S):
            while not shop.seller.looks:
                await asyncio.sleep(0.02)
        head, body = shop.upload(True, 2 * MIB + MIB // 2)
        two.say(head + body)
        status = await status_of(two)
        await one.hang_up()
        again = status
        while again == 503:
            two.say(head + body)
            again = await status_of(two)

    assert (503, 200) == (status, again)
    assert [BODY[: 2 * MIB + MIB // 2]] == shop.seller.paid


async def test_app_gone_while_it_is_paid(tmp_path: Path) -> None:
    """What was paid for reaches the seller to its last byte, though its app has hung up."""
    size = 15 * MIB
    body = bytes(size)
    seller = Seller(may_read=asyncio.Event())
    async with market(tmp_path, seller) as shop:
        async with raw_app(shop.service.port) as app:
            app.say(shop.head(f"Content-Length: {size}") + body)
            async with asyncio.timeout(WAIT_S):
                while not seller.heads:
                    await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        seller.may_read.set()
        async with asyncio.timeout(WAIT_S):
            await seller.is_paid.wait()

    assert [body] == seller.paid
    assert [] == shop.faults()


async def test_repeated_call_binds(tmp_path: Path) -> None:
    """A call that is repeated, body and all, presents the payment of the one that was left."""
    async with market(tmp_path, Seller("at once, and reads on")) as shop:
        shop.seller.may_serve.clear()
        head, body = shop.upload(False)
        async with raw_app(shop.service.port) as app:
            app.say(head + body)
            async with asyncio.timeout(WAIT_S):
                await shop.seller.is_paid.wait()
        shop.seller.may_serve.set()
        async with raw_app(shop.service.port) as app:
            app.say(head + body)
            status = await status_of(app)
        rows = await shop.payments()

    signatures = {head.partition(b"payment-signature: ")[2] for head in shop.seller.heads}
    assert 200 == status
    assert 1 == len(rows) == len({text.partition(b"\r\n")[0] for text in signatures})
    assert {BODY[:SIZE]} == set(shop.seller.paid)


class Creditor(Seller):
    """It sells credit, and wants some as soon as the upload begins."""

    charges = 0

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/x402/top-up " in head.partition(b"\r\n")[0]:
            self.charges += 1
            writer.write(b"HTTP/1.1 500 Closed\r\nContent-Length: 0\r\n\r\n")
            return True
        if not head.startswith(b"POST "):
            writer.write(b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n")
            return True
        self.looks += 1
        said = b'{"code": "PAYMENT_REQUIRED", "error": "Payment required"}'
        writer.write(b"HTTP/1.1 402 Pay\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
        await _read(head.lower(), reader)
        return True


async def test_credit(tmp_path: Path) -> None:
    """No credit is bought for an upload before it is all here."""
    seller = Creditor()
    async with market(tmp_path, seller, as_vendor="venice") as shop:
        async with raw_app(shop.service.port) as app:
            head, body = shop.upload(False)
            app.say(head + body[: 4 * MIB])
            async with asyncio.timeout(WAIT_S):
                while not seller.looks:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
        # The balance is read again before credit is bought, and is waited for.
        await asyncio.sleep(3)
        before = seller.charges
        # A control: for who stays, it is asked for.
        async with raw_app(shop.service.port) as app:
            app.say(head + body)
            await status_of(app)

    assert 0 == before
    assert 0 < seller.charges
