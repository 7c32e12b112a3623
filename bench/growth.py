"""Whether a call costs more with a long ledger, many routes and callers, or many open streams.

Each pair is two sidecars that run at the same time and are measured in turns: one as it is, one
with more of something. The figures are ratios, the second to the first.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.field import Book, Figures, Runner, started, take_turns
from bench.machine import LOAD_CORE, WORLD
from bench.measures import SLOW_STREAMS, Scale, chat
from bench.peers import CHAT, TOKEN, Launch, Peer
from bench.sidecars import LIMIT, NETWORK, PAYEE, VARIANTS, command, write_config
from sidecar.chains import usdc_on
from sidecar.ledger.model import Breaker, Budget, Intent, Payment, Proof, Purchase, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.types import Authorization

STREAMS_LAST_S = 600
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
    variant = VARIANTS["sidecar"]

    def start(folder: Path, port: int, upstream: int) -> Launch:
        if rows:
            fill(folder / "ledger.db", rows)
        return Launch(command(write_config(folder, port, upstream, variant, others=others)))

    return Peer(name, start, paid="/seller" + CHAT)


@contextmanager
def _open_streams(runner: Runner) -> Iterator[None]:
    """Streams that stay open and say nothing: what is measured is that they are there."""
    words = ("stream", runner.port, CHAT, TOKEN, SLOW_STREAMS, 2, STREAMS_LAST_S * 1_000_000)
    load = [str(WORLD / "bin" / "load"), *map(str, words)]
    streams = subprocess.Popen(["taskset", "--cpu-list", str(LOAD_CORE), *load])
    try:
        yield
    finally:
        streams.kill()
        streams.wait()


def _cost(scale: Scale, path: str, runner: Runner) -> Figures:
    one = chat(runner, 1, scale.run_ms, path=path)
    many = chat(runner, 32, scale.run_ms, path=path)
    return {"p50_us": one["p50_us"], "cpu_us": many["cpu_us"], "rate_32": many["rate"]}


def measure(scale: Scale, folder: Path, up: int, book: Book) -> None:
    """Take the figures of each pair; the names of its rows begin with the same word."""
    with (
        started(_sidecar("ledger: empty"), folder, up, book) as empty,
        started(_sidecar("ledger: long", rows=scale.ledger_rows), folder, up, book) as long,
        started(_sidecar("routes: many", others=scale.others), folder, up, book) as many,
        started(_sidecar("streams: open"), folder, up, book) as open_,
    ):
        rounds = max(scale.rounds, 3)
        pair = [one for one in (empty, long) if one is not None]
        take_turns(pair, rounds, _named(partial(_cost, scale, "/seller" + CHAT), "paid"), book)
        with ExitStack() as stack:
            if open_ is not None:
                stack.enter_context(_open_streams(open_))
            rest = [one for one in (empty, long, many, open_) if one is not None]
            take_turns(rest, rounds, _named(partial(_cost, scale, CHAT), "unpaid"), book)


class _named:
    """The same measurement, its figures under names of their own."""

    def __init__(self, measure: partial[Figures], name: str) -> None:
        self._measure, self.__name__ = measure, name

    def __call__(self, runner: Runner) -> Figures:
        figures = self._measure(runner)
        return {f"{self.__name__}_{name}": value for name, value in figures.items()}
