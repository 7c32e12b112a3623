"""What people change by hand: the freeze, the pins, and their word on a payment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_statements as statements
from sidecar.ledger.model import PayeePin, Payment
from sidecar.ledger.postgres_transactions import Record, Transaction, Transactions
from sidecar.ledger.rows import milliseconds, moment, payment_of, pin_of, to_json
from sidecar.refusal import Denied

# Frozen twice is frozen since the first time.
_FREEZE = "INSERT INTO frozen (id, since) VALUES (1, %s) ON CONFLICT (id) DO NOTHING"
FREEZE = "freeze"
_UNFREEZE = "DELETE FROM frozen RETURNING since"
_FORGET = "DELETE FROM pins WHERE route = %s RETURNING *"
_PROBE = "UPDATE probe SET count = count + 1"


def freeze_lock(transactions: Transactions) -> int:
    """Shared by all who sign, and taken alone by who freezes: no signature slips in between."""
    return transactions.lock("freeze")


async def freeze(tx: Transaction, transactions: Transactions, at: datetime) -> datetime:
    """Since when nothing may be signed."""
    tx.later(statements.LOCK, freeze_lock(transactions))
    tx.later(_FREEZE, milliseconds(at))
    # Who may go on for a while without asking hears of it.
    tx.later(statements.RING, transactions.channel, FREEZE)
    since = rules.frozen_since(await tx.find(lookups.FROZEN))
    assert since is not None
    return since


# What these two take away, an attempt whose end stayed unknown may have taken: the next one finds
# nothing, and tells what was found before it.


def unfreeze() -> Callable[[Transaction], Awaitable[datetime | None]]:
    """Since when nothing could be signed; None where it could."""
    found: list[Record] = []

    async def move(tx: Transaction) -> datetime | None:
        found.extend(await tx.find(_UNFREEZE))
        return rules.frozen_since(found)

    return move


def forget_pins(route: str) -> Callable[[Transaction], Awaitable[tuple[PayeePin, ...]]]:
    """What was pinned for this route, and is not any more."""
    found: dict[tuple[str, str, str], PayeePin] = {}

    async def move(tx: Transaction) -> tuple[PayeePin, ...]:
        for pin in map(pin_of, await tx.find(_FORGET, route)):
            found[pin.purpose, pin.network, pin.place] = pin
        return tuple(found[place] for place in sorted(found))

    return move


async def decide(
    tx: Transaction, payment_id: str, by: str, at: datetime, *, approve: bool
) -> Payment | Denied:
    """Write down a person's word, where it is still waited for."""
    at_ms, detail = milliseconds(at), to_json({"by": by})
    kind = "approved" if approve else "refused"
    # Two words at once: the second finds the first.
    found = await tx.find(lookups.FIND_FOR_UPDATE, payment_id)
    if tx.again and await tx.find(lookups.SAID, payment_id, kind, at_ms, detail):
        return payment_of(found[0])
    for row in await tx.find(lookups.ASKED):
        if row["id"] == payment_id and at < moment(row["asked_until"]):
            tx.later(statements.TELL, at_ms, row["seq"], kind, detail)
            return payment_of(row)
    return denials.not_waiting(payment_id)


async def probe(tx: Transaction) -> None:
    """Write something that means nothing."""
    tx.later(_PROBE)
