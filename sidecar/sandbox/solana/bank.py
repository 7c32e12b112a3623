"""The bank: real token accounts, and the real Token and Memo programs run on them by LiteSVM.

LiteSVM knows neither time nor forks, so which blockhash is fresh and what was processed before is
decided outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from solders.account import Account
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.token.state import TokenAccount
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata
from solders.transaction_status import (
    InstructionErrorBorshIO,
    InstructionErrorCustom,
    TransactionErrorDuplicateInstruction,
    TransactionErrorFieldless,
    TransactionErrorInstructionError,
    TransactionErrorType,
)

from sidecar.sandbox.solana import programs
from sidecar.values import dataclass

SYSTEM = Pubkey.default()
# More than a rehearsal can spend on fees.
FEE_LAMPORTS = 10**15

# An error as the JSON-RPC writes it: a name, or one name with its fields.
ErrorJson: TypeAlias = str | dict[str, object]

BLOCKHASH_NOT_FOUND = "BlockhashNotFound"
ALREADY_PROCESSED = "AlreadyProcessed"


@dataclass(frozen=True, slots=True)
class Execution:
    """What running a transaction did."""

    error: ErrorJson | None
    logs: tuple[str, ...]
    units: int
    fee: int

    @property
    def lands(self) -> bool:
        """Whether a block takes it. A program that fails still pays; a name alone never got in."""
        return not isinstance(self.error, str)


def refused(name: str) -> Execution:
    """A transaction that was not run at all."""
    return Execution(name, (), 0, 0)


class Bank:
    """Accounts, and what can be done to them."""

    def __init__(self, mint: Pubkey, fee_payer: Pubkey) -> None:
        self._mint = mint
        # Without a history of its own: what was processed is remembered by the ledger.
        self._svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0)
        self._svm.set_account(mint, programs.mint_account(self.rent(programs.MINT_BYTES)))
        self._svm.set_account(fee_payer, Account(FEE_LAMPORTS, b"", SYSTEM))

    def rent(self, size: int) -> int:
        """The lamports that keep an account of this size."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def set_amount(self, owner: Pubkey, amount: int) -> None:
        """Let this owner's token account hold so much. It is made where there is none."""
        lamports = self.rent(programs.TOKEN_ACCOUNT_BYTES)
        address = programs.token_account_of(owner, self._mint)
        self._svm.set_account(address, programs.token_account(owner, self._mint, amount, lamports))

    def amount(self, address: Pubkey) -> int | None:
        """What this token account holds; None when it is none."""
        held = programs.held_in(self._svm.get_account(address))
        return None if held is None else held.amount

    def account(self, address: Pubkey) -> Account | None:
        """The account as it stands."""
        return self._svm.get_account(address)

    def lamports(self, address: Pubkey) -> int:
        """What this account could pay fees with."""
        return self._svm.get_balance(address) or 0

    def holdings(self, addresses: Sequence[Pubkey]) -> dict[Pubkey, TokenAccount]:
        """What those that are token accounts hold."""
        found = ((address, programs.held_in(self.account(address))) for address in addresses)
        return {address: held for address, held in found if held is not None}

    def simulate(self, transaction: VersionedTransaction, *, verify: bool = True) -> Execution:
        """What running it would do now."""
        with_signatures = self._svm.with_sigverify(verify)
        try:
            result = with_signatures.simulate_transaction(transaction)
        finally:
            self._svm.with_sigverify(True)
        if isinstance(result, FailedTransactionMetadata):
            return _execution(result.meta(), result.err())
        return _execution(result.meta(), None)

    def run(self, transaction: VersionedTransaction) -> Execution:
        """Run it; one that fails in a program has paid its fee."""
        result = self._svm.send_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return _execution(result.meta(), result.err())
        return _execution(result, None)


def _execution(meta: TransactionMetadata, error: TransactionErrorType | None) -> Execution:
    return Execution(
        error=None if error is None else _error_json(error),
        logs=tuple(meta.logs()),
        units=meta.compute_units_consumed(),
        fee=meta.fee(),
    )


def _error_json(error: TransactionErrorType) -> ErrorJson:
    match error:
        case TransactionErrorFieldless():
            return _name(error)
        case TransactionErrorInstructionError():
            inner = error.err
            if isinstance(inner, InstructionErrorCustom):
                return {"InstructionError": [error.index, {"Custom": inner.code}]}
            if isinstance(inner, InstructionErrorBorshIO):
                return {"InstructionError": [error.index, {"BorshIoError": inner.value}]}
            return {"InstructionError": [error.index, _name(inner)]}
        case TransactionErrorDuplicateInstruction():
            return {"DuplicateInstruction": error.index}
        case _:
            return {"InsufficientFundsForRent": {"account_index": error.account_index}}


def _name(member: object) -> str:
    return str(member).rpartition(".")[2]
