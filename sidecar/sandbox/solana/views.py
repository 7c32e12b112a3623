"""Accounts and transactions as Solana's JSON-RPC shows them."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from solders.account import Account
from solders.message import Message, MessageHeader
from solders.pubkey import Pubkey
from solders.token.state import TokenAccount

from sidecar.sandbox.jsonrpc import INVALID_PARAMS, RpcError
from sidecar.sandbox.solana import base58, programs
from sidecar.sandbox.solana.bank import ErrorJson, Execution
from sidecar.sandbox.solana.history import Landed
from sidecar.sandbox.solana.instructions import Instruction, instructions_of

BASE58_ACCOUNT_BYTES_MAX = 128
INVALID_REQUEST = -32600


def ui_amount(amount: int) -> dict[str, object]:
    """An amount of tokens, in every form that readers want."""
    exact = f"{amount // 10**programs.DECIMALS}.{amount % 10**programs.DECIMALS:06d}"
    return {
        "amount": str(amount),
        "decimals": programs.DECIMALS,
        "uiAmount": amount / 10**programs.DECIMALS,
        "uiAmountString": exact.rstrip("0").rstrip("."),
    }


def account(found: Account, encoding: str) -> dict[str, object]:
    """An account, its data in this encoding."""
    return {
        "data": _data(found, encoding),
        "executable": found.executable,
        "lamports": found.lamports,
        "owner": str(found.owner),
        # What every account that pays no rent has.
        "rentEpoch": 2**64 - 1,
        "space": len(found.data),
    }


def simulated(found: Execution) -> dict[str, object]:
    """What simulateTransaction says, and a preflight that fails."""
    return {
        "err": found.error,
        "logs": list(found.logs),
        "accounts": None,
        "unitsConsumed": found.units,
        "returnData": None,
    }


def sentence(error: ErrorJson) -> str:
    """An error as validators word it."""
    match error:
        case "BlockhashNotFound":
            return "Blockhash not found"
        case "AlreadyProcessed":
            return "This transaction has already been processed"
        case {"InstructionError": [int(index), {"Custom": int(code)}]}:
            return f"Error processing Instruction {index}: custom program error: {code:#x}"
        case _:
            return str(error)


def transaction(landed: Landed, encoding: str) -> dict[str, object]:
    """A transaction with its effects, as getTransaction gives it."""
    return {
        "slot": landed.block.slot,
        "blockTime": landed.block.timestamp,
        "version": "legacy" if _is_legacy(landed) else 0,
        "transaction": _encoded(landed, encoding),
        "meta": _meta(landed),
    }


def _data(found: Account, encoding: str) -> object:
    held = programs.held_in(found)
    match encoding:
        case "base64":
            return [base64.b64encode(found.data).decode(), "base64"]
        case "jsonParsed" if held is not None:
            return _parsed("spl-token", "account", _holding(held), len(found.data))
        case "jsonParsed" if found.owner == programs.TOKEN:
            info: dict[str, object] = {"decimals": programs.DECIMALS, "isInitialized": True}
            return _parsed("spl-token", "mint", info, len(found.data))
        case "jsonParsed":
            return [base64.b64encode(found.data).decode(), "base64"]
        case "base58" | "binary" if len(found.data) <= BASE58_ACCOUNT_BYTES_MAX:
            text = base58.encoded(found.data)
            return text if encoding == "binary" else [text, "base58"]
        case "base58" | "binary":
            sentence = (
                "Encoded binary (base 58) data should be less than 128 bytes, "
                "please use Base64 encoding."
            )
            raise RpcError(INVALID_REQUEST, sentence)
        case _:
            raise RpcError(INVALID_PARAMS, f"unknown encoding: {encoding[:50]}")


def _parsed(program: str, kind: str, info: Mapping[str, object], space: int) -> dict[str, object]:
    return {"program": program, "parsed": {"type": kind, "info": info}, "space": space}


def _holding(held: TokenAccount) -> dict[str, object]:
    return {
        "isNative": False,
        "mint": str(held.mint),
        "owner": str(held.owner),
        "state": "initialized",
        "tokenAmount": ui_amount(held.amount),
    }


# --- transactions ---


def _is_legacy(landed: Landed) -> bool:
    return isinstance(landed.transaction.message, Message)


def _encoded(landed: Landed, encoding: str) -> object:
    raw = bytes(landed.transaction)
    match encoding:
        case "base64":
            return [base64.b64encode(raw).decode(), "base64"]
        case "base58":
            return [base58.encoded(raw), "base58"]
        case "json" | "jsonParsed":
            signatures = [str(signature) for signature in landed.transaction.signatures]
            return {"signatures": signatures, "message": _message(landed, encoding)}
        case _:
            raise RpcError(INVALID_PARAMS, f"unknown encoding: {encoding[:50]}")


def _message(landed: Landed, encoding: str) -> dict[str, object]:
    message = landed.transaction.message
    keys = message.account_keys
    shown: dict[str, object] = {"recentBlockhash": str(message.recent_blockhash)}
    if not _is_legacy(landed):
        shown["addressTableLookups"] = []
    if encoding == "jsonParsed":
        shown["accountKeys"] = [
            {
                "pubkey": str(key),
                "signer": message.is_signer(index),
                "writable": _is_writable(message.header, index, len(keys)),
                "source": "transaction",
            }
            for index, key in enumerate(keys)
        ]
        shown["instructions"] = [_parsed_instruction(one) for one in instructions_of(message)]
        return shown
    header = message.header
    shown["accountKeys"] = [str(key) for key in keys]
    shown["header"] = {
        "numRequiredSignatures": header.num_required_signatures,
        "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
        "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
    }
    shown["instructions"] = [
        {
            "programIdIndex": compiled.program_id_index,
            "accounts": list(compiled.accounts),
            "data": base58.encoded(compiled.data),
            "stackHeight": 1,
        }
        for compiled in message.instructions
    ]
    return shown


def _is_writable(header: MessageHeader, index: int, count: int) -> bool:
    signers = header.num_required_signatures
    if index < signers:
        return index < signers - header.num_readonly_signed_accounts
    return index < count - header.num_readonly_unsigned_accounts


def _parsed_instruction(found: Instruction) -> dict[str, object]:
    program = {"programId": str(found.program), "stackHeight": 1}
    if found.program == programs.MEMO:
        return {**program, "program": "spl-memo", "parsed": found.data.decode("utf-8", "replace")}
    if (
        found.program == programs.TOKEN
        and len(found.data) == 10
        and found.data[0] == programs.TRANSFER_CHECKED
        and len(found.accounts) == 4
    ):
        source, mint, destination, authority = (str(address) for address in found.accounts)
        info = {
            "source": source,
            "mint": mint,
            "destination": destination,
            "authority": authority,
            "tokenAmount": ui_amount(int.from_bytes(found.data[1:9], "little")),
        }
        return {
            **program,
            "program": "spl-token",
            "parsed": {"type": "transferChecked", "info": info},
        }
    return {
        **program,
        "accounts": [str(address) for address in found.accounts],
        "data": base58.encoded(found.data),
    }


def _meta(landed: Landed) -> dict[str, object]:
    execution = landed.execution
    lamports_before, lamports_after = landed.lamports
    before, after = landed.holdings
    return {
        "err": execution.error,
        "status": {"Ok": None} if execution.error is None else {"Err": execution.error},
        "fee": execution.fee,
        "preBalances": list(lamports_before),
        "postBalances": list(lamports_after),
        "preTokenBalances": _token_balances(landed, before),
        "postTokenBalances": _token_balances(landed, after),
        "innerInstructions": [],
        "logMessages": list(execution.logs),
        "rewards": [],
        "loadedAddresses": {"writable": [], "readonly": []},
        "computeUnitsConsumed": execution.units,
    }


def _token_balances(
    landed: Landed, holdings: Mapping[Pubkey, TokenAccount]
) -> list[dict[str, object]]:
    return [
        {
            "accountIndex": index,
            "mint": str(holdings[key].mint),
            "owner": str(holdings[key].owner),
            "programId": str(programs.TOKEN),
            "uiTokenAmount": ui_amount(holdings[key].amount),
        }
        for index, key in enumerate(landed.transaction.message.account_keys)
        if key in holdings
    ]
