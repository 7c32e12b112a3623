"""Connections to the server: made when they are needed, kept while they are whole.

Nothing waits for a server for longer than it was told to. A server that went silent is hung up on
from this side: to ask it to cancel would only wait for it again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncClientCursor, AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow

from sidecar.errors import LedgerError

Connection = AsyncConnection[DictRow]


def _records(cursor: psycopg.AsyncCursor[Any]) -> Callable[[Sequence[Any]], DictRow]:
    """Rows by the names of their columns; read with the first row, and mostly there is none."""
    names: list[str] = []

    def record(values: Sequence[Any]) -> DictRow:
        if not names:
            found = cursor.pgresult
            assert found is not None
            names.extend((found.fname(column) or b"").decode() for column in range(found.nfields))
        return dict(zip(names, values, strict=True))

    return record


# Statements are put together here and sent as one text, which goes through any pooler.
_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "cursor_factory": AsyncClientCursor,
    "row_factory": _records,
    "client_encoding": "utf8",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_CONNECT_MIN_S = 2  # libpq waits no shorter


class Connections:
    """The connections of one ledger object, for one event loop."""

    def __init__(self, url: str, connections_max: int, wait_s: float) -> None:
        self._url = url
        self._wait_s = wait_s
        self._places = asyncio.Semaphore(connections_max)
        self._idle: list[Connection] = []

    async def connect(self) -> Connection:
        """A connection of its own, which the caller closes. psycopg.OperationalError."""
        wait_s = max(_CONNECT_MIN_S, int(self._wait_s))
        return await AsyncConnection[DictRow].connect(
            self._url, connect_timeout=wait_s, tcp_user_timeout=wait_s * 1000, **_OPTIONS
        )

    @asynccontextmanager
    async def one(self, left_s: float) -> AsyncIterator[Connection]:
        """A connection for as long as the block lasts, and no longer than these seconds.

        It is hung up on after that, which the block hears of as a lost connection, and after
        every fault: nobody knows what is still to come on it.
        """
        async with self._place(left_s):
            connection = self._idle.pop() if self._idle else await self.connect()
            timer = asyncio.get_running_loop().call_later(left_s, _hang_up, connection)
            try:
                yield connection
            finally:
                timer.cancel()
                if connection.info.transaction_status is TransactionStatus.IDLE:
                    self._idle.append(connection)
                else:
                    await connection.close()
                    # Who lost one has lost them all, or hears so from the next.
                    await self.forget()

    @asynccontextmanager
    async def _place(self, left_s: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(left_s):
                await self._places.acquire()
        except TimeoutError:
            raise LedgerError(
                "all connections to the ledger's server are busy; raise ledger.connections_max"
            ) from None
        try:
            yield
        finally:
            self._places.release()

    async def forget(self) -> None:
        """Let go of what is idle."""
        while self._idle:
            await self._idle.pop().close()


def _hang_up(connection: Connection) -> None:
    """End the conversation from this side: whoever waits for the server hears its end."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)
