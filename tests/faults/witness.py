"""What may be said of a world after any fault, counted at its seller and on its chain."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sidecar.http import HttpRequest
from sidecar.ledger.model import PaymentState
from sidecar.ledger.sqlite import SqliteLedger
from tests.world.seller import FakeReply
from tests.world.shop import DAY, Process, World


class Witness:
    """``http.Upstream``: at each presentation it looks whether the file has it already."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.unwritten: list[str] = []

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> FakeReply:
        books = self._world.seller.books
        before = len(books.presentations)
        try:
            return await self._world.seller.send(request, wait_s=wait_s, body=body)
        finally:
            if len(books.presentations) > before:
                rows = SqliteLedger.read(self._world.path, None, 1000)
                written = {row.authorization.identity for row in rows if row.authorization}
                seen = {seen.nonce for seen in books.authorizations}
                self.unwritten += sorted(seen - written)


async def books_and_money_agree(world: World, process: Process) -> list[str]:
    """What S2 to S4 have to complain about; empty where nothing is wrong."""
    rows = await process.ledger.payments(None, 1000)
    wrong = []
    written = {row.authorization.identity for row in rows if row.authorization}
    if not {seen.nonce for seen in world.seller.books.authorizations} <= written:
        wrong.append("an authorization left and is not on disk")
    moved = sum(one.amount.atomic for one in world.seller.books.settlements)
    (use,) = await process.ledger.budgets((DAY,), world.clock.now())
    if not moved <= use.spent.atomic + use.reserved.atomic <= DAY.limit.atomic:
        wrong.append(f"{moved} moved, and {use} is counted")
    posted = sum(row.amount.atomic for row in rows if row.state is PaymentState.POSTED)
    if posted != use.spent.atomic:
        wrong.append(f"{posted} is posted, and {use.spent} is counted as spent")
    return wrong
