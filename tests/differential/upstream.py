"""An upstream that says what a case wants, whoever asks it, and knows what it was asked."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

from tests.differential.answering import JWT, Script
from tests.differential.reading import unchunk

MONTH_S = 30 * 86_400


def _word(document: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")


def _say(document: object) -> Script:
    body = json.dumps(document).encode()
    return Script((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),))


def make_token() -> bytes:
    """A sign-in's token, good for as long as one is believed to be."""
    claims = {"exp": int(time.time()) + MONTH_S}
    return b".".join((_word({"alg": "none"}), _word(claims), b"c2lnbmF0dXJl"))


@dataclass
class Upstream:
    """What it was asked since the last ``start``, and what it says to the next requests."""

    token: bytes
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    scripts: deque[Script] = field(default_factory=deque)
    paid: deque[Script] = field(default_factory=deque)
    answering: set[asyncio.Task[None]] = field(default_factory=set)
    turns: int = 0

    def start(self, scripts: tuple[Script, ...], paid: tuple[Script, ...], turns: int) -> None:
        """Another case begins, with so many turns of the loop between pieces."""
        self.requests.clear()
        self.turns = turns
        self.scripts, self.paid = deque(scripts), deque(paid)

    def stop(self) -> None:
        """The case is over: nothing more is said."""
        for task in self.answering.copy():
            task.cancel()

    def script_for(self, head: bytes) -> Script | None:
        """What is said to this request; None: nothing, ever."""
        if head.startswith(b"POST /member/auth "):
            return _say({"accessToken": self.token.decode()})
        if head.startswith((b"GET /member/credit/balance ", b"GET /member/ready ")):
            return _say({"balance": 1_000_000})
        scripts = self.paid if b"\r\npayment-signature: " in head.lower() else self.scripts
        return scripts.popleft() if scripts else None


class Conversation(asyncio.Protocol):
    """One connection to it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[: end + 2]
            if b"\r\nTransfer-Encoding: chunked\r\n" in head:
                body, at, whole = unchunk(self._seen, end + 4)
                if not whole:
                    return
            else:
                length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
                at = end + 4 + int(length or b"0")
                body = self._seen[end + 4 : at]
                if len(self._seen) < at:
                    return
            self._seen = self._seen[at:]
            self._asked(head, body)

    def _asked(self, head: bytes, body: bytes) -> None:
        upstream = self._upstream
        upstream.requests.append((head, body))
        script = upstream.script_for(head)
        if script is not None:
            task = asyncio.ensure_future(self._answer(script))
            upstream.answering.add(task)
            task.add_done_callback(upstream.answering.discard)

    async def _answer(self, script: Script) -> None:
        await self._wait(script.late)
        for piece in script.pieces:
            if self._transport.is_closing():
                return
            self._transport.write(piece.replace(JWT, self._upstream.token))
            # So that the next piece is a segment of its own, and is read as one.
            await self._wait(1)
        if script.end == "close":
            self._transport.close()
        elif script.end == "reset":
            self._transport.abort()

    async def _wait(self, pieces: int) -> None:
        for _ in range(pieces * self._upstream.turns):
            await asyncio.sleep(0)
