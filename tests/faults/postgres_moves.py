"""The moves of a payment, one by one: what each needs before it, says, and leaves in the books."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.model import Budget, Change, Intent, Payment, Proof, Purchase, TopUpRule, Window
from sidecar.ledger.rows import milliseconds, reserved_payment
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.cable import Message, Side
from tests.world.fakes import NOON
from tests.world.intents import (
    EXPIRED,
    HOUR,
    RECEIPT,
    SERVED,
    UNSIGNED,
    authorization,
    authorized,
    intent,
    posted,
    reserved,
)
from tests.world.postgres import PostgresServer, database_of
from tests.world.processes import wait_until

AMOUNT = 3
POTS = (
    Budget("day", Usdc(1_000_000), Window.DAY),
    Budget("all", Usdc(1_000_000), Window.TOTAL),
)
LATE = NOON + HOUR

_WRONG_WINDOWS = """
WITH told AS (
  SELECT budget.value ->> 0 AS budget, (budget.value ->> 1)::bigint AS starts_at,
    sum(amount) FILTER (WHERE state IN ('reserved', 'authorized')) AS reserved,
    sum(amount) FILTER (WHERE state = 'posted') AS spent
  FROM sidecar.payments, json_array_elements(windows::json) AS budget
  GROUP BY 1, 2
)
SELECT coalesce(windows.budget, told.budget), windows.reserved, told.reserved,
  windows.spent, told.spent
FROM sidecar.windows FULL JOIN told USING (budget, starts_at)
WHERE coalesce(windows.reserved, 0) <> coalesce(told.reserved, 0)
  OR coalesce(windows.spent, 0) <> coalesce(told.spent, 0)
"""
_EVENTS = """
SELECT events.kind FROM sidecar.events JOIN sidecar.payments ON payments.seq = events.payment
WHERE payments.id = %s ORDER BY events.seq
"""
_AT_WORK = """
SELECT 1 FROM pg_stat_activity WHERE datname = %s AND usename = 'sidecar' AND state <> 'idle'
"""
_HELD = "SELECT holder IS NOT NULL FROM sidecar.payments WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the payment that it is told the id of."""

    prepare: Callable[[Ledger, str], Awaitable[object]]
    make: Callable[[Ledger, str], Awaitable[object]]
    says: str
    events: tuple[str, ...]
    is_held: bool
    again: str  # what it says to who makes it a second time


def wanted(payment_id: str, key: str | None = None) -> Intent:
    """A payment from both pots; a purchase of its own unless it is given a key."""
    return intent(payment_id, key=key, amount=AMOUNT, budgets=POTS)


def account(payment_id: str) -> Intent:
    """A top-up of an account of its own."""
    rule = TopUpRule(since=NOON - HOUR, hourly_max=3)
    return intent(payment_id, amount=AMOUNT, budgets=POTS, top_up=rule)


def is_commit(message: Message) -> bool:
    """What ends a move of a payment; not what ends the ledger's own, such as a heartbeat."""
    return (
        message.side is Side.CLIENT
        and message.body.endswith(b"COMMIT\0")
        and b"INSERT INTO events" in message.body
    )


def said(result: object) -> str:
    """What a move answered, in a word or two."""
    match result:
        case Payment():
            return str(result.state)
        case Change():
            return f"{result.made} {result.payment.state}"
        case Denied():
            return result.rule
        case _:
            return str(result)


async def _nothing(ledger: Ledger, payment_id: str) -> None:
    pass


async def _reserved(ledger: Ledger, payment_id: str) -> None:
    await reserved(ledger, payment_id, amount=AMOUNT, budgets=POTS)


async def _authorized(ledger: Ledger, payment_id: str) -> None:
    await authorized(ledger, payment_id, amount=AMOUNT, budgets=POTS)


async def _posted(ledger: Ledger, payment_id: str, proof: Proof = RECEIPT) -> None:
    await posted(ledger, payment_id, proof, amount=AMOUNT, budgets=POTS)


async def _served(ledger: Ledger, payment_id: str) -> None:
    await _posted(ledger, payment_id, SERVED)


async def _free(ledger: Ledger, payment_id: str) -> None:
    await _authorized(ledger, payment_id)
    await ledger.release(payment_id)


def _purchase(payment_id: str) -> Purchase:
    return intent(payment_id).purchase


def _just_reserved(payment_id: str) -> Payment:
    return reserved_payment(wanted(payment_id), milliseconds(NOON))


