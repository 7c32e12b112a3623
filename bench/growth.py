"""Whether a call costs more with a long ledger, many routes and callers, or many open streams.

Each pair is two sidecars that run at the same time and are measured in turns: one as it is, one
with more of something. The figures are ratios, the second to the first. What such a ratio is worth
is seen from the first one to itself: it has a second turn in each round.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.field import Book, Figures, Runner, started, take_turns
from bench.machine import LOAD_CORE, WORLD, on_core
from bench.measures import SLOW_STREAMS, Scale, chat
from bench.peers import CHAT, TOKEN, Launch, Peer, Upstream
from bench.sidecars import LIMIT, NETWORK, PAYEE, VARIANTS, launch
from sidecar.chains import usdc_on
from sidecar.ledger.model import Breaker, Budget, Intent, Payment, Proof, Purchase, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.types import Authorization

FEW, AGAIN = "ledger: empty", "ledger: empty, again"
LONG, MANY, OPEN = "ledger: long", "routes: many", "streams: open"
# A ratio of a few percent asks for more rounds than one of a few times.
ROUNDS_LEAST = 7
STREAMS_LAST_S = 1200
_NUMBERS = (
    "WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
)


def intent(payment_id: str, budgets: tuple[Budget, ...]) -> Intent:
    """A call to the benchmark's seller, as the sidecar would pay for it."""
    return Intent(
        id=payment_id,
        purchase=Purchase(f"key of {payment_id}", explicit=False),
        route="seller",
        caller="app",
        purpose="request",
        scheme="exact",
        network=NETWORK,
        asset=usdc_on(NETWORK).address,
        pay_to=PAYEE,
        amount=Usdc(100),
        envelope={"x402Version": 2},
        budgets=budgets,
        breaker=Breaker(5, timedelta(hours=1)),
        pin_place="",
    )


async def _one_payment(path: Path) -> None:
    """A ledger with one payment that was made, served and delivered."""
    day, app = Usdc.parse(LIMIT), Usdc.parse(LIMIT)
    budgets = (Budget("day", day, Window.DAY), Budget("app", app, Window.MONTH))
    now = datetime.now(UTC)
    ledger = await SqliteLedger.open(path, "bench")
    try:
        payment = await ledger.reserve(intent("pay_1", budgets), now)
        assert isinstance(payment, Payment)
        fields = {"from": EvmWallet(bytes(31) + b"\1").address, "to": PAYEE, "value": "100"}
        until = now + timedelta(minutes=2)
        await ledger.authorize("pay_1", Authorization(NETWORK, "0x1", until, fields), now)
        await ledger.post("pay_1", Proof("receipt", "0x" + "33" * 32), now)
        await ledger.deliver("pay_1", now)
        await ledger.release("pay_1")
    finally:
        await ledger.close()


def fill(path: Path, rows: int) -> None:
    """A ledger of so many payments whose books agree with their events: one, made many times.

    The tables are the sidecar's own, and so is the first payment: a column that is added later is
    copied with the rest. That the books agree is checked when the sidecar opens it.
    """
    asyncio.run(_one_payment(path))
    with closing(sqlite3.connect(path)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info (payments)")]
        # What tells one from another; the rest of the first one's row is everybody's.
        own = {
            "seq": "n",
            "id": "'pay_' || n",
            "purchase_key": "'key of pay_' || n",
            "auth_identity": "'0x' || n",
        }
        values = ", ".join(own.get(name, name) for name in names)
        connection.execute(
            f"INSERT INTO payments ({', '.join(names)}) {_NUMBERS} "
            f"SELECT {values} FROM numbers, payments WHERE payments.seq = 1",
            (rows,),
        )
        connection.execute(
            f"INSERT INTO events (at, payment, kind, detail) {_NUMBERS} "
            "SELECT at, n, kind, detail FROM numbers, events WHERE events.payment = 1 "
            "ORDER BY n, events.seq",
            (rows,),
        )
        connection.execute("UPDATE windows SET spent = spent * ?", (rows,))


def _sidecar(name: str, *, rows: int = 0, others: int = 0) -> Peer:
    def start(folder: Path, port: int, upstream: Upstream) -> Launch:
        if rows:
            fill(folder / "ledger.db", rows)
        return launch(VARIANTS["sidecar"], folder, port, upstream, others=others)

    return Peer(name, start, paid="/seller" + CHAT)


@contextmanager
def _open_streams(runner: Runner) -> Iterator[None]:
    """Streams that stay open and say nothing: what is measured is that they are there."""
    words = ("stream", runner.port, CHAT, TOKEN, SLOW_STREAMS, 2, STREAMS_LAST_S * 1_000_000)
    load = [str(WORLD / "bin" / "load"), *map(str, words)]
    streams = subprocess.Popen(on_core(LOAD_CORE, load))
    try:
        yield
    finally:
        streams.kill()
        streams.wait()


def _cost(scale: Scale, path: str, runner: Runner) -> Figures:
    one = chat(runner, 1, scale.run_ms, path=path)
    many = chat(runner, 32, scale.run_ms, path=path)
    return {"p50_us": one["p50_us"], "cpu_us": many["cpu_us"], "rate_32": many["rate"]}


def measure(scale: Scale, folder: Path, up: Upstream, book: Book) -> None:
    """Take the figures of each: those with more of something stand between the two turns of FEW."""
    with (
        started(_sidecar(FEW), folder, up, book) as few,
        started(_sidecar(LONG, rows=scale.ledger_rows), folder, up, book) as long,
        started(_sidecar(MANY, others=scale.others), folder, up, book) as many,
        started(_sidecar(OPEN), folder, up, book) as open_,
    ):
        if few is None:
            return
        again = replace(few, peer=replace(few.peer, name=AGAIN))
        rounds = max(scale.rounds, ROUNDS_LEAST)
        paid = _named(partial(_cost, scale, "/seller" + CHAT), "paid")
        take_turns([one for one in (few, long, again) if one is not None], rounds, paid, book)
        with ExitStack() as stack:
            if open_ is not None:
                stack.enter_context(_open_streams(open_))
            unpaid = _named(partial(_cost, scale, CHAT), "unpaid")
            all_ = (few, long, many, open_, again)
            take_turns([one for one in all_ if one is not None], rounds, unpaid, book)


class _named:
    """The same measurement, its figures under names of their own."""

    def __init__(self, measure: partial[Figures], name: str) -> None:
        self._measure, self.__name__ = measure, name

    def __call__(self, runner: Runner) -> Figures:
        figures = self._measure(runner)
        return {f"{self.__name__}_{name}": value for name, value in figures.items()}
