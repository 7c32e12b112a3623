"""What a batch adds up for its windows is what each payment alone would have told them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_budgets
from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.sqlite_audit import audit
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_writer import Writer
from sidecar.ledger.windows import LARGEST
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.unit.ledger.test_sqlite_seen import trace
from tests.unit.ledger.test_sqlite_writer import in_one_batch
from tests.world.fakes import NOON
from tests.world.intents import RECEIPT, SECOND, authorization, intent

DAY = Budget("day", Usdc(1000), Window.DAY)
MONTH = Budget("month", Usdc(1000), Window.MONTH)
LATER = NOON + SECOND


@pytest.fixture
async def writer(writer: Writer, tmp_path: Path) -> AsyncIterator[Writer]:
    """A writer of a ledger whose books agree with their events in the end."""
    yield writer
    audit(tmp_path / "ledger.db")


def reserving(
    payment_id: str, *budgets: Budget, amount: int = 100
) -> Callable[[Books], Payment | Denied]:
    wanted = intent(payment_id, amount=amount, budgets=budgets or (DAY,))
    return lambda books: books.reserve(wanted, NOON)


def authorizing(payment_id: str) -> Callable[[Books], Denied | None]:
    return lambda books: books.authorize(payment_id, authorization(payment_id), NOON)


def posting(payment_id: str) -> Callable[[Books], object]:
    return lambda books: books.post(payment_id, RECEIPT, LATER)


def gone(books: Books, budget: Budget) -> tuple[int, int]:
    """What is reserved and spent of it."""
    use = sqlite_budgets.use(books.connection, budget, NOON)
    return use.reserved.atomic, use.spent.atomic


async def made(writer: Writer, *works: Callable[[Books], Any]) -> list[str]:
    """What became of each of a batch: payment, the rule that refused, or the fault."""
    tasks = await in_one_batch(writer, *works)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return [each.rule if isinstance(each, Denied) else type(each).__name__ for each in outcomes]


async def traced(writer: Writer) -> list[str]:
    """All that is said to SQLite from now on."""
    statements: list[str] = []
    await writer.do(partial(trace, into=statements))
    return statements


async def test_told_once(writer: Writer) -> None:
    """All that a batch reserves and spends is told to each window once."""
    await made(writer, *[reserving(each, DAY, MONTH) for each in "ab"])
    await made(writer, *map(authorizing, "ab"))
    statements = await traced(writer)

    new = [reserving(each, DAY, MONTH) for each in "cde"]
    assert ["Payment"] * 3 + ["Change"] * 2 == await made(writer, *new, *map(posting, "ab"))
    assert 4 == sum("UPDATE windows" in each for each in statements)
    assert (300, 200) == await writer.do(partial(gone, budget=DAY))
    assert (300, 200) == await writer.do(partial(gone, budget=MONTH))


async def test_one_too_many(writer: Writer) -> None:
    """Where there is no room for all, those that came first have it."""
    tight = Budget("day", Usdc(250), Window.DAY)
    wanted = [reserving(each, tight, MONTH) for each in "abcd"]

    assert ["Payment", "Payment", "budget", "budget"] == await made(writer, *wanted)
    assert (200, 0) == await writer.do(partial(gone, budget=tight))
    assert (200, 0) == await writer.do(partial(gone, budget=MONTH))


async def test_two_limits(writer: Writer) -> None:
    """Who names a budget with the smaller limit has no more than that, whoever else names it."""
    large, small = (Budget("day", Usdc(limit), Window.DAY) for limit in (1000, 150))
    wanted = [reserving("a", large), reserving("b", small), reserving("c", large)]

    assert ["Payment", "budget", "Payment"] == await made(writer, *wanted)


async def test_refused_beforehand(writer: Writer) -> None:
    """What no window could hold is refused, and sets nothing aside for the others."""
    wanted = [reserving("a", amount=LARGEST + 1), reserving("b"), reserving("c")]

    assert ["amount", "Payment", "Payment"] == await made(writer, *wanted)
    assert (200, 0) == await writer.do(partial(gone, budget=DAY))


async def test_no_number(writer: Writer) -> None:
    """Amounts whose sum is no number of SQLite's are refused like others."""
    whole = Budget("day", Usdc(LARGEST), Window.DAY)
    wanted = [reserving(f"{at}", whole, amount=LARGEST) for at in range(12)]

    assert ["Payment"] + ["budget"] * 11 == await made(writer, *wanted)


async def test_run_out(writer: Writer) -> None:
    """Where a budget has run out, a batch is done twice once, and not again and again."""
    await made(writer, reserving("a", amount=1000))
    statements = await traced(writer)

    for batch in "bcd":
        wanted = [reserving(f"{batch} {at}") for at in range(3)]
        assert ["budget"] * 3 == await made(writer, *wanted)
    assert 1 == statements.count("ROLLBACK")


async def test_damaged(writer: Writer) -> None:
    """A window that lacks what was reserved in it refuses its payments, and nobody else's."""
    await made(writer, reserving("a"), reserving("b", MONTH))
    await made(writer, authorizing("a"), authorizing("b"))
    lower = "UPDATE windows SET reserved = reserved + ? WHERE budget = 'day'"
    await writer.do(lambda books: books.connection.execute(lower, (-1,)))

    assert ["LedgerError", "Change"] == await made(writer, posting("a"), posting("b"))
    with pytest.raises(LedgerError, match="damaged books"):
        await writer.do(posting("a"))
    await writer.do(lambda books: books.connection.execute(lower, (1,)))


async def test_fault_beside(writer: Writer) -> None:
    """What is undone with a fault of the batch is not added up twice."""

    def fails(books: Books) -> None:
        reserving("b")(books)
        raise LedgerError("no")

    assert ["Payment", "LedgerError"] == await made(writer, reserving("a"), fails)
    assert (100, 0) == await writer.do(partial(gone, budget=DAY))
    assert ["Payment", "Payment"] == await made(writer, reserving("c"), reserving("d"))
    assert (300, 0) == await writer.do(partial(gone, budget=DAY))


async def test_transaction_gone(writer: Writer) -> None:
    """What a batch had added up when SQLite gave it up is nobody's: the next is told at once."""

    def gives_up(books: Books) -> None:
        books.connection.execute("ROLLBACK")
        raise LedgerError("no")

    assert ["LedgerError"] * 2 == await made(writer, reserving("a"), gives_up)
    assert isinstance(await writer.do(reserving("b")), Payment)
    assert (100, 0) == await writer.do(partial(gone, budget=DAY))