_MADE, _SIGNED = ("reserved",), ("reserved", "authorized")
_PAID = (*_SIGNED, "posted")
MOVES = {
    "reserve": Move(
        _nothing,
        lambda ledger, id: ledger.reserve(wanted(id), NOON),
        "reserved",
        _MADE,
        True,
        "LedgerError",
    ),
    "reserve a top-up": Move(
        _nothing,
        lambda ledger, id: ledger.reserve(account(id), NOON),
        "reserved",
        _MADE,
        True,
        "in_progress",
    ),
    "bind": Move(
        _free,
        lambda ledger, id: ledger.reserve(wanted(f"{id} again", f"key of {id}"), NOON),
        "authorized",
        (*_SIGNED, "claimed"),
        True,
        "authorized",
    ),
    "authorize": Move(
        _reserved,
        lambda ledger, id: ledger.authorize(id, authorization(id), NOON),
        "None",
        _SIGNED,
        True,
        "LedgerError",
    ),
    "post": Move(
        _authorized,
        lambda ledger, id: ledger.post(id, RECEIPT, NOON),
        "posted posted",
        _PAID,
        True,
        " posted",
    ),
    "confirm": Move(
        _served,
        lambda ledger, id: ledger.post(id, RECEIPT, NOON),
        "confirmed posted",
        (*_PAID, "confirmed"),
        True,
        " posted",
    ),
    "void": Move(
        _reserved,
        lambda ledger, id: ledger.void(id, UNSIGNED, NOON),
        "voided voided",
        (*_MADE, "voided"),
        True,
        " voided",
    ),
    "void in doubt": Move(
        _authorized,
        lambda ledger, id: ledger.void(id, EXPIRED, LATE),
        "voided voided",
        (*_SIGNED, "voided"),
        True,
        " voided",
    ),
    "claim": Move(
        _free,
        lambda ledger, id: ledger.claim(_purchase(id), NOON, NOON - HOUR),
        "authorized",
        (*_SIGNED, "claimed"),
        True,
        "authorized",
    ),
    "release": Move(
        _authorized, lambda ledger, id: ledger.release(id), "None", _SIGNED, False, "None"
    ),
    "deliver": Move(
        _posted,
        lambda ledger, id: ledger.deliver(id, NOON),
        "None",
        (*_PAID, "delivered"),
        False,
        "None",
    ),
    "conclude": Move(
        _authorized,
        lambda ledger, id: ledger.conclude(id, RECEIPT, NOON, delivered=True),
        "posted posted",
        (*_PAID, "delivered"),
        False,
        " posted",
    ),
    "give up": Move(
        _posted,
        lambda ledger, id: ledger.give_up(id, NOON),
        "None",
        (*_PAID, "closed"),
        False,
        "None",
    ),
    "rehearse": Move(
        _reserved,
        lambda ledger, id: ledger.rehearse(_just_reserved(id), NOON),
        "None",
        (*_PAID, "delivered"),
        False,
        "LedgerError",
    ),
}


@dataclass(frozen=True, slots=True)
class Books:
    """The tables, as somebody sees them who goes past the ledger and its connections."""

    server: PostgresServer
    url: str

    def settle(self) -> None:
        """Come back once nobody is at work on them."""
        asked = (_AT_WORK, (database_of(self.url),))
        wait_until(lambda: not self.server.execute(*asked), "the server is done")

    def events(self, payment_id: str) -> tuple[str, ...]:
        """What was written down of this payment; whoever asks again may claim it again."""
        kinds = [kind for (kind,) in self.server.execute(_EVENTS, (payment_id,), url=self.url)]
        return tuple(dict.fromkeys(kinds) if kinds.count("claimed") > 1 else kinds)

    def is_held(self, payment_id: str) -> bool:
        """Whether a request is written down as connected for it."""
        return self.server.execute(_HELD, (payment_id,), url=self.url) == [(True,)]

    def wrong_windows(self) -> list[tuple[object, ...]]:
        """The windows in which there is not what the payments add up to."""
        return self.server.execute(_WRONG_WINDOWS, url=self.url)


async def heard(move: Move, ledger: Ledger, payment_id: str) -> str:
    """What the caller hears of this move: its answer, or that the ledger failed."""
    with suppress(LedgerError):
        return said(await move.make(ledger, payment_id))
    return "LedgerError"
