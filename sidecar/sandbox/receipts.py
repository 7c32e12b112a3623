"""Transactions as the chain reports them: logs and receipts.

A settled authorization leaves two logs, AuthorizationUsed and Transfer, in the order in which
Circle's contract emits them. A cancelled one leaves AuthorizationCanceled alone. A permit that is
used leaves Approval, of all that was permitted, and Transfer, of what was taken.
"""

from __future__ import annotations

from sidecar.sandbox.addresses import keccak256
from sidecar.sandbox.chain import Chain, Kind, Transaction
from sidecar.values import dataclass

# The account that submits, and pays the gas.
FACILITATOR = "0xb933664cf306f370cdcfb79169e11c4d903fe62a"

TRANSFER = "0x" + keccak256(b"Transfer(address,address,uint256)").hex()
AUTHORIZATION_USED = "0x" + keccak256(b"AuthorizationUsed(address,bytes32)").hex()
AUTHORIZATION_CANCELED = "0x" + keccak256(b"AuthorizationCanceled(address,bytes32)").hex()


APPROVAL = "0x" + keccak256(b"Approval(address,address,uint256)").hex()


@dataclass(frozen=True, slots=True)
class Log:
    """One event of the token."""

    address: str
    topics: tuple[str, ...]
    data: str
    transaction: Transaction
    index: int

    def to_json(self) -> dict[str, object]:
        """As eth_getLogs gives it."""
        return {
            "address": self.address,
            "topics": list(self.topics),
            "data": self.data,
            "blockNumber": hex(self.transaction.block.number),
            "blockHash": self.transaction.block.hash,
            "blockTimestamp": hex(self.transaction.block.timestamp),
            "transactionHash": self.transaction.hash,
            "transactionIndex": hex(self.transaction.index),
            "logIndex": hex(self.index),
            "removed": False,
        }


def logs_of(transaction: Transaction, chain: Chain) -> tuple[Log, ...]:
    """The events of this transaction, in order."""
    token = chain.asset.address.lower()
    transfer = transaction.transfer
    payer, payee = _padded(transfer.payer), _padded(transfer.payee)
    # Two to a transaction at most, so that every log of a block has an index of its own.
    index = 2 * transaction.index
    nonce = transfer.nonce.lower()
    if transaction.kind is Kind.CANCEL:
        return (Log(token, (AUTHORIZATION_CANCELED, payer, nonce), "0x", transaction, index),)
    moved = Log(token, (TRANSFER, payer, payee), _word(transfer.value), transaction, index + 1)
    permit = transaction.permit
    if permit is not None:
        topics = (APPROVAL, payer, _padded(permit.spender))
        return Log(token, topics, _word(permit.value), transaction, index), moved
    return Log(token, (AUTHORIZATION_USED, payer, nonce), "0x", transaction, index), moved


def receipt_of(transaction: Transaction, chain: Chain) -> dict[str, object]:
    """As eth_getTransactionReceipt gives it. What is in a block here has succeeded."""
    return {
        "transactionHash": transaction.hash,
        "transactionIndex": hex(transaction.index),
        "blockNumber": hex(transaction.block.number),
        "blockHash": transaction.block.hash,
        "from": FACILITATOR,
        "to": chain.asset.address.lower(),
        "contractAddress": None,
        "status": "0x1",
        "type": "0x2",
        "gasUsed": hex(95_600),
        "cumulativeGasUsed": hex(95_600 * (transaction.index + 1)),
        "effectiveGasPrice": hex(1_000_000),
        "logs": [log.to_json() for log in logs_of(transaction, chain)],
    }


def _word(number: int) -> str:
    return f"0x{number:064x}"


def _padded(address: str) -> str:
    return "0x" + address.removeprefix("0x").lower().rjust(64, "0")
