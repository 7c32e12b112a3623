"""A clock that jumps an hour or drifts, at every port call of a payment, beside a chain that
does not: no early void, no signature that lives longer than it should, and money moves once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.ledger.model import Payment, PaymentState
from sidecar.refusal import Denied
from tests.world.crash import CrashPlan
from tests.world.fakes import FakeClock
from tests.world.seller import InMemorySeller, Step
from tests.world.shop import NETWORK, TTL, Process, World

BODY = b'{"model":"m","messages":[]}'
HOUR_S = 3600.0
SKEW_S_MAX = 30.0
TROUBLES = {"honest": [], "in doubt": [Step("hang", settles=False)] * 3, "cut": [Step("cut")]}


@dataclass
class LocalClock:
    """The sidecar's own: the chain's time, and what is wrong with ours."""

    true: FakeClock
    offset_s: float = 0.0
    drift: float = 0.0  # seconds gained in each second that passes
    began_s: float = 0.0

    def now(self) -> datetime:
        gained_s = self.drift * (self.true.monotonic_s() - self.began_s)
        return self.true.now() + timedelta(seconds=self.offset_s + gained_s)

    def monotonic_s(self) -> float:
        return self.true.monotonic_s()

    async def sleep(self, duration_s: float) -> None:
        await self.true.sleep(duration_s)

    def advance(self, duration_s: float) -> None:
        self.true.advance(duration_s)

    def mend(self) -> None:
        """Somebody sets it."""
        self.offset_s = self.drift = 0.0


class JumpPlan(CrashPlan):
    """At the n-th moment around a port call the clock jumps, and nobody dies."""

    def __init__(self, at: int | None, jump: Callable[[], None]) -> None:
        super().__init__(None)
        self._jump_at, self._jump = at, jump

    async def call(
        self, name: str, method: Callable[..., Awaitable[Any]], *args: Any, **kw: Any
    ) -> Any:
        """One call, with a moment on each side of it."""
        self._moment(f"before {name}")
        result = await method(*args, **kw)
        self._moment(f"after {name}")
        return result

    def _moment(self, moment: str) -> None:
        self.moments.append(moment)
        if len(self.moments) == self._jump_at:
            self._jump()


class Observatory(World):
    """A world whose sidecar has a clock of its own."""

    def __init__(self, path: Path, seed: str, trouble: str) -> None:
        super().__init__(path, seed)
        self.true = self.clock
        self.local = LocalClock(self.true)
        self.clock = self.local  # type: ignore[assignment]  # tells the time as it does
        self.seller = InMemorySeller(self.true)
        self.seller.steps.extend(TROUBLES[trouble])


async def moments(tmp_path: Path, trouble: str) -> int:
    """How many there are to jump at."""
    world = Observatory(tmp_path / f"count {trouble}.db", "count", trouble)
    plan = JumpPlan(None, lambda: None)
    async with world.process(plan) as process:
        await process.call(BODY)
    return len(plan.moments)


def voided_early(world: Observatory, rows: tuple[Payment, ...]) -> list[str]:
    """Payments that were given up while their authorization could still settle."""
    final = world.true.now() - timedelta(seconds=world.seller.options.finality_s)
    return [
        row.id
        for row in rows
        if row.state is PaymentState.VOIDED
        and row.authorization is not None
        and row.authorization.expires_at > final
    ]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("offset_s", [HOUR_S, -HOUR_S, 31.0, -31.0, 29.0])
async def test_jump(tmp_path: Path, trouble: str, offset_s: float) -> None:
    """Whenever it jumps: nothing is voided early, nothing lives too long, the call is paid once."""
    for at in range(1, await moments(tmp_path, trouble) + 1):
        name = f"{at} {trouble} {offset_s}"
        world = Observatory(tmp_path / f"{name}.db", name, trouble)

        def jump(local: LocalClock = world.local) -> None:
            local.offset_s = offset_s

        plan = JumpPlan(at, jump)
        async with world.process(plan) as process:
            first = await process.call(BODY)
            lives_s = new_lives_s(world, set())
            before = {seen.nonce for seen in world.seller.books.authorizations}
            await process.recovery.run_once()
            early = voided_early(world, await process.ledger.payments(None, 100))
            skewed = await process.call(b"another")
            lives_s += new_lives_s(world, before)
            world.local.mend()
            await process.recovery.run_once()
            early += voided_early(world, await process.ledger.payments(None, 100))
            answers = [first.status, *await retried(process, first.status)]

        assert [] == early, plan.moments[at - 1]
        assert 200 == answers[-1], (plan.moments[at - 1], answers)
        assert 1 == world.seller.settled(BODY), (plan.moments[at - 1], answers)
        # It is refused beyond the limit, and else signed for no other life than ours.
        refused = isinstance(skewed.outcome, Denied) and skewed.outcome.rule == "clock_skew"
        assert (abs(offset_s) > SKEW_S_MAX) == refused, plan.moments[at - 1]
        assert all(60 <= life_s <= 300 for life_s in lives_s), lives_s


async def retried(process: Process, status: int) -> list[int]:
    """What an app hears that tries up to three times more."""
    answers = [status]
    while answers[-1] != 200 and len(answers) < 4:
        answers.append((await process.call(BODY)).status)
    return answers[1:]


def new_lives_s(world: Observatory, before: set[str]) -> list[float]:
    """For how long, by the chain's time, what was signed since may still be used."""
    now = world.true.now().timestamp()
    return [
        seen.valid_before - now
        for seen in world.seller.books.authorizations
        if seen.nonce not in before
    ]


