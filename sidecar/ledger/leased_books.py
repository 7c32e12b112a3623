"""A replica's own books and the centre's: which of the two has a payment, and what both have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sidecar.ledger import Ledger, sqlite_conclusion, sqlite_slices
from sidecar.ledger.model import Change, Payment, Proof, Spent
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_slices import Absent
from sidecar.ledger.sqlite_writer import Writer
from sidecar.money import ZERO

T = TypeVar("T")


class TwoBooks:
    """Both, for whoever does not care where a payment is."""

    def __init__(self, writer: Writer, here: Ledger, there: Ledger) -> None:
        self._writer = writer
        self._here = here
        self._there = there

    async def move(
        self, payment_id: str, here: Callable[[Books], T], there: Callable[[], Awaitable[T]]
    ) -> T:
        """The move in whichever books have the payment."""

        def if_here(books: Books) -> T | Absent:
            found = sqlite_slices.is_here(books.connection, payment_id)
            return here(books) if found else Absent()

        answer = await self._writer.do(if_here)
        return await there() if isinstance(answer, Absent) else answer

    async def end(
        self, payment_id: str, here: Callable[[Books], T], there: Callable[[], Awaitable[T]]
    ) -> T:
        """A move after which its purchase hopes for nothing more of it."""

        async def there_and_over() -> T:
            answer = await there()
            await self._writer.do(lambda books: sqlite_slices.forget(books.connection, payment_id))
            return answer

        return await self.move(payment_id, here, there_and_over)

    async def conclude(
        self, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        """``Ledger.conclude``. What was not delivered its purchase may still hope for."""
        move = self.end if delivered else self.move
        return await move(
            payment_id,
            lambda books: sqlite_conclusion.conclude(
                books, payment_id, proof, at, delivered=delivered
            ),
            lambda: self._there.conclude(payment_id, proof, at, delivered=delivered),
        )

    async def oldest_first(
        self, ask: Callable[[Ledger], Awaitable[tuple[Payment, ...]]]
    ) -> tuple[Payment, ...]:
        """What is asked of both. What is as old keeps the order of its books."""
        return _by_age(await ask(self._here), await ask(self._there))

    async def newest_first(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        """The newest payments of both."""
        here = await self._here.payments(since, limit)
        there = await self._there.payments(since, limit)
        return _by_age(here[::-1], there[::-1])[::-1][:limit]

    async def spending(self, since: datetime) -> tuple[Spent, ...]:
        """``Ledger.spending``, with one entry for each hour, route, caller and network."""
        found: dict[tuple[datetime, str, str, str], Spent] = {}
        here, there = await self._here.spending(since), await self._there.spending(since)
        for each in (*here, *there):
            key = (each.at, each.route, each.caller, each.network)
            before = found.get(key, replace(each, amount=ZERO, payments=0))
            found[key] = replace(
                each,
                amount=before.amount + each.amount,
                payments=before.payments + each.payments,
            )
        return tuple(found[key] for key in sorted(found))


def _by_age(here: Iterable[Payment], there: Iterable[Payment]) -> tuple[Payment, ...]:
    return tuple(sorted((*here, *there), key=lambda payment: payment.reserved_at))
