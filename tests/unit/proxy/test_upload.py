"""A body on its way to an upstream that answers, and goes, before it is all there."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

from sidecar.http import HttpRequest, Origin
from sidecar.proxy.pool import Pool
from sidecar.tasks import Supervisor


async def test_answer_between_two_writes() -> None:
    """What an upstream said before it hung up is read, though the next write meets its reset."""
    goes = threading.Event()
    gone = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def answer_and_go() -> None:
        end, _ = listening.accept()
        with end:
            end.recv(100)
            goes.wait(10)
            end.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nearly")
        gone.set()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        # So long as this sleeps, the loop does: nobody reads the answer before the next write.
        goes.set()
        gone.wait(10)
        for _ in range(20):
            yield b"x" * 100_000

    seller = threading.Thread(target=answer_and_go)
    seller.start()
    tasks = Supervisor(lambda name, fault: None)
    pool = Pool(tasks)
    try:
        upstream = pool.upstream(frozenset({Origin.of(url)}), 5, 5)
        request = HttpRequest("POST", f"{url}/up", (("Content-Length", "2100000"),))
        async with asyncio.timeout(10):
            reply = await upstream.send(request, wait_s=5, body=body())
            said = b"".join([chunk async for chunk in reply.chunks()])
    finally:
        await tasks.drain(1)
        await pool.close()
        seller.join()
        listening.close()

    assert (413, b"early") == (reply.status, said)
