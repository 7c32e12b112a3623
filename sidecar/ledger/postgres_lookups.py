"""The statements that ask: whose rows stand in the way, and what the books hold against a payment.

A row comes with ``owned`` and ``kept``: whether its owner, and its holder, still lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sidecar.ledger.model import Budget, Intent, Purchase
from sidecar.ledger.postgres_transactions import Statement
from sidecar.ledger.rows import milliseconds

_DAY_MS = 86_400_000

# A process that died has hung up, so whoever lost its session is taken for dead before its lease
# has run out.
_LIVES = """
    instances.expires_at > clock_timestamp()
    AND (session IS NULL OR EXISTS (SELECT 1 FROM pg_stat_get_activity(session)))
"""
# Its own lease never ends for an instance: it is there to ask.
_NAMES_THE_LIVING = f"""
({{name}} = %s OR EXISTS (
  SELECT 1 FROM instances WHERE instances.id = payments.{{name}} AND {_LIVES}
))
"""
_OPEN = "state <> 'voided' AND delivered_at IS NULL AND closed_at IS NULL"


def _with_lives(where: str) -> str:
    owned, kept = (_NAMES_THE_LIVING.format(name=name) for name in ("owner", "holder"))
    return (
        f"SELECT payments.*, {owned} AS owned, (holder IS NOT NULL AND {kept}) AS kept "
        f"FROM payments WHERE {where} ORDER BY seq"
    )


_CLAIMABLE = _with_lives(
    f"""{_OPEN} AND purchase_key = %s AND NOT explicit
  AND (state = 'authorized' OR state = 'posted' AND settled_at >= %s)"""
)
# Delivered ones too: the app itself says that they are the same purchase.
_CLAIMABLE_EXPLICIT = _with_lives(
    """purchase_key = %s AND explicit AND closed_at IS NULL
  AND (state = 'authorized' OR state = 'posted' AND settled_at >= %s)"""
)
_RIVALS = _with_lives(f"{_OPEN} AND purchase_key = %s AND NOT explicit")
_RIVALS_EXPLICIT = _with_lives(
    "purchase_key = %s AND explicit AND state <> 'voided' AND closed_at IS NULL"
)
_ORPHANED = _with_lives("state = 'reserved'")
_UNDELIVERED = _with_lives(f"{_OPEN} AND state = 'posted' AND settled_at < %s")
_FOUND = _with_lives("id = %s")

_PAST_RESERVED = "SELECT id FROM payments WHERE id = ANY(%s) AND state <> 'reserved'"
FIND = "SELECT * FROM payments WHERE id = %s"
FIND_FOR_UPDATE = f"{FIND} FOR UPDATE"
IN_DOUBT = "SELECT * FROM payments WHERE state = 'authorized' ORDER BY seq"
_TO_PROVE = f"""
SELECT * FROM payments
WHERE state = 'authorized' AND NOT (
  holder <> %s AND auth_expires_at > %s AND EXISTS (
    SELECT 1 FROM instances WHERE instances.id = payments.holder AND {_LIVES}
  )
)
ORDER BY seq
"""
UNCONFIRMED = "SELECT * FROM payments WHERE NOT confirmed AND state = 'posted' ORDER BY seq"
_NEWEST = "SELECT * FROM payments WHERE reserved_at >= %s ORDER BY seq DESC LIMIT %s"
NEWEST_TOP_UP = """
SELECT * FROM payments WHERE purchase_key = %s AND purpose = 'top_up' ORDER BY seq DESC LIMIT 1
"""
LIVING = f"SELECT id FROM instances WHERE {_LIVES}"
FROZEN = "SELECT since FROM frozen"
PINS = """
SELECT * FROM pins
ORDER BY route COLLATE "C", purpose COLLATE "C", network COLLATE "C", place COLLATE "C"
"""
WINDOW = "SELECT reserved, spent FROM windows WHERE budget = %s AND starts_at = %s"
STEPS_ASKED = """
SELECT kind FROM events
WHERE payment = (SELECT seq FROM payments WHERE id = %s)
  AND kind IN ('asked', 'approved', 'refused') AND kind <> 'claimed'
"""
SAID = """
SELECT 1 FROM events
WHERE payment = (SELECT seq FROM payments WHERE id = %s)
  AND kind = %s AND kind <> 'claimed' AND at = %s AND detail = %s
"""
LAST_SETTLING = """
SELECT kind, at FROM events
WHERE payment = %s AND kind IN ('posted', 'voided', 'confirmed') AND kind <> 'claimed'
ORDER BY seq DESC LIMIT 1
"""
ASKED = f"""
SELECT payments.*, (asked.detail::json ->> 'until')::bigint AS asked_until
FROM payments
JOIN events AS asked
  ON asked.payment = payments.seq AND asked.kind = 'asked' AND asked.kind <> 'claimed'
WHERE {_OPEN} AND payments.state = 'reserved'
  AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE payment = payments.seq AND kind IN ('approved', 'refused') AND kind <> 'claimed'
  )
ORDER BY payments.seq
"""
SPENDING = """
SELECT reserved_at / 3600000 AS hour, route, caller, network,
  sum(amount)::bigint AS amount, count(*) AS payments
