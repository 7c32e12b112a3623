"""Which reserved payments wait for a person's word, and what the word was.

It is in the events: ``asked`` when the amount was set aside, then ``approved`` or ``refused``,
once. What was asked for is not authorized before it was approved, whoever calls.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger.model import Asked, Intent, Payment
from sidecar.ledger.rows import milliseconds, moment, payment_of, to_json
from sidecar.refusal import Denied

# The second condition on the kind lets SQLite use the index of what happens once.
_TELL = "INSERT INTO events (at, payment, kind, detail) VALUES (?, ?, ?, ?)"
_STEPS = """
SELECT kind FROM events
WHERE payment = ? AND (kind = 'asked' OR kind = 'approved' OR kind = 'refused')
  AND kind <> 'claimed'
"""
_ASKED = """
SELECT payments.*, json_extract(asked.detail, '$.until') AS asked_until
FROM open_payments AS payments
JOIN events AS asked
  ON asked.payment = payments.seq AND asked.kind = 'asked' AND asked.kind <> 'claimed'
WHERE payments.state = 'reserved'
  AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE payment = payments.seq AND (kind = 'approved' OR kind = 'refused')
      AND kind <> 'claimed'
  )
ORDER BY payments.seq
"""
# With what else is asked before something is signed: one question is half of the work of three.
_LOOK = """
SELECT seq, id, state, (SELECT since FROM freeze) AS frozen_since,
  EXISTS (
    SELECT 1 FROM events
    WHERE payment = payments.seq AND kind = 'asked' AND kind <> 'claimed'
  ) AS asked,
  EXISTS (
    SELECT 1 FROM events
    WHERE payment = payments.seq AND kind = 'approved' AND kind <> 'claimed'
  ) AS approved
FROM payments WHERE id = ?
"""
_FIND = "SELECT seq FROM payments WHERE id = ?"


def ask(connection: sqlite3.Connection, intent: Intent, at_ms: int) -> None:
    """Let the payment that was just reserved wait for a person, where its intent says so."""
    if intent.ask_until is not None:
        (seq,) = connection.execute(_FIND, (intent.id,)).fetchone()
        detail = to_json({"until": milliseconds(intent.ask_until)})
        connection.execute(_TELL, (at_ms, seq, "asked", detail))


def approved(connection: sqlite3.Connection, payment_id: str) -> bool | None:
    """What a person said; None while nobody has."""
    (seq,) = connection.execute(_FIND, (payment_id,)).fetchone()
    steps = _steps(connection, seq)
    return "approved" in steps if steps & {"approved", "refused"} else None


def look(connection: sqlite3.Connection, payment_id: str) -> sqlite3.Row | None:
    """The payment's state, the freeze, and whether it was asked for and approved."""
    row: sqlite3.Row | None = connection.execute(_LOOK, (payment_id,)).fetchone()
    return row


def refusal(seen: sqlite3.Row) -> Denied | None:
    """Why this payment is not to be authorized: it was asked for, and nobody approved it.

    ``seen``: by ``look``, in this transaction.
    """
    if not seen["asked"] or seen["approved"]:
        return None
    return denials.not_approved(seen["id"])


def asked(connection: sqlite3.Connection) -> tuple[Asked, ...]:
    """Every payment that waits for a person, oldest first."""
    rows = connection.execute(_ASKED)
    return tuple(Asked(payment_of(row), moment(row["asked_until"])) for row in rows)


def decide(
    connection: sqlite3.Connection, payment_id: str, by: str, at: datetime, *, approve: bool
) -> Payment | Denied:
    """Write down a person's word, where it is still waited for."""
    for waiting in asked(connection):
        if waiting.payment.id == payment_id and at < waiting.until:
            (seq,) = connection.execute(_FIND, (payment_id,)).fetchone()
            kind = "approved" if approve else "refused"
            connection.execute(_TELL, (milliseconds(at), seq, kind, to_json({"by": by})))
            return waiting.payment
    return denials.not_waiting(payment_id)


def _steps(connection: sqlite3.Connection, seq: int) -> set[str]:
    return {kind for (kind,) in connection.execute(_STEPS, (seq,))}
