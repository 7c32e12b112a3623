"""The clocks: the machine's, and one that remembers how its wall was set."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from sidecar.clock import DRAWN_TOKENS, DrawnEntropy, SystemClock, SystemEntropy, WatchedClock
from tests.world.fakes import NOON, FakeClock

TTL = timedelta(minutes=10)
HOUR = timedelta(hours=1)


async def test_system() -> None:
    """The machine's clock is aware, and its count goes on while somebody sleeps."""
    clock = SystemClock()
    began_s = clock.monotonic_s()
    await clock.sleep(0.01)

    assert UTC is clock.now().tzinfo
    assert 0.01 <= clock.monotonic_s() - began_s


async def test_same_clock() -> None:
    """A watched clock tells the time of the one that it watches."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    await clock.sleep(3)

    assert (inner.now(), 3.0) == (clock.now(), clock.monotonic_s())


@pytest.mark.parametrize("elapsed_s", [0, 1, 599, 600, 100_000])
def test_since(elapsed_s: float) -> None:
    """A clock that is never set: the duration ago, however long it has run."""
    inner = FakeClock(NOON + timedelta(milliseconds=300))
    clock = WatchedClock(inner)
    clock.now()
    inner.advance(elapsed_s)

    late = clock.now() - TTL - clock.since(TTL)
    assert timedelta(0) <= late <= timedelta(seconds=0.5)


@pytest.mark.parametrize("jump", [timedelta(0), HOUR, -HOUR])
def test_now_and_since(jump: timedelta) -> None:
    """Both by one reading: this moment, and what the clock says of the duration before it."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    clock.now()
    inner.advance(100)
    inner.set_wall(inner.now() + jump)

    assert (inner.now(), clock.since(TTL)) == clock.now_and_since(TTL)


def test_back_to_a_lower_lead() -> None:
    """A clock that is set back to where it ran, but for less than a second, runs there again."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    start = clock.now()
    for step_s in (10, -9.5):
        inner.set_wall(inner.now() + timedelta(seconds=step_s))
        clock.now()

    assert 1 == len(clock._leads)
    assert start - TTL == clock.since(TTL)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=400)])
def test_stamps_before_a_jump(jump: timedelta) -> None:
    """A stamp from before a jump is as old as the count says, for the duration; then it is old."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    inner.advance(50)
    stamp = clock.now()
    inner.set_wall(inner.now() + jump)
    seen = []
    for _ in range(13):
        inner.advance(60)
        seen.append(stamp >= clock.since(TTL))

    # Set back, the stamp lies ahead: nothing then says that it is old.
    assert [True] * 10 + [jump < timedelta(0)] * 3 == seen


def test_stamps_between_jumps() -> None:
    """Stamped while the clock was an hour behind, or ahead of that: each is as old as it is."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    stamps = {}
    for name, jump in (("true", 0), ("behind", -3600), ("ahead", 7200), ("right", -3600)):
        inner.set_wall(inner.now() + timedelta(seconds=jump))
        stamps[name] = clock.now()
        inner.advance(60)
    still = {name for name, stamp in stamps.items() if stamp >= clock.since(TTL)}
    inner.advance(400)
    later = {name for name, stamp in stamps.items() if stamp >= clock.since(TTL)}

    assert set(stamps) == still
    assert {"behind", "ahead", "right"} <= later
    inner.advance(61)
    assert "behind" not in {name for name, stamp in stamps.items() if stamp >= clock.since(TTL)}


def test_jump_of_long_ago() -> None:
    """A jump that is over for longer than the duration makes no stamp younger."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    clock.now()
    inner.set_wall(inner.now() + HOUR)
    inner.advance(3600)
    stamp = clock.now()
    inner.advance(601)

    assert stamp < clock.since(TTL)


def test_drift() -> None:
    """By a clock that gains half a second in each, a stamp is young for the true duration."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    stamp = clock.now()
    young_s = 0
    while stamp >= clock.since(TTL):
        inner.advance(10)
        inner.set_wall(inner.now() + timedelta(seconds=5))
        young_s += 10

    assert 600 <= young_s <= 620


def test_memory() -> None:
    """What is older than any age that is asked for is forgotten."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    for _ in range(100):
        inner.advance(3600)
        inner.set_wall(inner.now() + timedelta(seconds=5))
        clock.since(TTL)

    assert len(clock._leads) <= 26


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(seconds=0.9)])
def test_after(jump: timedelta) -> None:
    """What was stamped after a mark is found by it, and what before is not, whenever it was set."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    found = []
    for _ in range(2):
        before = clock.now()
        inner.advance(2)
        mark_s = clock.mark_s()
        inner.advance(2)
        young = [clock.now()]
        inner.set_wall(inner.now() + jump)
        young.append(clock.now())
        inner.advance(700)
        clock.since(TTL)
        found += [stamp >= clock.after(mark_s) for stamp in young]
        # Set back, the clock gives one moment twice: then nothing says which was the first.
        found.append(before < clock.after(mark_s) or jump < timedelta(0))
        inner.advance(100_000)

    assert all(found)


def test_clock_that_is_slewed() -> None:
    """Small steps of the wall are no jumps: a few of them are remembered as one."""
    inner = FakeClock()
    clock = WatchedClock(inner)
    mark_s = clock.mark_s()
    for _ in range(50):
        inner.advance(1)
        inner.set_wall(inner.now() + timedelta(milliseconds=10))
        clock.now()

    assert 1 == len(clock._leads)
    assert NOON == clock.after(mark_s)


def test_epoch() -> None:
    """A clock at the epoch has a moment before it."""
    clock = WatchedClock(FakeClock(datetime(1970, 1, 1, tzinfo=UTC)))

    assert datetime(1969, 12, 31, 23, 50, tzinfo=UTC) == clock.since(TTL)


class Asked:
    """The system's chance, and how often it was asked for how much."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def token(self, size: int) -> bytes:
        self.sizes.append(size)
        return SystemEntropy().token(size)


def test_drawn() -> None:
    """Tokens are drawn many at a time, each of its size, and none is given out twice."""
    asked = Asked()
    entropy = DrawnEntropy(asked)

    tokens = [entropy.token(size) for size in (16, 32) for _ in range(2 * DRAWN_TOKENS)]

    assert [16 * DRAWN_TOKENS] * 2 + [32 * DRAWN_TOKENS] * 2 == asked.sizes
    assert [16, 32] == sorted({len(token) for token in tokens})
    assert len(tokens) == len(set(tokens))


def test_drawn_alone() -> None:
    """A long token is drawn alone."""
    asked = Asked()

    assert 1024 == len(DrawnEntropy(asked).token(1024))
    assert [1024] == asked.sizes


def test_drawn_by_threads() -> None:
    """No two threads are given the same token."""
    entropy = DrawnEntropy(SystemEntropy())
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: [entropy.token(8) for _ in range(2_000)], range(8)))

    tokens = [token for each in drawn for token in each]
    assert len(tokens) == len(set(tokens))


FORKED = """
import os
from sidecar.clock import DrawnEntropy, SystemEntropy
entropy = DrawnEntropy(SystemEntropy())
entropy.token(8)
child = os.fork()
if child:
    os.waitpid(child, 0)
print(entropy.token(8).hex(), flush=True)
"""


def test_drawn_before_a_fork() -> None:
    """A process that was forked gives out nothing that its parent does."""
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, check=True)

    assert 2 == len(set(done.stdout.split()))
