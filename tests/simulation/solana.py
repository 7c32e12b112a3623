"""A Solana cluster in virtual time: heights, blockhashes, halts, and what lands when.

A block every 0.4 s, but for halts. A transaction lands in the newest block if that is at most 150
after the one whose blockhash it names, and once. The real wallet makes the messages, and the
sandbox's own rules judge them.
"""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from dataclasses import dataclass

from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey

from sidecar import base58
from sidecar.chains import SOLANA_DEVNET, usdc_on
from sidecar.money import Usdc
from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.solana.rules import Expected, Refused, judge, read_transaction
from sidecar.sandbox.terms import Offer
from sidecar.wallets.solana import token_account
from tests.simulation.rails import ChainClock, Slip

BLOCK_S = 0.4
LIFE_BLOCKS = 150
FIRST_HEIGHT = 300_000
EMPTY_SLOTS = 20_000  # slots run ahead of heights by those that stayed empty
PAY_TO = "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL"
FEE_PAYER = "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F"


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction in a block. ``identity`` is empty where it is not a payment of ours."""

    identity: str
    signature: str
    height: int
    wire: bytes
    memo: str | None


@dataclass(slots=True)
class _Sent:
    due_s: float
    slip: Slip


class Cluster:
    """Blocks, and the history of our token account."""

    def __init__(self, clock: ChainClock, finality_blocks: int) -> None:
        self._clock = clock
        self.finality_blocks = finality_blocks
        # From this height and time on there was a block every 0.4 s.
        self._runs = [(FIRST_HEIGHT, self.now_s())]
        self._halted_at_s: float | None = None
        self._sent: list[_Sent] = []
        self.landed: list[Landed] = []
        self.by_identity: dict[str, Landed] = {}
        self._heights: dict[str, int] = {}  # by blockhash

    def now_s(self) -> float:
        """The time that the makers of blocks have."""
        return self._clock.now().timestamp()

    # --- blocks ---

    def height(self) -> int:
        """The newest block's."""
        self._catch_up()
        return self._height_at(self.now_s() if self._halted_at_s is None else self._halted_at_s)

    def _height_at(self, moment_s: float) -> int:
        first, began_s = self._runs[-1]
        return first + max(0, int((moment_s - began_s) / BLOCK_S + 1e-6))

    def finalized(self) -> int:
        """The newest block that can no longer change."""
        return self.height() - self.finality_blocks

    def time_of(self, height: int) -> int:
        """When this block was made."""
        place = bisect_right(self._runs, height, key=lambda run: run[0])
        first, began_s = self._runs[max(0, place - 1)]
        return int(began_s + (height - first) * BLOCK_S + 1e-6)

    def halt(self) -> None:
        """No more blocks."""
        self._catch_up()
        if self._halted_at_s is None:
            self._halted_at_s = self.now_s()

    def resume(self) -> None:
        """Blocks again; what was sent meanwhile may get into them."""
        if self._halted_at_s is None:
            return
        height, now_s = self.height(), self.now_s()
        for sent in self._sent:
            sent.due_s = max(sent.due_s, now_s)
        self._halted_at_s = None
        self._runs.append((height + 1, now_s))

    # --- blockhashes ---

    def blockhash_of(self, height: int) -> str:
        """The hash of this block."""
        found = base58.encode(hashlib.sha256(b"block %d" % height).digest())
        self._heights[found] = height
        return found

    def last_valid(self, blockhash: str) -> int | None:
        """The last block that takes a transaction under this blockhash; None: it is not ours."""
        height = self._heights.get(blockhash)
        return None if height is None else height + LIFE_BLOCKS

    # --- transactions ---

    def send(self, slip: Slip, delay_s: float) -> None:
        """It lands after the delay, if it still can."""
        self._catch_up()
        self._sent.append(_Sent(self.now_s() + delay_s, slip))
        self._sent.sort(key=lambda sent: sent.due_s)
        self._catch_up()

    def dust(self, count: int) -> None:
        """Strangers' transfers to our account, each with a memo."""
        height = self.height()
        for _ in range(count):
            self._land("", b"dust %d" % len(self.landed), height, "dust")

    def _catch_up(self) -> None:
        now_s = self.now_s() if self._halted_at_s is None else self._halted_at_s
        while self._sent and self._sent[0].due_s <= now_s:
            sent = self._sent.pop(0)
            message = message_of(sent.slip)
            height = self._height_at(sent.due_s)
            last = self.last_valid(str(message.recent_blockhash))
            identity = sent.slip.identity
            if last is not None and height <= last and identity not in self.by_identity:
                self._land(identity, to_bytes_versioned(message), height, memo_of(message))
                self.by_identity[identity] = self.landed[-1]

    def _land(self, identity: str, message: bytes, height: int, memo: str | None) -> None:
        signature = hashlib.sha512(b"%d:" % len(self.landed) + message).digest()
        wire = b"\x02" + signature + bytes(64) + message
        self.landed.append(Landed(identity, base58.encode(signature), height, wire, memo))


