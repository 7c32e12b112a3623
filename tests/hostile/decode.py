"""What a signature is good for, read by libraries that our wallets do not use for it.

On EVM the signer is recovered over typed data that is built here from the token's own domain; on
Solana the transaction is taken apart instruction by instruction. ``Unsound`` where a signature is
for anything but one plain USDC payment.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from tests.hostile.case import BASE, MINT, SOLANA, USDC, Offer
from tests.hostile.wallets import EVM_ADDRESS, SOLANA_ADDRESS

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"

DOMAIN = {"name": "USD Coin", "version": "2", "chainId": 8453, "verifyingContract": USDC}
TRANSFER = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}
PERMIT = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}


class Unsound(Exception):
    """A signature that no policy allows."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was signed: ``scheme`` is exact for a transfer and upto for an allowance."""

    offer: Offer
    valid_after: int
    valid_before: int | None  # None: its blockhash ends it
    blockhash: str = ""


def decode(payload: dict[str, Any], payees: Iterable[str]) -> Deed:
    """What this payload is good for. ``payees``: whose token accounts are known, on Solana."""
    if "transaction" in payload:
        return _solana(payload["transaction"], payees)
    return _evm(payload["signature"], payload["authorization"])


def _evm(signature: str, words: dict[str, str]) -> Deed:
    value, until = int(words["value"]), int(words["validBefore"])
    transfer = {
        "from": words["from"],
        "to": words["to"],
        "value": value,
        "validAfter": int(words["validAfter"]),
        "validBefore": until,
        "nonce": bytes.fromhex(words["nonce"][2:]),
    }
    if _recovers(TRANSFER, transfer, signature):
        offer = Offer("exact", BASE, words["to"], value)
        return Deed(offer, int(words["validAfter"]), until)
    permit = {
        "owner": words["from"],
        "spender": words["to"],
        "value": value,
        "nonce": int(words["nonce"], 16),
        "deadline": until,
    }
    if _recovers(PERMIT, permit, signature):
        return Deed(Offer("upto", BASE, words["to"], value), 0, until)
    raise Unsound("a signature of ours for something else than USDC on Base")


def _recovers(types: dict[str, Any], message: dict[str, Any], signature: str) -> bool:
    signable = encode_typed_data(DOMAIN, types, message)
    return bool(EVM_ADDRESS == Account.recover_message(signable, signature=signature))


def _solana(transaction: str, payees: Iterable[str]) -> Deed:
    parsed = VersionedTransaction.from_bytes(base64.b64decode(transaction, validate=True))
    message = parsed.message
    keys = [str(key) for key in message.account_keys]
    signed = to_bytes_versioned(message)
    us = Pubkey.from_string(SOLANA_ADDRESS)
    if not isinstance(message, MessageV0) or message.address_table_lookups:
        raise Unsound("a message of another version, or with accounts out of a lookup table")
    if message.header.num_required_signatures != 2 or keys[1] != SOLANA_ADDRESS:
        raise Unsound("our key is not the second of two signers: it would pay the fee")
    if not parsed.signatures[1].verify(us, signed):
        raise Unsound("a signature that is not ours")
    transfers = []
    for instruction in message.instructions:
        program = keys[instruction.program_id_index]
        accounts = [keys[index] for index in instruction.accounts]
        if program == TOKEN:
            transfers.append((bytes(instruction.data), accounts))
        elif program == MEMO:
            if accounts or len(instruction.data) > 256:
                raise Unsound("a memo with accounts, or of over 256 bytes")
        elif program != COMPUTE_BUDGET:
            raise Unsound(f"an instruction to the program {program}")
    if len(transfers) != 1:
        raise Unsound(f"{len(transfers)} transfers")
    return Deed(_transfer(*transfers[0], payees), 0, None, str(message.recent_blockhash))


def _transfer(data: bytes, accounts: list[str], payees: Iterable[str]) -> Offer:
    # TransferChecked, its amount in eight bytes, and six decimals.
    if len(data) != 10 or data[0] != 12 or data[9] != 6:
        raise Unsound("an instruction of the Token program that is no transfer of USDC")
    source, mint, destination, owner = accounts
    if (source, mint, owner) != (account_of(SOLANA_ADDRESS), MINT, SOLANA_ADDRESS):
        raise Unsound("a transfer of another token, or out of another account")
    owners = {account_of(payee): payee for payee in payees}
    amount = int.from_bytes(data[1:9], "little")
    return Offer("exact", SOLANA, owners.get(destination, f"owner of {destination}"), amount)


def account_of(owner: str) -> str:
    """Where this owner's USDC is on Solana."""
    seeds = [bytes(Pubkey.from_string(key)) for key in (owner, TOKEN, MINT)]
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(ASSOCIATED))[0])
