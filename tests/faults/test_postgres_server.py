"""The server is killed, restarted, or makes two of us stand in each other's way, under load.

Long form: SIDECAR_POSTGRES_KILLS=N kills it N times in one run (2 by default).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from itertools import count
from threading import Event, Thread

import psycopg
import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment
from sidecar.ledger.postgres import PostgresLedger
from tests.faults.postgres_moves import POTS, Books, wanted
from tests.world.fakes import NOON
from tests.world.intents import RECEIPT, authorization
from tests.world.postgres import SUPERUSER, PostgresServer, database_of

KILLS = int(os.environ.get("SIDECAR_POSTGRES_KILLS", "2"))
AT_ONCE = 4
DEADLOCKS_MIN = 3
TAKE = "SELECT 1 FROM sidecar.windows WHERE budget = %s FOR UPDATE"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
# The first ones to come fail as transactions of a stricter kind do; a sequence is never undone.
FAIL_FIRST = """
CREATE SEQUENCE sidecar.tries;
CREATE FUNCTION sidecar.fail_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('sidecar.tries') <= 20 THEN
    RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN NEW;
END
$$;
GRANT USAGE ON SEQUENCE sidecar.tries TO sidecar;
CREATE TRIGGER fail_first BEFORE INSERT ON sidecar.events
  FOR EACH ROW EXECUTE FUNCTION sidecar.fail_first();
"""


async def pay(ledger: Ledger, payment_id: str) -> None:
    """One payment, from its reservation to the app's last byte."""
    payment = await ledger.reserve(wanted(payment_id), NOON)
    assert isinstance(payment, Payment), payment
    assert await ledger.authorize(payment_id, authorization(payment_id), NOON) is None
    assert "posted" == (await ledger.post(payment_id, RECEIPT, NOON)).made
    await ledger.deliver(payment_id, NOON)


def whole(books: Books, ids: list[str]) -> list[str]:
    """The payments of these that are not in the books with every step, once."""
    steps = ("reserved", "authorized", "posted", "delivered")
    return [each for each in ids if books.events(each) != steps]


async def test_killed_under_load(own_postgres: PostgresServer) -> None:
    """kill -9 of the server, again and again: who waits for it long enough loses nothing."""
    url = own_postgres.fresh_database()
    books = Books(own_postgres, url)
    ledgers = [await PostgresLedger.open(url, name, wait_s=60.0) for name in ("one", "two")]
    ids, over = count(), False
    paid: list[str] = []

    async def client(ledger: Ledger) -> None:
        while not over:
            payment_id = f"p{next(ids)}"
            await pay(ledger, payment_id)
            paid.append(payment_id)

    async def killer() -> None:
        nonlocal over
        for _ in range(KILLS):
            before = len(paid)
            while len(paid) < before + 2 * AT_ONCE:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
        over = True

    await asyncio.gather(killer(), *(client(ledgers[n % 2]) for n in range(AT_ONCE)))
    for ledger in ledgers:
        await ledger.close()

    assert len(paid) >= 2 * AT_ONCE * KILLS
    assert [] == whole(books, paid)
    assert [] == books.wrong_windows()


async def test_down(own_postgres: PostgresServer) -> None:
    """While it is down every move says so within its time; what was there is there afterwards."""
    url = own_postgres.fresh_database()
    failures: list[str] = []
    ledger = await PostgresLedger.open(url, "one", failures.append, wait_s=2.0)
    await pay(ledger, "p1")
    own_postgres.kill()
    with pytest.raises(LedgerError, match=r"no answer within 2 s .*Connection refused"):
        await ledger.reserve(wanted("p2"), NOON)
    with pytest.raises(LedgerError, match="no answer"):
        await ledger.payments(None, 10)
    with pytest.raises(LedgerError, match="no answer"):
        await ledger.check_writable()
    own_postgres.start()
    await pay(ledger, "p2")
    await ledger.close()

    # Nobody is told of a failed write when something was only to be read.
    assert 2 == len(failures)
    assert [] == whole(Books(own_postgres, url), ["p1", "p2"])


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_restarted(own_postgres: PostgresServer, mode: str) -> None:
    """A restart between two moves, or within one, is not noticed."""
    url = own_postgres.fresh_database()
    ledger = await PostgresLedger.open(url, "one", wait_s=30.0)
    await pay(ledger, "p1")
    own_postgres.restart(mode)
    await pay(ledger, "p2")
    restarting = asyncio.to_thread(own_postgres.restart, mode)
    await asyncio.gather(restarting, *(pay(ledger, f"meanwhile {n}") for n in range(AT_ONCE)))
    await ledger.close()
    ids = ["p1", "p2", *(f"meanwhile {n}" for n in range(AT_ONCE))]

    assert [] == whole(Books(own_postgres, url), ids)


@pytest.fixture
def quick_to_find(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that looks for deadlocks at once: it ends whoever looks, and that is us."""
    with postgres.sibling({"deadlock_timeout": "20ms"}) as server:
        yield server


async def test_deadlocks(quick_to_find: PostgresServer) -> None:
    """A transaction that is ended for a deadlock is made again: every payment is there, once."""
    url = quick_to_find.fresh_database()
    ledger = await PostgresLedger.open(url, "one", wait_s=60.0)
    await pay(ledger, "first")
    intruder = Intruder(quick_to_find, url)
    intruder.start()
    ids = count()
    paid: list[str] = []

    async def client() -> None:
        while deadlocks(quick_to_find, url) - intruder.ended < DEADLOCKS_MIN:
            payment_id = f"p{next(ids)}"
            await pay(ledger, payment_id)
            paid.append(payment_id)

    try:
        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    finally:
        intruder.stop()
        await ledger.close()
    books = Books(quick_to_find, url)

    assert [] == whole(books, paid)
    assert [] == books.wrong_windows()


async def test_serialization_storm(postgres: PostgresServer, database: str) -> None:
    """Transactions that could not be put into an order are made again, as often as it takes."""
    ledger = await PostgresLedger.open(database, "one", wait_s=60.0)
    postgres.execute(FAIL_FIRST, url=database)
    ids = [f"p{n}" for n in range(AT_ONCE)]
    await asyncio.gather(*(pay(ledger, each) for each in ids))
    await ledger.close()
    books = Books(postgres, database)

    assert [] == whole(books, ids)
    assert [] == books.wrong_windows()


class Intruder:
    """Takes the windows the other way round: whoever has one of them waits for the other."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._url = server.url(database_of(url), SUPERUSER)
        self._thread = Thread(target=self._run)
        self._over = Event()
        self.ended = 0  # how often the server ended this one, and not one of ours

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        with psycopg.connect(self._url) as other:
            # Who begins to wait last finds the circle; the patience makes that us, mostly.
            other.execute("SET deadlock_timeout = '500ms'")
            other.commit()
            while not self._over.is_set():
                try:
                    for budget in sorted((budget.name for budget in POTS), reverse=True):
                        other.execute(TAKE, (budget,))
                        time.sleep(0.005)
                except psycopg.errors.DeadlockDetected:
                    self.ended += 1
                other.rollback()
                # It is there again and again, and not all the time: others get their turn.
                time.sleep(0.05)

    def stop(self) -> None:
        """Come back once it has let go."""
        self._over.set()
        self._thread.join()


def deadlocks(server: PostgresServer, url: str) -> int:
    """How many the server has ended so far."""
    ((found,),) = server.execute(DEADLOCKS, url=url)
    return int(found)
