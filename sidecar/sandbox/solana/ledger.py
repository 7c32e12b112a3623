"""The sandbox's Solana: USDC, blocks, and everything that was put into them.

It is a facilitator too: `verify` judges a payment as strictly as both official ones together,
`settle` signs it as the fee payer and executes it, once. A transaction can be submitted to land
later; it lands when anybody next looks, in the block of the moment it was due, or never when its
blockhash has expired by then.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from datetime import datetime, timedelta

from solders.account import Account
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sidecar.chains import usdc_on
from sidecar.clock import Clock
from sidecar.money import Usdc
from sidecar.sandbox.solana import programs
from sidecar.sandbox.solana.bank import (
    ALREADY_PROCESSED,
    BLOCKHASH_NOT_FOUND,
    Bank,
    ErrorJson,
    Execution,
    refused,
)
from sidecar.sandbox.solana.blocks import Block, Blocks, Commitment
from sidecar.sandbox.solana.history import History, Landed
from sidecar.sandbox.solana.rules import Expected, Refused, Tendered, judge
from sidecar.values import dataclass

SIMULATION_FAILED = "transaction_simulation_failed"
TRANSACTION_FAILED = "transaction_failed"
DUPLICATE = "duplicate_settlement"

# Known to everybody, like the chain that it pays fees on.
FEE_PAYER_SEED = hashlib.sha256(b"x402 sidecar sandbox fee payer").digest()


@dataclass(frozen=True, slots=True)
class Settled:
    """The transfer is in a block."""

    landed: Landed
    payer: Pubkey
    amount: int


class Ledger:
    """One Solana network with one USDC mint."""

    def __init__(
        self,
        network: str,
        clock: Clock,
        *,
        payees: tuple[str, ...],
        starting_balance: Usdc,
        finality_blocks: int,
    ) -> None:
        self.network = network
        self.mint = Pubkey.from_string(usdc_on(network).address)
        self.blocks = Blocks(clock, finality_blocks=finality_blocks)
        self.history = History()
        self._clock = clock
        self._fee_payer = Keypair.from_seed(FEE_PAYER_SEED)
        self._starting_balance = starting_balance.atomic
        self.bank = Bank(self.mint, self._fee_payer.pubkey())
        self._identities: set[bytes] = set()
        self._mempool: list[tuple[datetime, VersionedTransaction]] = []
        # Nobody opens an account for a payee while it is being paid.
        for payee in payees:
            self.bank.set_amount(Pubkey.from_string(payee), 0)

    @property
    def fee_payer(self) -> Pubkey:
        """Who pays for transactions and signs them first."""
        return self._fee_payer.pubkey()

    # --- accounts ---

    def fund(self, owner: str, atomic: int) -> None:
        """Give this owner so much more, as if it had started with it."""
        key = Pubkey.from_string(owner)
        self.catch_up()
        held = self.bank.amount(self.token_account(key)) or 0
        self.bank.set_amount(key, held + atomic)

    def balance(self, owner: str, commitment: Commitment = Commitment.PROCESSED) -> int:
        """What this owner holds, in atomic units; nothing when it has no token account."""
        return self.amount(self.token_account(Pubkey.from_string(owner)), commitment) or 0

    def amount(self, address: Pubkey, commitment: Commitment) -> int | None:
        """What this token account held as of the newest block that is so sure; None: no account."""
        self.catch_up()
        amount = self.bank.amount(address)
        if amount is None:
            return None
        return amount - self.history.gained_after(address, self.blocks.head(commitment))

    def account(self, address: Pubkey, commitment: Commitment) -> Account | None:
        """The account as of the newest block that is so sure. Only token amounts are so exact."""
        amount = self.amount(address, commitment)
        found = self.bank.account(address)
        held = programs.held_in(found)
        if found is None or held is None or amount is None:
            return found
        return programs.token_account(held.owner, held.mint, amount, found.lamports)

    def token_account(self, owner: Pubkey) -> Pubkey:
        """Where this owner's USDC is."""
        return programs.token_account_of(owner, self.mint)

    # --- the facilitator ---

    def verify(self, transaction_b64: str, expected: Expected) -> Tendered | Refused:
        """Whether this partly signed transaction pays what is expected, and would succeed now."""
        self.catch_up()
        tendered = judge(transaction_b64, expected, self.fee_payer)
        if isinstance(tendered, Refused):
            return tendered
        if tendered.identity in self._identities:
            return Refused(DUPLICATE, "this message was submitted before")
        self._introduce(tendered.payer)
        found = self.simulate(self.signed(tendered))
        if found.error is not None:
            return Refused(SIMULATION_FAILED, f"{found.error}, {list(found.logs)[-1:]}")
        return tendered

    def settle(self, transaction_b64: str, expected: Expected) -> Settled | Refused:
        """Verify, sign as the fee payer, and execute in the newest block."""
        tendered = self.verify(transaction_b64, expected)
        if isinstance(tendered, Refused):
            return tendered
        landed = self.send(self.signed(tendered))
        if not isinstance(landed, Landed) or landed.execution.error is not None:
            return Refused(TRANSACTION_FAILED, str(landed))
        return Settled(landed, tendered.payer, tendered.amount)

    def submit(self, tendered: Tendered, *, delay_s: float) -> str:
        """Sign and broadcast; it lands after the delay, if its blockhash lives. The signature."""
        self.catch_up()
        transaction = self.signed(tendered)
        self._identities.add(tendered.identity)
        due = self._clock.now() + timedelta(seconds=delay_s)
        insort(self._mempool, (due, transaction), key=lambda entry: entry[0])
        return str(transaction.signatures[0])

    def signed(self, tendered: Tendered) -> VersionedTransaction:
        """The transaction with the fee payer's signature too."""
        signature = self._fee_payer.sign_message(to_bytes_versioned(tendered.message))
        payers = tendered.transaction.signatures[1]
        return VersionedTransaction.populate(tendered.message, [signature, payers])

    # --- the network ---

    def send(self, transaction: VersionedTransaction) -> Landed | ErrorJson:
        """Execute it in the newest block; or the error for which no block takes it."""
        self.catch_up()
        return self._execute(transaction, self.blocks.head())

    def simulate(self, transaction: VersionedTransaction, *, verify: bool = True) -> Execution:
        """What executing it in the newest block would do."""
        self.catch_up()
        stale = self._off_chain(transaction, self.blocks.head())
        if stale is not None:
            return refused(stale)
        return self.bank.simulate(transaction, verify=verify)

    def advance(self, blocks: int) -> None:
        """Let so many blocks pass in no time. What was due before them is in them."""
        self.catch_up()
        self.blocks.advance(blocks)

    def catch_up(self) -> None:
        """Let everything land that is due."""
        now = self._clock.now()
        while self._mempool and self._mempool[0][0] <= now:
            due, transaction = self._mempool.pop(0)
            self._execute(transaction, self.blocks.at(self.blocks.height_at(due)))

    # --- inside ---

    def _introduce(self, owner: Pubkey) -> None:
        # Every payer has money here, as on the sandbox's other chain.
        if self.bank.amount(self.token_account(owner)) is None:
            self.bank.set_amount(owner, self._starting_balance)

    def _off_chain(self, transaction: VersionedTransaction, block: Block) -> str | None:
        named = self.blocks.named_by(transaction.message.recent_blockhash)
        if named is None or not named.height <= block.height <= named.last_valid_height:
            return BLOCKHASH_NOT_FOUND
        if self.history.find(str(transaction.signatures[0])) is not None:
            return ALREADY_PROCESSED
        return None

    def _execute(self, transaction: VersionedTransaction, block: Block) -> Landed | ErrorJson:
        stale = self._off_chain(transaction, block)
        if stale is not None:
            return stale
        keys = transaction.message.account_keys
        lamports = [self.bank.lamports(key) for key in keys]
        holdings = self.bank.holdings(keys)
        execution = self.bank.run(transaction)
        if isinstance(execution.error, str):
            return execution.error
        landed = Landed(
            transaction=transaction,
            block=block,
            execution=execution,
            lamports=(tuple(lamports), tuple(self.bank.lamports(key) for key in keys)),
            holdings=(holdings, self.bank.holdings(keys)),
        )
        self.history.add(landed)
        self._identities.add(landed.identity)
        return landed