class SolanaRail:
    """A facilitator on this cluster."""

    def __init__(self, cluster: Cluster, price: Usdc, *, dictates: bool, dates: bool) -> None:
        """``dictates``: a memo for each; ``dates``: the terms name a blockhash."""
        self.cluster = cluster
        self._price = price
        self._dictates = dictates
        self._dates = dates
        self._challenges = 0
        self._verified: dict[str, str] = {}
        self._mint = usdc_on(SOLANA_DEVNET).address

    @property
    def offer(self) -> Offer:
        extra: dict[str, object] = {"feePayer": FEE_PAYER}
        if self._dates:
            extra["recentBlockhash"] = self.cluster.blockhash_of(self.cluster.height() - 1)
        if self._dictates:
            self._challenges += 1
            extra["memo"] = f"invoice-{self._challenges}"
        price = str(self._price.atomic)
        return Offer("exact", SOLANA_DEVNET, self._mint, price, PAY_TO, 60, extra)

    def objection(self, slip: Slip) -> str:
        if slip.identity not in self._verified:
            self._verified[slip.identity] = self._verdict(slip)
        if self._verified[slip.identity]:
            return self._verified[slip.identity]
        if self.settled(slip.identity):
            return "already processed"
        last = self._last(slip)
        return "" if last is not None and self.cluster.height() < last else "blockhash not found"

    def _verdict(self, slip: Slip) -> str:
        assert slip.payment.transaction is not None
        price = self._price.atomic
        expected = Expected(
            Pubkey.from_string(PAY_TO), Pubkey.from_string(self._mint), price, price
        )
        found = judge(slip.payment.transaction, expected, Pubkey.from_string(FEE_PAYER))
        return found.reason if isinstance(found, Refused) else ""

    def _last(self, slip: Slip) -> int | None:
        return self.cluster.last_valid(str(message_of(slip).recent_blockhash))

    def settle(self, slip: Slip) -> bool:
        self.cluster.send(slip, 0.0)
        return self.settled(slip.identity)

    def submit(self, slip: Slip, delay_s: float) -> None:
        self.cluster.send(slip, delay_s)

    def settled(self, identity: str) -> bool:
        self.cluster.height()
        return identity in self.cluster.by_identity

    def can_move(self, slip: Slip) -> bool:
        last = self._last(slip)
        is_open = last is not None and self.cluster.finalized() <= last
        return is_open or self.settled(slip.identity)

    def lasts_s(self, slip: Slip) -> float:
        last = self._last(slip)
        return 0.0 if last is None else (last - self.cluster.finalized() + 1) * BLOCK_S

    def is_foreign(self, slip: Slip) -> bool:
        return self._last(slip) is None

    def landed(self) -> list[tuple[str, float]]:
        self.cluster.height()
        return [
            (found.identity, self.cluster.time_of(found.height))
            for found in self.cluster.landed
            if found.identity
        ]

    def receipt(self, identity: str) -> str:
        found = self.cluster.by_identity.get(identity)
        return "" if found is None else found.signature


def message_of(slip: Slip) -> MessageV0:
    """What was signed."""
    assert slip.payment.transaction is not None
    found = read_transaction(slip.payment.transaction)
    assert not isinstance(found, Refused | Malformed)
    assert isinstance(found.message, MessageV0)
    return found.message


def memo_of(message: MessageV0) -> str | None:
    """The text of its memo."""
    last = message.instructions[-1]
    program = str(message.account_keys[last.program_id_index])
    return bytes(last.data).decode() if program.startswith("Memo") else None


def account_of(owner: str) -> str:
    """Where this owner's USDC is."""
    return token_account(owner, usdc_on(SOLANA_DEVNET).address)


def wire_of(landed: Landed) -> str:
    """A transaction as an endpoint tells of it."""
    return base64.b64encode(landed.wire).decode()
