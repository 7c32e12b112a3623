"""A buyer who pays by hand, one step at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from sidecar.clock import Clock
from sidecar.sandbox import Sandbox
from tests.world.fakes import FakeClock
from tests.world.payment_builder import Build, decode, encode

CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def receipt(self) -> dict[str, Any]:
        """What PAYMENT-RESPONSE says."""
        return decode(self.headers["PAYMENT-RESPONSE"])

    @property
    def required(self) -> dict[str, Any]:
        """What the challenge says, wherever it stands."""
        header = self.headers.get("PAYMENT-REQUIRED")
        document = decode(header) if header is not None else self.json
        assert isinstance(document, dict)
        return document


class Buyer:
    """Talks to one sandbox; pays exactly as it is told."""

    def __init__(self, sandbox: Sandbox, clock: Clock) -> None:
        self.sandbox = sandbox
        self._clock = clock
        self.books = sandbox.books
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            max_line_size=131_072,
            max_field_size=131_072,
            timeout=aiohttp.ClientTimeout(20),
        )

    async def __aenter__(self) -> Buyer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    @property
    def clock(self) -> FakeClock:
        """The sandbox's clock, where a test moves it."""
        assert isinstance(self._clock, FakeClock)
        return self._clock

    @property
    def now_s(self) -> int:
        return int(self._clock.now().timestamp())

    @property
    def build(self) -> Build:
        """A good payment, signed now."""
        return Build(self.now_s, network=self.sandbox.options.network)

    async def send(
        self,
        method: str = "GET",
        path: str = "/v1/paid",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Answer:
        """One request, its response read to the end."""
        url = self.sandbox.url + path
        more.setdefault("allow_redirects", False)
        async with self._session.request(method, url, data=body, headers=headers, **more) as got:
            return Answer(got.status, got.headers, await got.read())

    async def terms(
        self, method: str = "GET", path: str = "/v1/paid", body: bytes | None = None
    ) -> dict[str, Any]:
        """The challenge for this request."""
        answer = await self.send(method, path, body)
        assert 402 == answer.status, answer.body
        return answer.required

    async def present(
        self,
        document: object,
        method: str = "GET",
        path: str = "/v1/paid",
        body: bytes | None = None,
        **more: Any,
    ) -> Answer:
        """Send this payment with this request."""
        name = "PAYMENT-SIGNATURE" if self.sandbox.options.x402_version == 2 else "X-PAYMENT"
        return await self.send(method, path, body, {name: encode(document)}, **more)

    async def pay(
        self,
        build: Build | None = None,
        method: str = "GET",
        path: str = "/v1/paid",
        body: bytes | None = None,
        **more: Any,
    ) -> Answer:
        """Ask for the terms, and pay the first entry."""
        required = await self.terms(method, path, body)
        paying = build or self.build
        two = self.sandbox.options.x402_version == 2
        document = paying.v2(required) if two else paying.v1(required)
        return await self.present(document, method, path, body, **more)

    async def until_broken(
        self, document: object, method: str, path: str, body: bytes
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Present a payment; the head, and the part of the body that came before the break."""
        headers = {"PAYMENT-SIGNATURE": encode(document)}
        url = self.sandbox.url + path
        got = b""
        async with self._session.request(method, url, data=body, headers=headers) as response:
            try:
                async for piece in response.content.iter_any():
                    got += piece
            except aiohttp.ClientPayloadError:
                return response, got
        raise AssertionError("the body was whole")

    @property
    def last(self) -> tuple[str, str]:
        """How the last presentation ended, and why."""
        seen = self.books.presentations[-1]
        return seen.outcome.value, seen.reason


def chat(text: str, model: str = "sandbox-1", **more: object) -> bytes:
    """A chat completion request."""
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": model, "messages": messages, **more}).encode()
