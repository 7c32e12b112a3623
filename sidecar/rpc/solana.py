"""What a Solana cluster is asked, as Exchanges over JSON-RPC.

An endpoint may be many nodes behind one name, some of them late. So what is read after another
thing names the slot that it must have seen at least (``since_slot``): a late node then fails,
and does not say "nothing there". Source: x402.md 3.4, money-safety.md (Solana).
"""

from __future__ import annotations

import base64
import re
from typing import Any, Literal, TypeAlias

from sidecar.base58 import ALPHABET, encode
from sidecar.errors import RemoteProtocolError
from sidecar.money import Usdc
from sidecar.rpc.jsonrpc import Asks, ask
from sidecar.values import dataclass

Commitment: TypeAlias = Literal["confirmed", "finalized"]

TRANSACTION_BYTES_MAX = 1_232
SIGNATURE_BYTES = 64
NETWORK_LETTERS = 32

_KEY = re.compile(rf"[{ALPHABET}]{{32,44}}")
_SIGNATURE = re.compile(rf"[{ALPHABET}]{{64,88}}")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_U64_MAX = 2**64 - 1
# How a node says that nobody has made this token account yet.
_NO_ACCOUNT = "getTokenAccountBalance failed: Invalid param: could not find account (-32602)"


@dataclass(frozen=True, slots=True)
class LatestBlockhash:
    """What a transaction names to be fresh, and the last block that takes it."""

    blockhash: str
    last_valid_block_height: int


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest block of a commitment. Slots count time, and heights count blocks."""

    slot: int
    block_height: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A transaction in an account's history. None: the endpoint does not say."""

    signature: str
    slot: int
    failed: bool
    memo: str | None  # every memo in it, each behind its length: "[5] inv-1"
    block_time: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that was executed, and the bytes that its signers signed."""

    failed: bool
    message: bytes


def network(url: str) -> Asks[str]:
    """The CAIP-2 id of the cluster behind this endpoint: the start of its genesis hash."""
    genesis = _key((yield from ask(url, "getGenesisHash", [])), "the genesis hash")
    return f"solana:{genesis[:NETWORK_LETTERS]}"


def latest_blockhash(url: str) -> Asks[LatestBlockhash]:
    """A blockhash to sign under now.

    A confirmed one: a finalized one has lost a fifth of its life already, and a seller may want
    all of it, since it settles after it has served.
    """
    answer = yield from ask(url, "getLatestBlockhash", [{"commitment": "confirmed"}])
    value = _object(_value(answer, "getLatestBlockhash"), "getLatestBlockhash")
    return LatestBlockhash(
        _key(value.get("blockhash"), "a blockhash"),
        _count(value.get("lastValidBlockHeight"), "lastValidBlockHeight"),
    )


def tip(url: str, commitment: Commitment) -> Asks[Tip]:
    """The newest block that is so sure: its slot and its height, read at one moment."""
    answer = yield from ask(url, "getEpochInfo", [{"commitment": commitment}])
    info = _object(answer, "getEpochInfo")
    return Tip(
        _count(info.get("absoluteSlot"), "absoluteSlot"),
        _count(info.get("blockHeight"), "blockHeight"),
    )


def block_time(url: str, slot: int) -> Asks[int]:
    """When the block in this slot was made, in seconds since the epoch."""
    return _count((yield from ask(url, "getBlockTime", [slot])), "a block's time")


def first_available_block(url: str) -> Asks[int]:
    """The first slot that this endpoint has not forgotten; it knows no history before."""
    return _count((yield from ask(url, "getFirstAvailableBlock", [])), "the first block")


def is_blockhash_valid(
    url: str, blockhash: str, commitment: Commitment, since_slot: int
) -> Asks[bool]:
    """Whether a transaction under this blockhash could still get into a block."""
    config = {"commitment": commitment, "minContextSlot": since_slot}
    answer = yield from ask(url, "isBlockhashValid", [blockhash, config])
    valid = _value(answer, "isBlockhashValid")
    if not isinstance(valid, bool):
        raise RemoteProtocolError("isBlockhashValid is neither true nor false")
    return valid


def token_balance(url: str, account: str, decimals: int) -> Asks[Usdc]:
    """What this token account holds; zero where nobody has made it yet."""
    try:
        answer = yield from ask(
            url, "getTokenAccountBalance", [account, {"commitment": "confirmed"}]
        )
    except RemoteProtocolError as fault:
        if fault.diagnostics() == _NO_ACCOUNT:
            return Usdc(0)
        raise
    value = _object(_value(answer, "getTokenAccountBalance"), "getTokenAccountBalance")
    amount = value.get("amount")
    if type(value.get("decimals")) is not int or value["decimals"] != decimals:
        raise RemoteProtocolError("a balance with other decimals than the token's")
    if not isinstance(amount, str) or _AMOUNT.fullmatch(amount) is None:
        raise RemoteProtocolError("a balance that is not an amount")
    return Usdc(int(amount))


def signatures_for_address(
    url: str, address: str, before: str, limit: int, commitment: Commitment, since_slot: int
) -> Asks[tuple[HistoryEntry, ...]]:
    """A page of an account's history, newest first, from before ``before``; "" is the newest.

    An account that does not exist has an empty one.
    """
    page = {"before": before} if before else {}
    config = {"limit": limit, "commitment": commitment, "minContextSlot": since_slot, **page}
    answer = yield from ask(url, "getSignaturesForAddress", [address, config])
    if not isinstance(answer, list) or len(answer) > limit:
        raise RemoteProtocolError("a history that is not an array of the length asked for")
    entries = tuple([_entry(item, commitment) for item in answer])
    slots = [entry.slot for entry in entries]
    if slots != sorted(slots, reverse=True) or before in {entry.signature for entry in entries}:
        raise RemoteProtocolError("a history that is not in order, newest first")
    return entries


def transaction(url: str, signature: str, commitment: Commitment) -> Asks[Transaction]:
    """The transaction with this id. RemoteProtocolError where the endpoint has none."""
    config = {
        "encoding": "base64",
        "commitment": commitment,
        "maxSupportedTransactionVersion": 0,
    }
    answer = yield from ask(url, "getTransaction", [signature, config])
    match answer:
        case {"transaction": [str(text), "base64"], "meta": {"err": fault}}:
            return Transaction(fault is not None, _message(text, signature))
        case _:
            # Null as well: it was in the history, so it cannot be that there is none.
            raise RemoteProtocolError("the endpoint does not have a transaction of its history")


def token_change(
    url: str, signature: str, owner: str, mint: str, commitment: Commitment
) -> Asks[int]:
    """By how much this transaction changed what the owner holds of the mint, in atomic units."""
    config = {
        "encoding": "base64",
        "commitment": commitment,
        "maxSupportedTransactionVersion": 0,
    }
    answer = yield from ask(url, "getTransaction", [signature, config])
    match answer:
        case {"meta": {"preTokenBalances": list(before), "postTokenBalances": list(after)}}:
            return _held(after, owner, mint) - _held(before, owner, mint)
        case _:
            raise RemoteProtocolError("a transaction without what it did to token balances")


def _held(balances: list[Any], owner: str, mint: str) -> int:
    total = 0
    for balance in balances:
        match balance:
            case {
                "owner": str(holder),
                "mint": str(token),
                "uiTokenAmount": {"amount": str(amount)},
            } if _AMOUNT.fullmatch(amount):
                total += int(amount) if (holder, token) == (owner, mint) else 0
            case _:
                raise RemoteProtocolError("a token balance that lacks something")
    return total


def _message(text: str, signature: str) -> bytes:
    """What was signed: all that follows the signatures, the first of which is the id."""
    if _BASE64.fullmatch(text) is None:
        raise RemoteProtocolError("a transaction that is not in base64")
    wire = base64.b64decode(text)
    signed_from = 1 + SIGNATURE_BYTES * wire[0] if wire else 0
    # Their number is written in seven bits to a byte; so many signatures would not fit anyhow.
    if not 1 < signed_from < len(wire) <= TRANSACTION_BYTES_MAX:
        raise RemoteProtocolError("a transaction that is not whole")
    if encode(wire[1 : 1 + SIGNATURE_BYTES]) != signature:
        raise RemoteProtocolError("another transaction than the one asked for")
    return wire[signed_from:]


def _entry(value: Any, commitment: Commitment) -> HistoryEntry:
    match value:
        case {
            "signature": str(signature),
            "slot": slot,
            "err": fault,
            "confirmationStatus": str(status),
        } if _SIGNATURE.fullmatch(signature):
            pass
        case _:
            raise RemoteProtocolError("a history with an entry that lacks something")
    if status not in {commitment, "finalized"}:
        raise RemoteProtocolError(f"a history with what is not {commitment}")
    memo, at = value.get("memo"), value.get("blockTime")
    if not isinstance(memo, str | None):
        raise RemoteProtocolError("a history with a memo that is not text")
    return HistoryEntry(
        signature=signature,
        slot=_count(slot, "a slot"),
        failed=fault is not None,
        memo=memo,
        block_time=None if at is None else _count(at, "a block's time"),
    )


def _value(answer: Any, what: str) -> Any:
    answer = _object(answer, what)
    if "value" not in answer:
        raise RemoteProtocolError(f"{what} was answered without a value")
    return answer["value"]


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{what} was not answered with an object")
    return value


def _count(value: Any, what: str) -> int:
    # True is an int to Python, and 1.0 is equal to one.
    if type(value) is not int or not 0 <= value <= _U64_MAX:
        raise RemoteProtocolError(f"{what} is not a whole number")
    return value


def _key(value: Any, what: str) -> str:
    if not isinstance(value, str) or _KEY.fullmatch(value) is None:
        raise RemoteProtocolError(f"{what} is not 32 bytes in base58")
    return value
