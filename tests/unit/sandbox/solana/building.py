"""Solana payments built with solders alone: good ones, and ones with exactly one thing wrong."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from sidecar.chains import SOLANA_DEVNET
from sidecar.money import Usdc
from sidecar.sandbox.solana import Expected, Ledger
from tests.world.fakes import FakeClock

COMPUTE = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
LIGHTHOUSE = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
DEVNET_USDC = Pubkey.from_string("4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU")
OTHER_MINT = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")

PAYER = Keypair.from_seed(b"\x11" * 32)
STRANGER = Keypair.from_seed(b"\x22" * 32)
PAYEE = Keypair.from_seed(b"\x33" * 32).pubkey()

PRICE = 10_000
FUNDS = 1_000_000
FINALITY_BLOCKS = 5


def limit(units: int = 20_000) -> Instruction:
    return Instruction(COMPUTE, b"\x02" + units.to_bytes(4, "little"), [])


def price(microlamports: int = 1) -> Instruction:
    return Instruction(COMPUTE, b"\x03" + microlamports.to_bytes(8, "little"), [])


def memo(text: bytes = b"0123456789abcdef0123456789abcdef") -> Instruction:
    return Instruction(MEMO, text, [])


@dataclass(frozen=True, slots=True)
class Build:
    """What goes into a payment. `replace` it to change one thing; the signature follows suit."""

    fee_payer: Pubkey
    blockhash: Hash
    payer: Keypair = field(default=PAYER)
    pay_to: Pubkey = PAYEE
    mint: Pubkey = DEVNET_USDC
    amount: int = PRICE
    decimals: int = 6
    owner: Pubkey | None = None
    source: Pubkey | None = None
    destination: Pubkey | None = None
    first: Instruction = field(default_factory=limit)
    second: Instruction = field(default_factory=price)
    program: Pubkey = TOKEN
    discriminator: int = 12
    rest: tuple[Instruction, ...] = field(default_factory=lambda: (memo(),))

    @property
    def transfer(self) -> Instruction:
        owner = self.owner or self.payer.pubkey()
        accounts = [
            AccountMeta(self.source or get_associated_token_address(owner, self.mint), False, True),
            AccountMeta(self.mint, False, False),
            AccountMeta(
                self.destination or get_associated_token_address(self.pay_to, self.mint),
                False,
                True,
            ),
            AccountMeta(owner, True, False),
        ]
        data = bytes([self.discriminator]) + self.amount.to_bytes(8, "little")
        return Instruction(self.program, data + bytes([self.decimals]), accounts)

    @property
    def instructions(self) -> list[Instruction]:
        return [self.first, self.second, self.transfer, *self.rest]

    def message(self) -> MessageV0:
        return MessageV0.try_compile(self.fee_payer, self.instructions, [], self.blockhash)

    def signed(self, message: Message | MessageV0 | None = None) -> VersionedTransaction:
        """Signed by the payer alone, in the second place."""
        message = message or self.message()
        signature = self.payer.sign_message(to_bytes_versioned(message))
        return VersionedTransaction.populate(message, [Signature.default(), signature])

    def base64(self) -> str:
        """As a client sends it."""
        return encoded(self.signed())


def encoded(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


class Bench:
    """A ledger at a time that a test moves, and a payer with money."""

    def __init__(self, network: str = SOLANA_DEVNET) -> None:
        self.clock = FakeClock()
        self.ledger = Ledger(
            network,
            self.clock,
            payees=(str(PAYEE),),
            starting_balance=Usdc(0),
            finality_blocks=FINALITY_BLOCKS,
        )
        self.ledger.fund(str(PAYER.pubkey()), FUNDS)

    def build(self, **change: object) -> Build:
        """A good payment, or one with this changed."""
        good = Build(
            fee_payer=self.ledger.fee_payer,
            blockhash=self.ledger.blocks.head().blockhash,
            mint=self.ledger.mint,
        )
        return replace(good, **change)  # type: ignore[arg-type] # a test names a field

    def expected(self, amount: int = PRICE, memo: str | None = None) -> Expected:
        return Expected(PAYEE, self.ledger.mint, amount, amount, memo)

    @property
    def balances(self) -> tuple[int, int]:
        """What the payer and the payee have."""
        return self.ledger.balance(str(PAYER.pubkey())), self.ledger.balance(str(PAYEE))
