"""Blocks come with the clock, one every 400 ms, and a blockhash lives for 150 of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash

from sidecar.sandbox.solana import Blocks, Commitment
from tests.world.fakes import FakeClock

FINALITY_BLOCKS = 5


def blocks() -> tuple[FakeClock, Blocks]:
    clock = FakeClock()
    return clock, Blocks(clock, finality_blocks=FINALITY_BLOCKS)


def test_time_passes() -> None:
    """Four tenths of a second are one block and one slot."""
    clock, chain = blocks()
    before = chain.head()
    clock.advance(0.399)
    same = chain.head()
    clock.advance(0.001)
    clock.advance(0.4 * 10)

    assert before == same
    assert 11 == chain.head().height - before.height
    assert 11 == chain.head().slot - before.slot
    assert before.slot > before.height


def test_commitments() -> None:
    """What is confirmed is one block behind, what is finalized as many as was chosen."""
    _, chain = blocks()
    head = chain.head().height

    assert [head, head - 1, head - FINALITY_BLOCKS] == [
        chain.head(commitment).height for commitment in Commitment
    ]


def test_clock_goes_back() -> None:
    """A block that was there stays there."""
    clock, chain = blocks()
    clock.advance(4)
    before = chain.head()
    clock.advance(-10)

    assert before == chain.head()


def test_advance() -> None:
    """Blocks that are added at once have one time; those that follow keep the beat."""
    clock, chain = blocks()
    start = chain.head()
    chain.advance(160)
    added = chain.head()
    clock.advance(4)

    assert (160, 0) == (added.height - start.height, added.timestamp - start.timestamp)
    assert (170, 4) == (
        chain.head().height - start.height,
        chain.head().timestamp - start.timestamp,
    )
    assert start.timestamp == chain.at(start.height + 80).timestamp
    assert start.timestamp - 40 == chain.at(start.height - 100).timestamp


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 300)), max_size=6))
def test_time_never_goes_back(steps: list[tuple[int, int]]) -> None:
    """Of two blocks the higher is never older, and a height is found at its own time."""
    clock, chain = blocks()
    first = chain.head().height
    for milliseconds, added in steps:
        clock.advance(milliseconds / 1_000)
        chain.advance(added)
    last = chain.head()
    times = [chain.at(height).timestamp for height in range(first - 5, last.height + 1)]

    assert sorted(times) == times
    assert last.height == chain.height_at(clock.now())


def test_blockhash_lives() -> None:
    """A blockhash is good in 150 blocks after its own, and in no later one."""
    _, chain = blocks()
    named = chain.head()
    chain.advance(150)
    at_last = chain.is_fresh(named.blockhash)
    chain.advance(1)

    assert named.height + 150 == named.last_valid_height
    assert (True, False) == (at_last, chain.is_fresh(named.blockhash))


def test_blockhash_commitment() -> None:
    """A reader who sees finalized blocks only does not know a newer blockhash yet."""
    _, chain = blocks()
    head = chain.head()

    assert [True, False, False] == [
        chain.is_fresh(head.blockhash, commitment) for commitment in Commitment
    ]


@pytest.mark.parametrize("blockhash", [Hash.default(), Hash(b"\xff" * 32), Hash(b"\x01" * 32)])
def test_unknown_blockhash(blockhash: Hash) -> None:
    """A hash of no block is not fresh, nor is one of a block to come."""
    _, chain = blocks()
    to_come = chain.at(chain.head().height + 1).blockhash

    assert not chain.is_fresh(blockhash)
    assert chain.named_by(blockhash) is None
    assert chain.named_by(to_come) is None


def test_blockhashes_differ() -> None:
    """Every block has a hash of its own."""
    _, chain = blocks()
    height = chain.head().height

    assert 100 == len({chain.at(height - age).blockhash for age in range(100)})
