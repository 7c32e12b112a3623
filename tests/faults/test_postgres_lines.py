"""The connection to Postgres is lost at every message of every move; then it works again.

Short form: at every message of a client, before and after it was passed on, and at every seventh
answer of the server. At each of them with SIDECAR_POSTGRES_LINES=all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from sidecar.ledger.postgres import PostgresLedger
from tests.faults.postgres_moves import MOVES, Books, Move, heard
from tests.world.cable import Cable, Side
from tests.world.fakes import NOON
from tests.world.intents import UNSIGNED
from tests.world.postgres import PostgresServer

ANSWERS_STEP = 1 if os.environ.get("SIDECAR_POSTGRES_LINES") == "all" else 7
# No heartbeat of the ledger's own is counted among the messages of a move.
LEASE_S = 3_600.0
# Whoever hears that one of these failed has signed nothing, and never will.
DROPPING = ("authorize", "void", "rehearse")
AT_ONCE = 40
# Forty begin at once, and none of them may be late on a busy machine.
WAIT_S = 10.0
EVERY_MOVE = pytest.mark.parametrize("name", MOVES)


@dataclass(frozen=True, slots=True)
class Cell:
    """One place to cut at."""

    side: Side
    at: int
    passed: bool

    def __str__(self) -> str:
        return f"{self.side} {self.at}{' passed' if self.passed else ''}"

    @property
    def asks(self) -> bool:
        """Whether it is a message of the client's."""
        return self.side is Side.CLIENT


@asynccontextmanager
async def opened(
    cable: Cable, database: str, wait_s: float, *, migrate: bool = True
) -> AsyncIterator[PostgresLedger]:
    """A ledger behind the cable, once the connection that only listens is up."""
    instance = f"behind {cable.port}"
    ledger = await PostgresLedger.open(
        cable.url(database), instance, wait_s=wait_s, lease_s=LEASE_S, migrate=migrate
    )
    while not any(b"LISTEN\0" == message.body for message in tuple(cable.messages)):
        await asyncio.sleep(0.01)
    try:
        yield ledger
    finally:
        cable.heal()
        await ledger.close()


async def cells(cable: Cable, ledger: PostgresLedger, move: Move, name: str) -> list[Cell]:
    """Where there is something to cut: as many messages as the move takes in peace."""
    await move.prepare(ledger, name)
    began = len(cable.messages)
    await move.make(ledger, name)
    told = [message.side for message in cable.messages[began:]]
    asked = range(1, told.count(Side.CLIENT) + 1)
    last = told.count(Side.SERVER)
    answers = {*range(1, last + 1, ANSWERS_STEP), last}
    return [
        *(Cell(Side.CLIENT, at, passed) for at in asked for passed in (False, True)),
        *(Cell(Side.SERVER, at, False) for at in sorted(answers)),
    ]


@EVERY_MOVE
async def test_lost_once(postgres: PostgresServer, database: str, name: str) -> None:
    """Wherever it is lost, the caller gets the true answer, and the books have the move once."""
    move, books = MOVES[name], Books(postgres, database)
    with Cable(postgres.port) as cable:
        async with opened(cable, database, 10.0) as ledger:
            for cell in await cells(cable, ledger, move, name):
                payment_id = f"{name} {cell}"
                await move.prepare(ledger, payment_id)
                cuts = cable.cuts
                cable.cut(cell.side, cell.at, passed=cell.passed)
                answer = await heard(move, ledger, payment_id)

                assert cuts + 1 == cable.cuts, payment_id
                assert move.says == answer, payment_id
                assert move.events == books.events(payment_id), payment_id
                assert move.is_held == books.is_held(payment_id), payment_id

            assert [] == books.wrong_windows()


async def test_lost_for_a_while(postgres: PostgresServer, database: str) -> None:
    """Where it stays away the caller hears so; the books have the move whole or not, never twice.

    Once it is back the same again is harmless, and a reservation that nobody was told of is
    found, as those of dead processes are.
    """
    books = Books(postgres, database)
    places: list[tuple[str, Cell]] = []
    with Cable(postgres.port) as cable:
        async with opened(cable, database, 10.0) as ledger:
            for name, move in MOVES.items():
                # Lost at an answer is lost after what was asked.
                found = [cell for cell in await cells(cable, ledger, move, name) if cell.asks]
                places += [(name, cell) for cell in found]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, cell: Cell) -> None:
        async with room:
            await lose_for_a_while(name, cell, books)

    await asyncio.gather(*(one(*place) for place in places))

    assert [] == books.wrong_windows()


async def lose_for_a_while(name: str, cell: Cell, books: Books) -> None:
    """The move, and nobody there from this place on; then the same move once more."""
    move, payment_id = MOVES[name], f"{name} {cell}"
    with Cable(books.server.port) as cable:
        async with opened(cable, books.url, WAIT_S, migrate=False) as ledger:
            await move.prepare(ledger, payment_id)
            before = books.events(payment_id)
            cable.cut(cell.side, cell.at, passed=cell.passed, lasts=True)
            answer = await heard(move, ledger, payment_id)
            await asyncio.to_thread(books.settle)
            meanwhile = books.events(payment_id)
            cable.heal()
            lost = [row.id for row in await ledger.orphaned() if row.id == payment_id]
            again = await heard(move, ledger, payment_id)
            if not before and lost:
                await ledger.void(payment_id, UNSIGNED, NOON)
    is_made = meanwhile == move.events
    # Reserved in the books, and nobody was told so, or whoever was is done with it.
    is_forgotten = is_made if not before else name in DROPPING and not is_made

    assert "LedgerError" == answer, payment_id
    assert meanwhile in (before, move.events), payment_id
    assert ([payment_id] if is_forgotten else []) == lost, payment_id
    assert (move.again if is_made else move.says) == again, payment_id
    dropped = ("voided",) if is_made and not before else ()
    assert (*move.events, *dropped) == books.events(payment_id), payment_id
