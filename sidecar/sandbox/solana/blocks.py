"""Solana's blocks as arithmetic: one every 400 ms of the sandbox's clock.

Slots count time, heights count blocks; they differ, as on mainnet, by the slots that stayed empty.
A blockhash is good for 150 blocks after its own and carries its height, so none is stored.
A test may let blocks pass at once: they all have the time at which that was done.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from solders.hash import Hash

from sidecar.clock import Clock
from sidecar.values import dataclass

GENESIS = datetime(2020, 3, 16, tzinfo=UTC)
SLOT = timedelta(milliseconds=400)
EMPTY_SLOTS = 21_600_000
BLOCKHASH_LIFE_BLOCKS = 150
CONFIRMED_BLOCKS = 1

_HEIGHT_BYTES = 8


class Commitment(StrEnum):
    """How sure a reader wants to be."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """One block of the chain."""

    height: int
    timestamp: int

    @property
    def slot(self) -> int:
        """The slot that it fills."""
        return self.height + EMPTY_SLOTS

    @property
    def blockhash(self) -> Hash:
        """What a transaction names to be fresh."""
        height = self.height.to_bytes(_HEIGHT_BYTES, "big")
        return Hash(
            hashlib.sha256(b"sandbox blockhash" + height).digest()[:-_HEIGHT_BYTES] + height
        )

    @property
    def last_valid_height(self) -> int:
        """The last block that takes a transaction which names this one."""
        return self.height + BLOCKHASH_LIFE_BLOCKS


class Blocks:
    """The chain of blocks at the clock's time, and what a test added to it."""

    def __init__(self, clock: Clock, *, finality_blocks: int) -> None:
        self._clock = clock
        self._finality_blocks = finality_blocks
        self._now = clock.now()
        # From each of these on, one block every 400 ms.
        self._anchors = [((self._now - GENESIS) // SLOT - EMPTY_SLOTS, self._now)]

    def head(self, commitment: Commitment = Commitment.PROCESSED) -> Block:
        """The newest block that is so sure. It never goes back, whatever the clock does."""
        self._now = max(self._now, self._clock.now())
        newest = self.height_at(self._now)
        match commitment:
            case Commitment.PROCESSED:
                return self.at(newest)
            case Commitment.CONFIRMED:
                return self.at(newest - min(CONFIRMED_BLOCKS, self._finality_blocks))
            case Commitment.FINALIZED:
                return self.at(newest - self._finality_blocks)

    def height_at(self, moment: datetime) -> int:
        """The height of the newest block at this moment, which is not in the future."""
        position = max(0, bisect_right(self._anchors, moment, key=lambda anchor: anchor[1]) - 1)
        height, since = self._anchors[position]
        return height + (moment - since) // SLOT

    def at(self, height: int) -> Block:
        """The block of this height, if it is not above the head."""
        position = max(0, bisect_right(self._anchors, height, key=lambda anchor: anchor[0]) - 1)
        first, since = self._anchors[position]
        moment = since + (height - first) * SLOT
        if position + 1 < len(self._anchors):
            # Those that were added at once came no later than the block that followed.
            moment = min(moment, self._anchors[position + 1][1])
        return Block(height, int(moment.timestamp()))

    def advance(self, blocks: int) -> None:
        """Let so many blocks pass in no time."""
        assert blocks >= 0
        self._anchors.append((self.head().height + blocks, self._now))

    def named_by(self, blockhash: Hash) -> Block | None:
        """The block with this hash, if it is no newer than the head."""
        height = int.from_bytes(bytes(blockhash)[-_HEIGHT_BYTES:], "big")
        if height > self.head().height:
            return None
        block = self.at(height)
        return block if block.blockhash == blockhash else None

    def is_fresh(self, blockhash: Hash, commitment: Commitment = Commitment.PROCESSED) -> bool:
        """Whether a transaction that names this blockhash can still get into a block."""
        head = self.head(commitment)
        named = self.named_by(blockhash)
        return named is not None and named.height <= head.height <= named.last_valid_height