@pytest.mark.parametrize("drift", [0.5, -0.5, 0.01, -0.01])
async def test_drift(tmp_path: Path, drift: float) -> None:
    """A clock that drifts is refused as soon as it is too far off, and served again once set."""
    world = Observatory(tmp_path / "ledger.db", f"{drift}", "honest")
    world.local.drift = drift
    async with world.process() as process:
        for number in range(20):
            world.true.advance(15)
            await process.recovery.run_once()
            body = f"call {number}".encode()
            before = {seen.nonce for seen in world.seller.books.authorizations}
            served = await process.call(body)
            skew_s = abs(drift) * 15 * (number + 1)

            assert all(60 <= life_s <= 300 for life_s in new_lives_s(world, before))
            # A second is lost in reading a block's time, which is whole.
            if abs(skew_s - SKEW_S_MAX) > 2:
                assert (skew_s > SKEW_S_MAX) == isinstance(served.outcome, Denied), skew_s
        world.local.mend()
        await process.recovery.run_once()
        late = await process.call(b"set")

    assert 200 == late.status


async def test_local_time_voids_nothing(tmp_path: Path) -> None:
    """A week by our clock alone voids nothing; the chain's own time does, and then it is paid."""
    world = Observatory(tmp_path / "ledger.db", "week", "in doubt")
    async with world.process() as process:
        await process.call(BODY)
        world.local.offset_s = 7 * 24 * HOUR_S
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)
        world.local.mend()
        world.true.advance(200)
        await process.recovery.run_once()
        (later,) = await process.ledger.payments(None, 10)
        served = await process.call(BODY)

    assert PaymentState.AUTHORIZED is row.state
    assert PaymentState.VOIDED is later.state
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)
    assert NETWORK == later.network


@pytest.mark.parametrize("rpc", [True, False])
@pytest.mark.parametrize("offset_s", [HOUR_S, -HOUR_S])
@pytest.mark.parametrize("recovers", [True, False])
async def test_retry_after_a_jump(
    tmp_path: Path, rpc: bool, offset_s: float, recovers: bool
) -> None:
    """An app that retries after seconds is bound to what it paid, whatever the clock says."""
    world = Observatory(tmp_path / "ledger.db", "retry", "cut")
    world.rpc_urls = world.rpc_urls if rpc else ()
    async with world.process() as process:
        first = await process.call(BODY)
        world.true.advance(1)
        world.local.offset_s = offset_s
        if recovers:
            await process.recovery.run_once()
        world.true.advance(1)
        answers = await retried(process, first.status)

    assert [200] == answers
    assert 1 == world.seller.settled(BODY)


async def test_nobody_comes_back(tmp_path: Path) -> None:
    """After a jump, too, what nobody comes back for is over when its time has truly passed."""
    world = Observatory(tmp_path / "ledger.db", "over", "cut")
    async with world.process() as process:
        await process.call(BODY)
        world.local.offset_s = HOUR_S
        closed = []
        for _ in range(3):
            await process.recovery.run_once()
            (row,) = await process.ledger.payments(None, 10)
            closed.append(row.closed_at is not None)
            world.true.advance(TTL.total_seconds() / 2 + 1)

    assert [False, False, True] == closed


async def test_recovers_by_itself(tmp_path: Path) -> None:
    """After a pause that only the wall clock noticed, the next look at the chain is believed."""
    world = Observatory(tmp_path / "ledger.db", "asleep", "honest")
    async with world.process() as process:
        await process.recovery.run_once()
        world.true.set_wall(world.true.now() + timedelta(hours=1))
        refused = await refusal(process)
        await process.recovery.run_once()
        served = await process.call(BODY)

    assert "clock_skew" == refused
    assert 200 == served.status


async def test_stopped_chain(tmp_path: Path) -> None:
    """A chain that stands 45 s behind us is refused as a clock that ran ahead is: no signature."""
    world = Observatory(tmp_path / "ledger.db", "stopped", "honest")
    world.local.offset_s = 45
    async with world.process() as process:
        await process.recovery.run_once()
        refused = await refusal(process)

    assert "clock_skew" == refused
    assert [] == world.seller.presented()


async def refusal(process: Process) -> str:
    """The rule by which a call is refused; empty when it is served."""
    outcome = (await process.call(BODY)).outcome
    return outcome.rule if isinstance(outcome, Denied) else ""
