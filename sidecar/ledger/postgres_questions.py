"""What is asked of a ledger in Postgres by those who pay from it and by those who only look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger.model import Asked, Budget, PayeePin, Payment, Purchase, Spent
from sidecar.ledger.postgres_transactions import Statement, Transactions
from sidecar.ledger.rows import milliseconds, moment, payment_of, pin_of
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse

_HOUR_MS = 3_600_000


async def payments(transactions: Transactions, statement: Statement) -> tuple[Payment, ...]:
    """Those that this statement finds."""
    (rows,) = await transactions.read(statement)
    return tuple(map(payment_of, rows))


async def in_doubt(transactions: Transactions) -> tuple[Payment, ...]:
    return await payments(transactions, (lookups.IN_DOUBT, ()))


async def newest(
    transactions: Transactions, since: datetime | None, limit: int
) -> tuple[Payment, ...]:
    return await payments(transactions, lookups.newest(since, limit))


async def newest_top_up(transactions: Transactions, purchase: Purchase) -> Payment | None:
    found = await payments(transactions, (lookups.NEWEST_TOP_UP, (purchase.key,)))
    return found[0] if found else None


async def budgets(
    transactions: Transactions, named: Sequence[Budget], at: datetime
) -> tuple[BudgetUse, ...]:
    found = await transactions.read(*(lookups.window(each, at) for each in named))
    return tuple(rules.use_of(rows, each, at) for rows, each in zip(found, named, strict=True))


async def spending(transactions: Transactions, since: datetime) -> tuple[Spent, ...]:
    asked = (lookups.SPENDING, (milliseconds(since) // _HOUR_MS,))
    (rows,) = await transactions.read(asked)
    return tuple(
        Spent(
            moment(row["hour"] * _HOUR_MS),
            row["route"],
            row["caller"],
            row["network"],
            Usdc(row["amount"]),
            row["payments"],
        )
        for row in rows
    )


async def pins(transactions: Transactions) -> tuple[PayeePin, ...]:
    (rows,) = await transactions.read((lookups.PINS, ()))
    return tuple(map(pin_of, rows))


async def frozen_since(transactions: Transactions) -> datetime | None:
    (rows,) = await transactions.read((lookups.FROZEN, ()))
    return rules.frozen_since(rows)


async def asked(transactions: Transactions) -> tuple[Asked, ...]:
    (rows,) = await transactions.read((lookups.ASKED, ()))
    return tuple(Asked(payment_of(row), moment(row["asked_until"])) for row in rows)