FROM payments
WHERE state = 'posted' AND reserved_at / 3600000 >= %s
GROUP BY reserved_at / 3600000, route, caller, network
ORDER BY reserved_at / 3600000, route COLLATE "C", caller COLLATE "C", network COLLATE "C"
"""
_PIN = """
INSERT INTO pins (route, purpose, network, place, pay_to, pinned_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (route, purpose, network, place) DO NOTHING
RETURNING 1
"""
_UNPIN = "DELETE FROM pins WHERE route = %s AND purpose = %s AND network = %s AND place = %s"
_PINNED = """
SELECT pay_to FROM pins WHERE route = %s AND purpose = %s AND network = %s AND place = %s
"""
_PRICES = """
SELECT reserved_at / 86400000 AS day, max(amount) AS highest FROM payments
WHERE route = %s AND purpose = %s AND price_place = %s
  AND reserved_at / 86400000 BETWEEN %s AND %s
  AND price_place <> '' AND state <> 'voided'
GROUP BY reserved_at / 86400000
"""
_CLOSED_SINCE = "SELECT count(*) AS closed FROM payments WHERE route = %s AND closed_at >= %s"
_TOPPED_UP_SINCE = """
SELECT 1 FROM payments
WHERE purchase_key = %s AND purpose = 'top_up' AND delivered_at >= %s LIMIT 1
"""
_TOP_UPS_SINCE = """
SELECT count(*) AS made FROM payments
WHERE purchase_key = %s AND purpose = 'top_up' AND state <> 'voided' AND reserved_at > %s
"""
_AUTHORIZATIONS = """
SELECT count(*) AS made FROM payments
WHERE purchase_key = %s AND purpose = 'top_up' AND authorized_at IS NOT NULL AND reserved_at >= %s
"""
_AUTHORIZATIONS_EXPLICIT = """
SELECT count(*) AS made FROM payments
WHERE purchase_key = %s AND explicit AND authorized_at IS NOT NULL AND reserved_at >= %s
"""
NOTHING: Statement = ("SELECT 1 WHERE false", ())


def locked(statement: Statement) -> Statement:
    """The same payments, which nobody else changes until this transaction has ended."""
    text, values = statement
    return f"{text} FOR UPDATE OF payments", values


def rivals(purchase: Purchase, own: str) -> Statement:
    """The rows that stand in the way of a new payment for this purchase, or may serve as it."""
    text = _RIVALS_EXPLICIT if purchase.explicit else _RIVALS
    return text, (own, own, purchase.key)


def claimable(purchase: Purchase, own: str, undelivered_since: datetime) -> Statement:
    """The rows that a repeated request may bind to where nobody holds them, oldest first."""
    text = _CLAIMABLE_EXPLICIT if purchase.explicit else _CLAIMABLE
    return text, (own, own, purchase.key, milliseconds(undelivered_since))


def authorizations(purchase: Purchase, since: datetime) -> Statement:
    """How many payments reserved then or later were authorized: see ``Ledger``."""
    text = _AUTHORIZATIONS_EXPLICIT if purchase.explicit else _AUTHORIZATIONS
    return text, (purchase.key, milliseconds(since))


def found(payment_id: str, own: str) -> Statement:
    """The payment with this id."""
    return _FOUND, (own, own, payment_id)


def newest(since: datetime | None, limit: int) -> Statement:
    return _NEWEST, (0 if since is None else milliseconds(since), limit)


def orphaned(own: str) -> Statement:
    return _ORPHANED, (own, own)


def to_prove(own: str, at: datetime) -> Statement:
    return _TO_PROVE, (own, milliseconds(at))


def past_reserved(payment_ids: Iterable[str]) -> Statement:
    """Those of these payments that nobody can sign for any more, or somebody has."""
    return _PAST_RESERVED, (list(payment_ids),)


def undelivered(own: str, posted_before: datetime) -> Statement:
    return _UNDELIVERED, (own, own, milliseconds(posted_before))


def pin(intent: Intent, at_ms: int) -> Statement:
    """Pins the payee where none is, and finds a row if it did."""
    if intent.pin_place is None:
        return NOTHING
    return _PIN, (*_pin_key(intent), intent.payee, at_ms)


def pinned(intent: Intent) -> Statement:
    """Whose pin it is."""
    if intent.pin_place is None:
        return NOTHING
    return _PINNED, _pin_key(intent)


def unpin(intent: Intent) -> Statement:
    """Takes back the pin that ``pin`` made."""
    return _UNPIN, _pin_key(intent)


def _pin_key(intent: Intent) -> tuple[str | None, ...]:
    return intent.route, intent.purpose, intent.network, intent.pin_place


def prices(intent: Intent, at_ms: int, days: int) -> Statement:
    """The highest price of each of the days before this one, and of this one."""
    if intent.price is None:
        return NOTHING
    today = at_ms // _DAY_MS
    return _PRICES, (intent.route, intent.purpose, intent.price.place, today - days, today)


def closed_since(intent: Intent, at: datetime) -> Statement:
    """How many payments of the route were given up in its breaker's window."""
    # Zero is the way to say that a route has no breaker.
    if intent.breaker.undelivered_max <= 0:
        return NOTHING
    return _CLOSED_SINCE, (intent.route, milliseconds(at - intent.breaker.window))


def topped_up_since(intent: Intent) -> Statement:
    """Whether a top-up of this account answers the one who asks."""
    if intent.top_up is None:
        return NOTHING
    return _TOPPED_UP_SINCE, (intent.purchase.key, milliseconds(intent.top_up.since))


def top_ups_since(intent: Intent, since: datetime) -> Statement:
    """How many top-ups of this account were reserved after this moment, but for voided ones."""
    if intent.top_up is None:
        return NOTHING
    return _TOP_UPS_SINCE, (intent.purchase.key, milliseconds(since))


def window(budget: Budget, at: datetime) -> Statement:
    """What is gone of this budget in the window that ``at`` falls in."""
    return WINDOW, (budget.name, budget.starts_at(at) * 1000)
