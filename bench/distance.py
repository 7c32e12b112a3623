"""A network between a replica and its database: every byte arrives so much later, in both ways."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 1 << 16
READY_WAIT_S = 10.0


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: float) -> None:
    """Each piece at its own time: what is sent meanwhile does not wait for the one before."""
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(CHUNK):
            loop.call_later(late_s, writer.write, data)
    except ConnectionError:
        pass
    loop.call_later(late_s, writer.close)


async def _serve(port: int, late_s: float, ready: list[int], told: threading.Event) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_carry(reader, back, late_s), _carry(there, writer, late_s))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    ready.append(server.sockets[0].getsockname()[1])
    told.set()
    await server.serve_forever()


@contextmanager
def distant(port: int, round_trip_s: float) -> Iterator[int]:
    """A port that leads to this one, further away; its thread ends with the process."""
    ready: list[int] = []
    told = threading.Event()
    serving = _serve(port, round_trip_s / 2, ready, told)
    threading.Thread(target=lambda: asyncio.run(serving), daemon=True).start()
    if not told.wait(READY_WAIT_S):
        raise RuntimeError("the distance did not start")
    yield ready[0]
