"""What stands between the sidecar and the world: origins that write down every byte they get.

A ``Wire`` passes the bytes on to the sandbox. A ``Parrot`` answers by itself, and repeats what
let the request in wherever an answer has room for words: a challenge, a header, a bad status.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from tests.canary.needles import Secret

# What lets a request in, and so is a secret for as long as it does.
_BEARERS = re.compile(
    rb"^(authorization|x-api-key|payment-signature|x-payment|sign-in-with-x|x-sign-in-with-x):"
    rb" (?:bearer )?([^\r\n]+)\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNATURE = re.compile(r'"signature":\s*"([^"]{64,})"')
HEAD_BYTES_MAX = 256 * 1024


class Wire:
    """An origin of its own, ``name``, in front of the sandbox."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[bytes] = []
        self._target = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None

    async def open(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    @property
    def authority(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def lead_to(self, port: int) -> None:
        """Pass on to this port."""
        self._target = ("127.0.0.1", port)

    def close(self) -> None:
        assert self._server is not None
        self._server.close()

    def secrets(self, known: frozenset[bytes]) -> list[Secret]:
        """What it was let in with, beside what is ``known``: bearer values, signatures within."""
        heard = b"".join(self.heard)
        values = {match[2].decode("latin-1") for match in _BEARERS.finditer(heard)}
        signed = {
            found for text in (*values, heard.decode("latin-1")) for found in signatures(text)
        }
        found = sorted(value for value in values | signed if len(value) >= 40)
        kept = (value.encode() for value in found)
        return [Secret(f"let in at {self.name}", (value,)) for value in kept if value not in known]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(*self._target)
            await asyncio.gather(
                self._pass(reader, there[1], self.heard.append),
                self._pass(there[0], writer, lambda data: None),
            )
        except OSError:
            writer.close()

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        note: Callable[[bytes], None],
    ) -> None:
        try:
            while data := await source.read(65_536):
                note(data)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


def signatures(text: str) -> list[str]:
    """The signatures in this header or body, which may be base64 of JSON."""
    with suppress(ValueError):
        text += base64.b64decode(text, validate=True).decode("latin-1")
    return _SIGNATURE.findall(text)


class Parrot(Wire):
    """Answers by the last part of the path: ``/v1/<mode>``. See ``MODES``."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            self.heard.append(head + body)
            writer.write(await self._answer(head, body))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        mode = head.split(b" ", 2)[1].rpartition(b"/")[2].partition(b"?")[0].decode()
        values = [match[2].decode("latin-1") for match in _BEARERS.finditer(head)]
        words = [*values, *(one for text in (*values, body.decode()) for one in signatures(text))]
        echo = words[-1] if words else ""
        if mode == "silent":
            await asyncio.sleep(3)
            return b""
        if b"payment-signature:" not in head.lower() and mode.startswith("paid-"):
            return challenge(price="10000")
        answer = MODES.get(mode.removeprefix("paid-"), _complaint)
        return answer(echo, words)


def challenge(error: str = "", **changed: Any) -> bytes:
    """A 402 for a cent, with some of its words replaced."""
    terms = {
        "scheme": "exact",
        "network": "eip155:84532",
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "amount": changed.pop("price", "10000"),
        "payTo": "0xbA75b619192eC89Dcf3d91F0224766c730d70eF6",
        "maxTimeoutSeconds": 300,
        "extra": {"name": "USDC", "version": "2"},
        **changed,
    }
    document = {"x402Version": 2, "error": error, "accepts": [terms], "resource": {"url": "/"}}
    header = base64.b64encode(json.dumps(document).encode()).decode()
    return said(402, {"error": error}, f"PAYMENT-REQUIRED: {header}")


def said(status: int, document: object, *lines: str) -> bytes:
    """A whole answer."""
    body = json.dumps(document).encode()
    head = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 {status} Fine\r\n{head}\r\n".encode("latin-1") + body


def _complaint(echo: str, words: list[str]) -> bytes:
    text = f"I do not like {echo}"
    return said(401, {"error": text, "message": text})


def _headers(echo: str, words: list[str]) -> bytes:
    lines = [f"X-Echo-{place}: got {word}" for place, word in enumerate(words)]
    return said(200, {}, *lines, f"Set-Cookie: seen={echo}", f"ETag: {echo}")


def _receipt(echo: str, words: list[str]) -> bytes:
    receipt = {"success": False, "errorReason": f"bad {echo}", "network": echo, "transaction": ""}
    header = base64.b64encode(json.dumps(receipt).encode()).decode()
    return said(402, {"error": echo}, f"PAYMENT-RESPONSE: {header}")


def _raw(template: str) -> Callable[[str, list[str]], bytes]:
    return lambda echo, words: template.replace("ECHO", echo).encode("latin-1")


MODES: dict[str, Callable[[str, list[str]], bytes]] = {
    "complaint": _complaint,
    "headers": _headers,
    "receipt": _receipt,
    "error": lambda echo, words: challenge(f"cannot take {echo}"),
    "scheme": lambda echo, words: challenge(scheme=echo),
    "network": lambda echo, words: challenge(network=echo),
    "asset": lambda echo, words: challenge(asset=echo),
    "amount": lambda echo, words: challenge(price=echo),
    "payee": lambda echo, words: challenge(payTo=echo),
    "domain": lambda echo, words: challenge(extra={"name": echo, "version": echo}),
    "garbage": lambda echo, words: said(402, {"error": echo}, f"PAYMENT-REQUIRED: {echo}"),
    "name": _raw("HTTP/1.1 200 OK\r\nBad ECHO: x\r\n\r\n"),
    "status": _raw("HTTP/1.1 2ECHO OK\r\n\r\n"),
    "line": _raw("ECHO\r\n\r\n"),
    "length": _raw("HTTP/1.1 200 OK\r\nContent-Length: ECHO\r\n\r\n"),
    "chunk": _raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nECHO\r\nx\r\n"),
    "chunks": _raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxyECHO\r\n"),
    "cut": _raw("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"),
    "elsewhere": _raw("HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:9/?ECHO\r\n\r\n"),
    "here": _raw("HTTP/1.1 302 No\r\nLocation: /v1/x?ECHO\r\nContent-Length: 0\r\n\r\n"),
    "gone": _raw(""),
}
