"""The disk fails at the n-th statement of a payment, for every n; then it works again.

Short form: each n with one of the failures in turn. All of them with SIDECAR_LEDGER_FAULTS=all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from tests.faults.disk import Disk, Failure, process_on
from tests.faults.witness import Witness, books_and_money_agree
from tests.world.seller import Step
from tests.world.shop import Process, World

BODY = b'{"model":"m","messages":[]}'
ALL = os.environ.get("SIDECAR_LEDGER_FAULTS") == "all"
TROUBLES = {
    "honest": [],
    "in doubt": [Step("hang", settles=False)] * 3,
    "cut": [Step("cut")],
}
FAILURES = tuple(Failure)
# Nothing is served for money while the books fail: 503, by whoever meets the fault.
REFUSED = frozenset({"ledger", "503"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One way of failing."""

    at: int
    failure: Failure
    lasts: bool
    late: bool


def a_world(folder: Path, name: str, trouble: str) -> tuple[World, Witness]:
    world = World(folder / f"{name}.db", seed=name)
    world.seller.steps.extend(TROUBLES[trouble])
    witness = Witness(world)
    world.upstream = witness
    return world, witness


async def statements(folder: Path, trouble: str) -> int:
    """How many there are to fail at: counted in a run that does not."""
    world, _ = a_world(folder, f"count {trouble}", trouble)
    disk = Disk()
    async with process_on(world, disk) as process:
        began = disk.statements
        await process.call(BODY)
        return disk.statements - began


def cells(count: int) -> list[Cell]:
    """Every failure at every statement; or, for the short form, each statement once."""
    if not ALL:
        return [
            Cell(n, FAILURES[n % len(FAILURES)], lasts=n % 3 > 0, late=n % 5 == 0)
            for n in range(1, count + 1)
        ]
    return [
        Cell(n, failure, lasts, late)
        for n in range(1, count + 1)
        for failure in FAILURES
        for lasts in (True, False)
        for late in (True, False)
    ]


async def called(process: Process) -> str:
    """What the app hears: its status, or that the books failed (a 503)."""
    try:
        return str((await process.call(BODY)).status)
    except LedgerError:
        return "ledger"


async def until_served(process: Process, first: str) -> list[str]:
    """The retries of an app that gives up after three."""
    answers = [first]
    while answers[-1] != "200" and len(answers) < 4:
        answers.append(await called(process))
    return answers


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_fault_ends(tmp_path: Path, trouble: str) -> None:
    """After the fault the retry binds: money moved exactly once, and what left was on disk."""
    for cell in cells(await statements(tmp_path, trouble)):
        name = f"{cell.at} {cell.failure.name} {cell.lasts} {cell.late}"
        world, witness = a_world(tmp_path, name, trouble)
        disk = Disk()
        # A commit that failed and took effect is seen by the next process only.
        async with process_on(world, disk) as process:
            disk.break_at(cell.failure, cell.at, lasts=cell.lasts)
            first = await called(process)
            during = [await called(process) for _ in range(2)] if cell.lasts else []
            disk.heal()
            answers = await until_served(process, first)
            wrong = await books_and_money_agree(world, process)

        assert disk.struck > 0, name
        assert [] == witness.unwritten, name
        assert [] == wrong, name
        assert [] == [heard for heard in during if heard not in REFUSED], name
        assert "200" == answers[-1], (name, first, answers)
        assert 1 == world.seller.settled(BODY), (name, first, answers)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_fault_ends_with_the_process(tmp_path: Path, trouble: str) -> None:
    """A restart after the fault: the next process binds the retry, and no row is lost."""
    for cell in cells(await statements(tmp_path, trouble)):
        name = f"{cell.at} {cell.failure.name} {cell.lasts} {cell.late}"
        world, witness = a_world(tmp_path, name, trouble)
        disk = Disk()
        async with process_on(world, disk) as process:
            disk.break_at(cell.failure, cell.at, lasts=cell.lasts, late=cell.late)
            first = await called(process)
            disk.heal()
        async with world.process() as process:
            rows = await process.ledger.payments(None, 100)
            # It had its last byte, and the mark is on the disk: what comes now is another call.
            complete = sum(row.delivered_at is not None for row in rows) if first != "200" else 0
            await process.recovery.run_once()
            answers = await until_served(process, first)
            wrong = await books_and_money_agree(world, process)

        assert [] == witness.unwritten, name
        assert [] == wrong, name
        assert "200" == answers[-1], (name, first, answers)
        assert 1 + complete == world.seller.settled(BODY), (name, first, answers)


async def test_claim_that_was_written(tmp_path: Path) -> None:
    """A commit that fails and is written, at any statement of a retry: the next one still binds."""
    world, _ = a_world(tmp_path, "count", "cut")
    async with process_on(world, disk := Disk()) as process:
        await process.call(BODY)
        began = disk.statements
        await process.call(BODY)
        count = disk.statements - began
    for at in range(1, count + 1):
        world, _ = a_world(tmp_path, f"{at}", "cut")
        async with process_on(world, disk := Disk()) as process:
            await process.call(BODY)
            disk.break_at(Failure.EIO, at, lasts=False, late=True)
            first = await called(process)
            (row,) = await process.ledger.payments(None, 100)
            # It had its last byte, and the mark is on the disk: what comes now is another call.
            complete = row.delivered_at is not None and first != "200"
            answers = await until_served(process, first)

        assert "200" == answers[-1], (at, answers)
        assert 1 + complete == world.seller.settled(BODY), (at, answers)


async def test_nothing_is_signed_meanwhile(tmp_path: Path) -> None:
    """While no write succeeds nothing is presented, however often the app asks."""
    for failure in Failure:
        world, _ = a_world(tmp_path, failure.name, "honest")
        disk = Disk()
        async with process_on(world, disk) as process:
            disk.break_at(failure, 1, lasts=True)
            answers = [await called(process) for _ in range(5)]

        assert ["ledger"] * 5 == answers
        assert [] == world.seller.presented()
