"""What is in the blocks: every transaction that landed, whether it succeeded or not."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.token.state import TokenAccount
from solders.transaction import VersionedTransaction

from sidecar.sandbox.solana import programs
from sidecar.sandbox.solana.bank import Execution
from sidecar.sandbox.solana.blocks import Block
from sidecar.sandbox.solana.instructions import instructions_of
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """USDC that went from one owner to another, in atomic units."""

    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction in a block, and its accounts before and after it."""

    transaction: VersionedTransaction
    block: Block
    execution: Execution
    lamports: tuple[tuple[int, ...], tuple[int, ...]]
    holdings: tuple[Mapping[Pubkey, TokenAccount], Mapping[Pubkey, TokenAccount]]

    @property
    def signature(self) -> str:
        """The first signature, which is the transaction's name."""
        return str(self.transaction.signatures[0])

    @property
    def identity(self) -> bytes:
        """The hash of the message."""
        return hashlib.sha256(to_bytes_versioned(self.transaction.message)).digest()

    @property
    def memo(self) -> str | None:
        """Its memos as getSignaturesForAddress tells them: each with its length."""
        memos = [
            found.data
            for found in instructions_of(self.transaction.message)
            if found.program == programs.MEMO
        ]
        told = [f"[{len(memo)}] {memo.decode('utf-8', 'replace')}" for memo in memos]
        return "; ".join(told) or None

    @property
    def moved(self) -> Moved | None:
        """The transfer between two owners that it made; None when it made none."""
        gains = {
            held.owner: self.gained(address)
            for found in self.holdings
            for address, held in found.items()
        }
        payers = [owner for owner, gain in gains.items() if gain < 0]
        payees = [owner for owner, gain in gains.items() if gain > 0]
        if len(payers) != 1 or len(payees) != 1:
            return None
        return Moved(str(payers[0]), str(payees[0]), gains[payees[0]])

    def gained(self, address: Pubkey) -> int:
        """How much more this token account had after it."""
        before, after = (found.get(address) for found in self.holdings)
        return (after.amount if after else 0) - (before.amount if before else 0)


class History:
    """Transactions by signature, and by every account that they name."""

    def __init__(self) -> None:
        self._landed: list[Landed] = []
        self._by_signature: dict[str, Landed] = {}
        self._by_identity: dict[bytes, Landed] = {}
        self._by_address: defaultdict[Pubkey, list[Landed]] = defaultdict(list)

    @property
    def all(self) -> tuple[Landed, ...]:
        """Everything, in order."""
        return tuple(self._landed)

    def add(self, landed: Landed) -> None:
        """Write down what landed last."""
        self._landed.append(landed)
        self._by_signature[landed.signature] = landed
        self._by_identity[landed.identity] = landed
        for address in landed.transaction.message.account_keys:
            self._by_address[address].append(landed)

    def find(self, signature: str) -> Landed | None:
        """The transaction with this first signature."""
        return self._by_signature.get(signature)

    def identified(self, identity: bytes) -> Landed | None:
        """The transaction of the message with this hash."""
        return self._by_identity.get(identity)

    def naming(
        self, address: Pubkey, newest: Block, before: str | None = None, until: str | None = None
    ) -> list[Landed]:
        """Those that name this account, up to this block, the newest first.

        Only those older than `before` and newer than `until`; nothing when `before` is not there.
        """
        found = []
        started = before is None
        for landed in reversed(self._by_address.get(address, [])):
            if landed.signature == until:
                break
            if started and landed.block.height <= newest.height:
                found.append(landed)
            started = started or landed.signature == before
        return found

    def gained_after(self, address: Pubkey, block: Block) -> int:
        """How much more this token account has now than it had after this block."""
        found = self._by_address.get(address, [])
        return sum(landed.gained(address) for landed in found if landed.block.height > block.height)
