"""Relays without a thought of HTTP, each with one of the faults that the paced streams find."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e.paced_app import Door
from tests.e2e.paced_server import serving

GATHERS_S = 0.045
FAULTS = ("holds one back", "gathers two", "waits for the end", "changes their order")


@asynccontextmanager
async def relaying(port: int, fault: str) -> AsyncIterator[Door]:
    """A relay to this port, with this fault or ``none``."""

    async def serve(app: asyncio.StreamReader, to_app: asyncio.StreamWriter) -> None:
        seller, to_seller = await asyncio.open_connection("127.0.0.1", port)
        try:
            to_seller.write(await app.read(2**16))
            to_app.write(await seller.readuntil(b"\r\n\r\n"))
            await _relay(seller, to_app, fault)
            await to_app.drain()
            # What was written is the app's to read before the connection ends.
            await app.read()
        finally:
            to_seller.close()

    async with serving(serve) as own_port:
        yield Door(own_port)


async def _relay(seller: asyncio.StreamReader, to_app: asyncio.StreamWriter, fault: str) -> None:
    kept: list[bytes] = []
    while piece := await seller.read(2**16):
        kept.append(piece)
        match fault:
            case "none" | "gathers for a while":
                to_app.write(b"".join(kept))
                kept.clear()
                await asyncio.sleep(0 if fault == "none" else GATHERS_S)
            case "holds one back":
                to_app.write(b"".join(kept[:-1]))
                del kept[:-1]
            case "gathers two":
                if len(kept) == 2:
                    to_app.write(b"".join(kept))
                    kept.clear()
            case "waits for the end":
                pass
            case "changes their order":
                to_app.write(piece.replace(b'"n": 2', b'"n": 1'))
            case _:
                raise AssertionError(fault)
    to_app.write(b"".join(kept))
