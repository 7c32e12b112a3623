"""The books are put in order: at start, on a timer, on proof only."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.clock import WatchedClock
from sidecar.errors import LedgerError
from sidecar.ledger.model import PaymentState
from sidecar.payments.events import Event, PaymentVoided, TaskFailed
from sidecar.payments.recovery import Recovery
from tests.world.crash import CrashPlan, Killed
from tests.world.fakes import FakeClock
from tests.world.seller import Step
from tests.world.shop import World

BODY = b'{"model":"m","messages":[]}'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger.db")


async def test_orphans_are_dropped(world: World) -> None:
    """What a dead process had reserved and not signed is free again."""
    plan = CrashPlan(4)  # after the reservation, before the authorization
    async with world.process(plan) as process:
        with pytest.raises(Killed):
            await process.call(BODY)
    async with world.process() as process:
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)
        events = [type(event) for event in process.events if isinstance(event, PaymentVoided)]

    assert PaymentState.VOIDED is row.state
    assert [PaymentVoided] == events


async def test_old_unconfirmed_is_left(world: World) -> None:
    """A served payment that no chain ever showed is not asked about for ever."""
    world.seller.steps.append(Step(settles=False, receipt=False))
    async with world.process() as process:
        await process.call(BODY)
        world.clock.advance(7_200)
        before = len(world.seller.sent)
        await process.recovery.run_once()
        (row,) = await process.ledger.unconfirmed()

    assert PaymentState.POSTED is row.state
    assert before == len(world.seller.sent)


class Failing:
    """A recovery whose ledger fails at first."""

    def __init__(self) -> None:
        self.passes = 0

    async def measure_skew(self) -> None:
        self.passes += 1
        if self.passes == 1:
            raise LedgerError("disk full")
        if self.passes == 3:
            raise asyncio.CancelledError


async def test_goes_on(world: World) -> None:
    """A pass that could not write the books is told of, and the next one comes."""
    heard: list[Event] = []
    failing = Failing()
    async with world.process() as process:
        recovery = Recovery(
            process.ledger,
            failing,  # type: ignore[arg-type]  # only its first call matters
            WatchedClock(FakeClock()),
            heard.append,
            timedelta(minutes=10),
        )
        with pytest.raises(asyncio.CancelledError):
            await recovery.run(lambda: 1)

    assert not recovery.rests
    assert ["recovery"] == [event.name for event in heard if isinstance(event, TaskFailed)]
    assert 3 == failing.passes
