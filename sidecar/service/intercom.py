"""The line between the warden and one of its workers: questions and answers, either way.

Each message is a JSON document behind four bytes that say how long it is:

    {"ask": WHAT, "id": 7, "about": ...}    wants one answer
    {"answer": ..., "id": 7}                that answer
    {"tell": WHAT, "about": ...}            wants none

It is a socket pair that nobody else holds an end of. Its end means that the other side is gone.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from sidecar.document import read_json
from sidecar.errors import SidecarError
from sidecar.tasks import Supervisor

HEAD_BYTES = 4
# A status page of a config with thousands of routes, or its metrics, are some megabytes.
BYTES_MAX = 64 * 1024 * 1024

Answer: TypeAlias = Callable[[str, Any], Awaitable[Any]]


class LineCutError(SidecarError):
    """The other side is gone, or did not answer in time."""


class Intercom:
    """One end of the line. ``answer`` is called with what the other side asks, or tells."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tasks: Supervisor,
        answer: Answer,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._tasks = tasks
        self._answer = answer
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._is_cut = False

    @classmethod
    async def over(cls, end: socket.socket, tasks: Supervisor, answer: Answer) -> Intercom:
        """Speak over this end; ``run`` has to be called for anything to be heard."""
        reader, writer = await asyncio.open_connection(sock=end)
        return cls(reader, writer, tasks, answer)

    def say_first(self, message: Mapping[str, Any]) -> None:
        """What the other side reads before it has a loop."""
        self._send(message)

    async def ask(self, what: str, about: Any = None, *, wait_s: float) -> Any:
        """What the other side answers. LineCutError when it does not."""
        if self._is_cut:
            raise LineCutError("the other side is gone")
        self._asked += 1
        number, waited = self._asked, asyncio.Future[Any]()
        self._waiting[number] = waited
        try:
            self._send({"ask": what, "id": number, "about": about})
            async with asyncio.timeout(wait_s):
                return await waited
        except TimeoutError as fault:
            raise LineCutError(f"no answer to {what!r} in {wait_s:g} s") from fault
        finally:
            del self._waiting[number]

    def tell(self, what: str, about: Any = None) -> None:
        """Tell the other side, if it is still there."""
        if not self._is_cut:
            self._send({"tell": what, "about": about})

    async def run(self) -> None:
        """Hear the other side until it is gone."""
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(HEAD_BYTES), "big")
                assert 0 < size <= BYTES_MAX
                self._hear(read_json(await self._reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._cut()

    async def flush(self, wait_s: float) -> None:
        """Come back once what was said is on its way, and say nothing more."""
        self._writer.close()
        try:
            async with asyncio.timeout(wait_s):
                await self._writer.wait_closed()
        except (TimeoutError, ConnectionError):
            return

    def _hear(self, message: Any) -> None:
        if "answer" in message:
            waited = self._waiting.get(message["id"])
            if waited is not None and not waited.done():
                waited.set_result(message["answer"])
            return
        what = message["tell"] if "tell" in message else message["ask"]
        self._tasks.spawn(what, self._attend(what, message.get("id"), message["about"]))

    async def _attend(self, what: str, number: int | None, about: Any) -> None:
        answer = await self._answer(what, about)
        if number is not None and not self._is_cut:
            self._send({"answer": answer, "id": number})

    def _send(self, message: Mapping[str, Any]) -> None:
        self._writer.write(framed(message))

    def _cut(self) -> None:
        self._is_cut = True
        for waited in self._waiting.values():
            if not waited.done():
                waited.set_exception(LineCutError("the other side is gone"))
        self._writer.close()


def framed(message: Any) -> bytes:
    """A message as it goes over the line."""
    document = json.dumps(message, separators=(",", ":")).encode()
    return len(document).to_bytes(HEAD_BYTES, "big") + document


def read_first(end: socket.socket) -> Any:
    """The first message, read before there is a loop; it waits for it."""
    size = int.from_bytes(_exactly(end, HEAD_BYTES), "big")
    return read_json(_exactly(end, size))


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        if not more:
            raise LineCutError("the other side is gone")
        data += more
    return data
