"""What a Solana `exact` payment must look like: the rules that need no chain.

    form           base64 of a v0 transaction, canonical, no lookup tables, at most 1,232 bytes
    signers        the fee payer, still unsigned, and the payer, who only reads its own account
    instructions   3 to 6: compute limit, compute price, TransferChecked, then Lighthouse or Memo
    compute        at most 50,000 units, at most 5,000,000 microlamports each
    transfer       the mint, exactly the amount, between the two associated token accounts
    fee payer      takes part in nothing but paying the fee
    memo           the seller's, where it has one; else any, or none
    signature      by the payer, over the message with its version byte

Each rule is the stricter of the two official facilitators' (x402.md 3.3), and so is the reason.
"""

from __future__ import annotations

import base64
import hashlib

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from sidecar.sandbox.solana import programs
from sidecar.sandbox.solana.instructions import Instruction, instructions_of
from sidecar.values import dataclass

UNREADABLE = "invalid_exact_svm_payload_transaction_could_not_be_decoded"
INSTRUCTIONS_LENGTH = "invalid_exact_svm_payload_transaction_instructions_length"
COMPUTE_LIMIT = "invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction"
COMPUTE_PRICE = "invalid_exact_svm_payload_transaction_instructions_compute_price_instruction"
COMPUTE_PRICE_TOO_HIGH = COMPUTE_PRICE + "_too_high"
NO_TRANSFER = "invalid_exact_svm_payload_no_transfer_instruction"
UNKNOWN_INSTRUCTION = (
    "invalid_exact_svm_payload_unknown_fourth_instruction",
    "invalid_exact_svm_payload_unknown_fifth_instruction",
    "invalid_exact_svm_payload_unknown_sixth_instruction",
)
MINT_MISMATCH = "invalid_exact_svm_payload_mint_mismatch"
RECIPIENT_MISMATCH = "invalid_exact_svm_payload_recipient_mismatch"
SOURCE_MISMATCH = "invalid_exact_svm_payload_source_mismatch"
AMOUNT_MISMATCH = "invalid_exact_svm_payload_amount_mismatch"
FEE_PAYER_MISMATCH = "invalid_exact_svm_fee_payer_mismatch"
FEE_PAYER_TRANSFERRING = "invalid_exact_svm_payload_transaction_fee_payer_transferring_funds"
MEMO_MISMATCH = "invalid_exact_svm_payload_memo_mismatch"
MEMO_COUNT = "invalid_exact_svm_payload_memo_count"
BAD_SIGNATURE = "invalid_exact_svm_payload_signature_invalid"

