"""Which processes use the tables, by leases that each renews, and what it leaves to others.

A lease runs by the server's clock alone. One that has run out means that others may take over what
its instance holds: drop what it had only reserved, and present again what it had signed. An
instance that comes back from a silence finds that said in the rows; it needs no other fence.
"""

from __future__ import annotations

import asyncio

from sidecar.errors import LedgerError
from sidecar.ledger.postgres_transactions import Transaction, Transactions

_JOIN = """
INSERT INTO instances (id, expires_at)
VALUES (%s, clock_timestamp() + %s * interval '1 second')
ON CONFLICT (id) DO NOTHING
RETURNING 1
"""
_RENEW = """
UPDATE instances
SET expires_at = clock_timestamp() + %s * interval '1 second', beats = beats + 1
WHERE id = %s
"""
_LEAVE = "UPDATE instances SET expires_at = clock_timestamp() WHERE id = %s"
# What may still be asked for has been taken over by then.
_FORGET = "DELETE FROM instances WHERE expires_at < clock_timestamp() - interval '30 days'"
_BEATS_PER_LEASE = 3


class Lease:
    """This instance's place among the living."""

    def __init__(self, transactions: Transactions, lease_s: float) -> None:
        self._transactions = transactions
        self._lease_s = lease_s

    async def join(self) -> None:
        """Be alive from now on. LedgerError: the id was used before."""
        own = self._transactions.own

        async def move(tx: Transaction) -> None:
            tx.later(_FORGET)
            if not await tx.find(_JOIN, own, self._lease_s) and not tx.again:
                raise LedgerError(
                    f"ledger {self._transactions.place}: the instance id {own!r} was used before"
                )

        await self._transactions.do(move)

    async def keep(self) -> None:
        """Renew it until cancelled. A server that is away is tried again."""
        while True:
            await asyncio.sleep(self._lease_s / _BEATS_PER_LEASE)
            try:
                await self.renew()
            except LedgerError:
                # Told by whoever needs the ledger; here there is nothing to do but to go on.
                continue

    async def renew(self) -> None:
        async def move(tx: Transaction) -> None:
            tx.later(_RENEW, self._lease_s, self._transactions.own)

        await self._transactions.do(move)

    async def leave(self) -> None:
        async def move(tx: Transaction) -> None:
            tx.later(_LEAVE, self._transactions.own)

        await self._transactions.do(move)
