"""What people change by hand: the freeze, the pins, and their word on a payment."""

from __future__ import annotations

from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_statements as statements
from sidecar.ledger.model import PayeePin, Payment
from sidecar.ledger.postgres_transactions import Transaction, Transactions
from sidecar.ledger.rows import milliseconds, moment, payment_of, pin_of, to_json
from sidecar.refusal import Denied

# Frozen twice is frozen since the first time.
_FREEZE = "INSERT INTO frozen (id, since) VALUES (1, %s) ON CONFLICT (id) DO NOTHING"
FREEZE = "freeze"
_UNFREEZE = "DELETE FROM frozen"
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


async def unfreeze(tx: Transaction) -> datetime | None:
    """Since when nothing could be signed; None where it could."""
    since = rules.frozen_since(await tx.find(lookups.FROZEN))
    tx.later(_UNFREEZE)
    return since


async def forget_pins(tx: Transaction, route: str) -> tuple[PayeePin, ...]:
    """What was pinned for this route, and is not any more."""
    found = [pin_of(row) for row in await tx.find(_FORGET, route)]
    return tuple(sorted(found, key=lambda pin: (pin.purpose, pin.network, pin.place)))


async def decide(
    tx: Transaction, payment_id: str, by: str, at: datetime, *, approve: bool
) -> Payment | Denied:
    """Write down a person's word, where it is still waited for."""
    # Two words at once: the second finds the first.
    await tx.find(lookups.FIND_FOR_UPDATE, payment_id)
    for row in await tx.find(lookups.ASKED):
        if row["id"] == payment_id and at < moment(row["asked_until"]):
            kind = "approved" if approve else "refused"
            tx.later(statements.TELL, milliseconds(at), row["seq"], kind, to_json({"by": by}))
            return payment_of(row)
    return denials.not_waiting(payment_id)


async def probe(tx: Transaction) -> None:
    """Write something that means nothing."""
    tx.later(_PROBE)
