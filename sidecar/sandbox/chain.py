"""The sandbox's chain: one token, balances, used nonces, and a block for every second.

Blocks are arithmetic: the number grows with the clock and only transactions are stored. The rules
of `settle` are those of Circle's contract, among them: block time strictly between validAfter
and validBefore, and a nonce that works once.
A permit (EIP-2612) and the transfer that it allows are one transaction here; see permits.
A transfer can be submitted to land later. It lands when anybody next looks, in the block of the
second it was due, so no reader ever saw a chain without it that should have had it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from enum import Enum

from sidecar.chains import Asset
from sidecar.clock import Clock
from sidecar.money import Usdc
from sidecar.sandbox.addresses import keccak256
from sidecar.sandbox.permits import Permit, Permits, Pull
from sidecar.values import dataclass

# High enough that a reader who goes back a day does not fall off the beginning.
GENESIS_NUMBER = 30_000_000

EXPIRED = "invalid_exact_evm_payload_authorization_valid_before"
NOT_YET_VALID = "invalid_exact_evm_payload_authorization_valid_after"
NONCE_USED = "invalid_exact_evm_nonce_already_used"
INSUFFICIENT = "invalid_exact_evm_insufficient_balance"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What an EIP-3009 authorization asks the token to do. Addresses in any case."""

    payer: str
    payee: str
    value: int
    valid_after: int
    valid_before: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Block:
    """One second of the chain."""

    number: int
    timestamp: int

    @property
    def hash(self) -> str:
        """A hash that tells blocks apart."""
        return "0x" + keccak256(b"sandbox block %d" % self.number).hex()


