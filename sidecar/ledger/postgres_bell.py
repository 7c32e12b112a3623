"""Wakes those who wait for what another replica does, by LISTEN and NOTIFY.

Nothing depends on it: a pooler that shares sessions swallows it, a line that broke has missed some,
and whoever waits looks again after a while all the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress

import psycopg

from sidecar.ledger.postgres_connections import Connections
from sidecar.ledger.postgres_faults import FAULTS

_AGAIN_S = 1.0
_KEY_MAX = 200  # as the statement that rings cuts it


class Bell:
    """One connection that listens, for any number who wait."""

    def __init__(self, connections: Connections, channel: str) -> None:
        self._connections = connections
        self._channel = channel
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    async def rung(self, key: str) -> None:
        """Come back when something happened to this key. May never come back."""
        key = key[:_KEY_MAX]
        future = asyncio.get_running_loop().create_future()
        self._waiting[key].add(future)
        try:
            await future
        finally:
            self._waiting[key].discard(future)
            if not self._waiting[key]:
                del self._waiting[key]

    async def listen(self) -> None:
        """Until cancelled, over as many connections as it takes."""
        while True:
            with suppress(*FAULTS):
                await self._listen()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        connection = await self._connections.connect()
        try:
            # A cursor of the usual kind would wait for the end of a text of several statements.
            await psycopg.AsyncClientCursor(connection).execute(
                f'LISTEN "{self._channel}"'.encode()
            )
            async for notice in connection.notifies():
                self._ring(notice.payload)
        finally:
            await connection.close()

    def _ring(self, key: str) -> None:
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(None)
