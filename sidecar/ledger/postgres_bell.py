"""Wakes those who wait for what another replica does, by LISTEN and NOTIFY.

Nothing depends on it: a pooler that shares sessions swallows it, a line that broke has missed some,
and whoever waits looks again after a while all the same. The line also shows that its instance
lives: others see it end with the process, where they would have to wait for the end of a lease.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress

import psycopg

from sidecar.ledger.postgres_connections import Connection, Connections
from sidecar.ledger.postgres_faults import FAULTS
from sidecar.ledger.postgres_transactions import Transactions
from sidecar.tasks import Supervisor

_AGAIN_S = 1.0
_KEY_MAX = 200  # as the statement that rings cuts it
# Behind a pooler the numbers differ: that session is its own, and outlives whoever uses it. No
# standby has to know, for it has other sessions.
_SHOW = """
BEGIN;
SET LOCAL synchronous_commit TO off;
UPDATE "{schema}".instances SET session = pg_backend_pid()
WHERE id = %s AND pg_backend_pid() = %s;
COMMIT
"""


class Bell:
    """One connection that listens, for any number who wait."""

    def __init__(self, connections: Connections, transactions: Transactions) -> None:
        self._connections = connections
        self._channel = transactions.channel
        self._show = _SHOW.format(schema=transactions.schema).encode()
        self._own = transactions.own
        self._tasks = Supervisor(lambda name, fault: None)
        self._rings: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def rung(self, key: str) -> None:
        """Come back when something happened to this key. May never come back."""
        await self._rings[key[:_KEY_MAX]].wait()

    async def listen(self) -> None:
        """Until cancelled, over as many connections as it takes."""
        while True:
            with suppress(*FAULTS):
                await self._listen()
            await asyncio.sleep(_AGAIN_S)

    async def _connected(self) -> Connection:
        # A connection that is left half made would be the garbage collector's to close.
        connecting = self._tasks.spawn("listener", self._connections.connect())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            with suppress(*FAULTS):
                await (await connecting).close()
            raise

    async def _listen(self) -> None:
        connection = await self._connected()
        try:
            await connection.execute(self._show, (self._own, connection.info.backend_pid))
            # A cursor of the usual kind would wait for the end of a text of several statements.
            await psycopg.AsyncClientCursor(connection).execute(
                f'LISTEN "{self._channel}"'.encode()
            )
            async for notice in connection.notifies():
                self._ring(notice.payload)
        finally:
            await connection.close()

    def _ring(self, key: str) -> None:
        # For all who wait now; who comes later waits for the next.
        self._rings.pop(key, asyncio.Event()).set()