class Kind(Enum):
    """What a transaction did with the authorization."""

    TRANSFER = "transfer"
    CANCEL = "cancel"
    PERMIT = "permit"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that is in a block. A cancelled authorization moved nothing."""

    hash: str
    kind: Kind
    block: Block
    index: int
    transfer: Transfer
    # Of a PERMIT: what was permitted, before the transfer took its part of it.
    permit: Permit | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The transfer is in a block."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Reverted:
    """The token refused; nothing moved."""

    reason: str


class Pending:
    """What becomes of something that was submitted, once anybody has looked."""

    outcome: Settled | Reverted | None = None


class Chain:
    """One USDC deployment and everything that happened to it."""

    def __init__(
        self, asset: Asset, clock: Clock, *, starting_balance: Usdc, payee: str, finality_s: int
    ) -> None:
        self.asset = asset
        self._clock = clock
        self._finality_s = finality_s
        self._starting_balance = starting_balance.atomic
        self._balances: dict[str, int] = {payee.lower(): 0}
        self._transactions: list[Transaction] = []
        self._by_hash: dict[str, Transaction] = {}
        self._by_nonce: dict[tuple[str, str], Transaction] = {}
        self._mempool: list[tuple[float, Transfer | Pull, Pending]] = []
        self._permits = Permits()
        self._now_s = self._genesis_s = clock.now().timestamp()

    # --- blocks ---

    def head(self) -> Block:
        """The newest block. Its time never goes back, whatever the clock does."""
        self._catch_up()
        return self._block_at(self._now_s)

    def finalized(self) -> Block:
        """The newest block that can no longer change."""
        return self._behind_head(self._finality_s)

    def safe(self) -> Block:
        """A block between the newest and the finalized one."""
        return self._behind_head((self._finality_s + 1) // 2)

    def block(self, number: int) -> Block | None:
        """The block with this number; None when there is none yet."""
        if not 0 <= number <= self.head().number:
            return None
        return Block(number, int(self._genesis_s) + number - GENESIS_NUMBER)

    def _behind_head(self, blocks: int) -> Block:
        head = self.head()
        return Block(head.number - blocks, head.timestamp - blocks)

    def _block_at(self, moment_s: float) -> Block:
        elapsed_s = int(moment_s) - int(self._genesis_s)
        return Block(GENESIS_NUMBER + elapsed_s, int(moment_s))

    # --- writing ---

    def settle(self, transfer: Transfer) -> Settled | Reverted:
        """Execute the authorization in the newest block, as anybody who holds it may."""
        self._catch_up()
        return self._execute(transfer, self._block_at(self._now_s))

    def submit(self, transfer: Transfer, *, delay_s: float) -> str:
        """Broadcast the authorization; it lands after the delay. The transaction's hash."""
        self.promise(transfer, delay_s=delay_s)
        return _hash(Kind.TRANSFER, transfer)

    def promise(self, what: Transfer | Pull, *, delay_s: float) -> Pending:
        """Broadcast an authorization or a pull; it lands after the delay. What becomes of it."""
        self._catch_up()
        entry = (self._now_s + delay_s, what, Pending())
        insort(self._mempool, entry, key=lambda found: found[0])
        return entry[2]

    def pull(self, pull: Pull) -> Settled | Reverted:
        """Execute a permit and the transfer that it allows, in the newest block."""
        self._catch_up()
        return self._pull(pull, self._block_at(self._now_s))

    def cancel(self, payer: str, nonce: str) -> Settled | Reverted:
        """Burn a nonce as cancelAuthorization does: it is used, and nothing was paid."""
        self._catch_up()
        if self._is_used(payer, nonce):
            return Reverted(NONCE_USED)
        void = Transfer(payer, payer, 0, 0, 0, nonce)
        return Settled(self._include(Kind.CANCEL, void, self._block_at(self._now_s)))

    def set_balance(self, address: str, amount: Usdc) -> None:
        """Give this address so much, as if it had started with it."""
        self._catch_up()
        self._balances[address.lower()] = amount.atomic

    # --- reading ---

    def authorization_used(self, payer: str, nonce: str, at: Block) -> bool:
        """What the token's authorizationState says as of this block."""
        self._catch_up()
        transaction = self._by_nonce.get((payer.lower(), nonce.lower()))
        return transaction is not None and transaction.block.number <= at.number

    def nonce(self, owner: str, at: Block) -> int:
        """What the token's nonces(owner) says as of this block: how many permits were used."""
        self._catch_up()
        return self._permits.nonce(owner, at.number)

    def allowance(self, owner: str, spender: str, at: Block) -> int:
        """What the spender may still move of the owner's as of this block."""
        self._catch_up()
        return self._permits.allowance(owner, spender, at.number)

    def balance(self, address: str, at: Block) -> Usdc:
        """What the address holds as of this block."""
        self._catch_up()
        key = address.lower()
        balance = self._balance(key)
        for transaction in self.transactions(at.number + 1, self._block_at(self._now_s).number):
            transfer = transaction.transfer
            if key == transfer.payer.lower():
                balance += transfer.value
            if key == transfer.payee.lower():
                balance -= transfer.value
        return Usdc(balance)

    def transactions(self, first: int, last: int) -> tuple[Transaction, ...]:
        """What is in the blocks from first to last, both included, in order."""
        self._catch_up()
        low = bisect_left(self._transactions, first, key=lambda found: found.block.number)
        high = bisect_right(self._transactions, last, key=lambda found: found.block.number)
        return tuple(self._transactions[low:high])

    def transfers(self) -> tuple[Transaction, ...]:
        """Everything that moved money, in order."""
        self._catch_up()
        return tuple(found for found in self._transactions if found.kind is not Kind.CANCEL)

    def find(self, transaction_hash: str) -> Transaction | None:
        """The transaction with this hash, if it is in a block."""
        self._catch_up()
        return self._by_hash.get(transaction_hash.lower())

    def use_of(self, payer: str, nonce: str) -> Transaction | None:
        """The transaction that used this authorization, if one did."""
        self._catch_up()
        return self._by_nonce.get((payer.lower(), nonce.lower()))

    # --- inside ---

    def _catch_up(self) -> None:
        self._now_s = max(self._now_s, self._clock.now().timestamp())
        while self._mempool and self._mempool[0][0] <= self._now_s:
            due_s, what, pending = self._mempool.pop(0)
            block = self._block_at(due_s)
            if isinstance(what, Pull):
                pending.outcome = self._pull(what, block)
            else:
                pending.outcome = self._execute(what, block)

    def _execute(self, transfer: Transfer, block: Block) -> Settled | Reverted:
        if block.timestamp <= transfer.valid_after:
            return Reverted(NOT_YET_VALID)
        if block.timestamp >= transfer.valid_before:
            return Reverted(EXPIRED)
        if self._is_used(transfer.payer, transfer.nonce):
            return Reverted(NONCE_USED)
        if self._balance(transfer.payer.lower()) < transfer.value:
            return Reverted(INSUFFICIENT)
        self._move(transfer)
        return Settled(self._include(Kind.TRANSFER, transfer, block))

    def _pull(self, pull: Pull, block: Block) -> Settled | Reverted:
        permit = pull.permit
        reason = self._permits.refusal(pull, block.number, block.timestamp)
        if reason is not None:
            return Reverted(reason)
        if self._balance(permit.owner.lower()) < pull.amount:
            return Reverted(INSUFFICIENT)
        nonce = f"0x{permit.nonce:064x}"
        moved = Transfer(permit.owner, pull.payee, pull.amount, 0, permit.deadline, nonce)
        self._move(moved)
        self._permits.execute(pull, block.number)
        return Settled(self._include(Kind.PERMIT, moved, block, permit))

    def _move(self, transfer: Transfer) -> None:
        payer, payee = transfer.payer.lower(), transfer.payee.lower()
        self._balances[payer] = self._balance(payer) - transfer.value
        self._balances[payee] = self._balance(payee) + transfer.value

    def _include(
        self, kind: Kind, transfer: Transfer, block: Block, permit: Permit | None = None
    ) -> Transaction:
        last = self._transactions[-1] if self._transactions else None
        index = last.index + 1 if last is not None and last.block == block else 0
        transaction = Transaction(_hash(kind, transfer), kind, block, index, transfer, permit)
        self._transactions.append(transaction)
        self._by_hash[transaction.hash] = transaction
        # A permit's nonces are numbers of their own.
        if kind is not Kind.PERMIT:
            self._by_nonce[transfer.payer.lower(), transfer.nonce.lower()] = transaction
        return transaction

    def _is_used(self, payer: str, nonce: str) -> bool:
        return (payer.lower(), nonce.lower()) in self._by_nonce

    def _balance(self, key: str) -> int:
        return self._balances.get(key, self._starting_balance)


def _hash(kind: Kind, transfer: Transfer) -> str:
    """One authorization has one transaction, whoever submits it and however often."""
    text = f"{kind.value} {transfer.payer.lower()} {transfer.nonce.lower()}"
    return "0x" + keccak256(text.encode()).hex()