TRANSFER = bytes([programs.TRANSFER_CHECKED])
TRANSACTION_BYTES_MAX = 1_232
MEMO_BYTES_MAX = 256
# Hosted facilitators take 50,000 and refuse 100,000.
COMPUTE_UNITS_MAX = 50_000
COMPUTE_PRICE_MAX = 5_000_000


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be paid: to whom, which mint, how much (both ends included), which memo."""

    pay_to: Pubkey
    mint: Pubkey
    amount_min: int
    amount_max: int
    memo: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The payment is not good: the official reason, and what exactly was seen."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Tendered:
    """A payment that keeps the rules above. Whether it can be executed only the chain knows."""

    transaction: VersionedTransaction
    payer: Pubkey
    amount: int
    memo: bytes | None

    @property
    def message(self) -> MessageV0:
        """What is signed."""
        message = self.transaction.message
        assert isinstance(message, MessageV0)
        return message

    @property
    def identity(self) -> bytes:
        """The hash of the message: what is the same whoever signs, and however often."""
        return hashlib.sha256(to_bytes_versioned(self.message)).digest()


def read_transaction(transaction_b64: str) -> VersionedTransaction | Refused:
    """The transaction in the form that clients send: canonical, v0, of two signers."""
    try:
        raw = base64.b64decode(transaction_b64.encode("ascii"))
        transaction = VersionedTransaction.from_bytes(raw)
    except ValueError as error:
        return Refused(UNREADABLE, f"not a transaction in base64: {error}")
    # Decoding forgives blanks and other alphabets, and trailing bytes; encoding again does not.
    if base64.b64encode(bytes(transaction)).decode() != transaction_b64:
        return Refused(UNREADABLE, "not written as it must be")
    if len(raw) > TRANSACTION_BYTES_MAX:
        return Refused(UNREADABLE, f"{len(raw)} bytes")
    message = transaction.message
    if not isinstance(message, MessageV0):
        return Refused(UNREADABLE, "not a version 0 message")
    if message.address_table_lookups:
        return Refused(UNREADABLE, "lookup tables")
    header = message.header
    signers = header.num_required_signatures, header.num_readonly_signed_accounts
    if signers != (2, 1) or len(transaction.signatures) != 2:
        return Refused(UNREADABLE, "not of one fee payer and one payer who only reads")
    try:
        transaction.sanitize()
    except SanitizeError as error:
        return Refused(UNREADABLE, f"inconsistent: {error}")
    return transaction


def glimpse(transaction: VersionedTransaction) -> Tendered:
    """Who would pay how much, if it were good: for books, before anybody has judged it."""
    message = transaction.message
    assert isinstance(message, MessageV0)
    amounts = [
        int.from_bytes(found.data[1:9], "little")
        for found in instructions_of(message)
        if found.program == programs.TOKEN and found.data[:1] == TRANSFER
    ]
    return Tendered(transaction, message.account_keys[1], sum(amounts), None)


def judge(transaction_b64: str, expected: Expected, fee_payer: Pubkey) -> Tendered | Refused:
    """Go through the rules in the order above; the first that fails is the answer."""
    transaction = read_transaction(transaction_b64)
    if isinstance(transaction, Refused):
        return transaction
    message = transaction.message
    assert isinstance(message, MessageV0)
    instructions = instructions_of(message)
    payer = message.account_keys[0]
    if payer != fee_payer:
        return Refused(FEE_PAYER_MISMATCH, f"the fee payer is {payer}, not {fee_payer}")
    if not 3 <= len(instructions) <= 6:
        return Refused(INSTRUCTIONS_LENGTH, f"{len(instructions)} instructions")
    limit, price, transfer, *more = instructions
    refused = (
        _off_limit(limit)
        or _off_price(price)
        or _off_transfer(transfer, expected, fee_payer)
        or _off_rest(more, fee_payer)
        or _off_memo(more, expected.memo)
    )
    if refused is not None:
        return refused
    owner = transfer.accounts[3]
    if message.account_keys[1] != owner:
        return Refused(UNREADABLE, f"{message.account_keys[1]} signs, and {owner} is to pay")
    if transaction.signatures[0] != Signature.default():
        return Refused(UNREADABLE, "signed in the fee payer's place")
    if not _signed(message, owner, transaction.signatures[1]):
        return Refused(BAD_SIGNATURE, f"not signed by {owner}")
    memos = [found.data for found in more if found.program == programs.MEMO]
    amount = int.from_bytes(transfer.data[1:9], "little")
    return Tendered(transaction, owner, amount, memos[0] if memos else None)


def _off_limit(limit: Instruction) -> Refused | None:
    if (
        limit.program != programs.COMPUTE_BUDGET
        or len(limit.data) != 5
        or limit.data[0] != programs.SET_COMPUTE_UNIT_LIMIT
        or limit.accounts
    ):
        return Refused(COMPUTE_LIMIT, "the first instruction does not set the limit")
    units = int.from_bytes(limit.data[1:], "little")
    if units > COMPUTE_UNITS_MAX:
        return Refused(COMPUTE_LIMIT, f"a limit of {units} units")
    return None


def _off_price(price: Instruction) -> Refused | None:
    if (
        price.program != programs.COMPUTE_BUDGET
        or len(price.data) != 9
        or price.data[0] != programs.SET_COMPUTE_UNIT_PRICE
        or price.accounts
    ):
        return Refused(COMPUTE_PRICE, "the second instruction does not set the price")
    microlamports = int.from_bytes(price.data[1:], "little")
    if microlamports > COMPUTE_PRICE_MAX:
        return Refused(COMPUTE_PRICE_TOO_HIGH, f"{microlamports} microlamports")
    return None


def _off_transfer(transfer: Instruction, expected: Expected, fee_payer: Pubkey) -> Refused | None:
    if (
        transfer.program != programs.TOKEN
        or len(transfer.data) != 10
        or transfer.data[0] != programs.TRANSFER_CHECKED
        or len(transfer.accounts) != 4
    ):
        return Refused(NO_TRANSFER, "the third instruction is not one plain TransferChecked")
    source, mint, destination, owner = transfer.accounts
    if fee_payer in transfer.accounts:
        return Refused(FEE_PAYER_TRANSFERRING, "the fee payer takes part in the transfer")
    if mint != expected.mint:
        return Refused(MINT_MISMATCH, f"mint {mint}")
    if transfer.data[9] != programs.DECIMALS:
        return Refused(NO_TRANSFER, f"{transfer.data[9]} decimals")
    if destination != programs.token_account_of(expected.pay_to, mint):
        return Refused(RECIPIENT_MISMATCH, f"to {destination}")
    if source != programs.token_account_of(owner, mint):
        return Refused(SOURCE_MISMATCH, f"from {source}, which is not where {owner} has it")
    amount = int.from_bytes(transfer.data[1:9], "little")
    if not expected.amount_min <= amount <= expected.amount_max:
        return Refused(AMOUNT_MISMATCH, f"{amount}, not {expected.amount_min}")
    return None


def _off_rest(more: list[Instruction], fee_payer: Pubkey) -> Refused | None:
    for place, found in enumerate(more):
        # A memo names nobody: with accounts it wants their signatures.
        if found.program not in (programs.MEMO, programs.LIGHTHOUSE) or (
            found.program == programs.MEMO and found.accounts
        ):
            return Refused(UNKNOWN_INSTRUCTION[place], f"program {found.program}")
        if fee_payer in found.accounts:
            return Refused(FEE_PAYER_TRANSFERRING, "the fee payer takes part in an instruction")
    return None


def _off_memo(more: list[Instruction], wanted: str | None) -> Refused | None:
    memos = [found.data for found in more if found.program == programs.MEMO]
    if len(memos) > 1 or (wanted is not None and not memos):
        return Refused(MEMO_COUNT, f"{len(memos)} memos")
    if memos and len(memos[0]) > MEMO_BYTES_MAX:
        return Refused(MEMO_MISMATCH, f"a memo of {len(memos[0])} bytes")
    if wanted is not None and memos[0] != wanted.encode():
        return Refused(MEMO_MISMATCH, f"memo {memos[0]!r}")
    return None


def _signed(message: MessageV0, owner: Pubkey, signature: Signature) -> bool:
    try:
        VerifyKey(bytes(owner)).verify(to_bytes_versioned(message), bytes(signature))
    except (BadSignatureError, ValueError):
        return False
    return True
