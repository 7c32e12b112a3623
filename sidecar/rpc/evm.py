"""What an EVM chain is asked, as Exchanges over JSON-RPC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sidecar.errors import LocalProtocolError, RemoteProtocolError
from sidecar.money import Usdc
from sidecar.rpc.jsonrpc import Asks, ask
from sidecar.values import dataclass

# keccak256 of each signature (functions: the first four bytes); a test computes them.
AUTHORIZATION_STATE = "0xe94a0102"  # authorizationState(address,bytes32)
BALANCE_OF = "0x70a08231"  # balanceOf(address)
NONCES = "0x7ecebe00"  # nonces(address)
AUTHORIZATION_USED = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
AUTHORIZATION_CANCELED = "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81"
APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

TAGS = frozenset({"latest", "safe", "finalized"})

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_WORD = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
# JSON-RPC writes quantities without leading zeros; these fit in 64 bits.
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,15})", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its number, and its time in seconds since the epoch."""

    number: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class AuthorizationEvent:
    """The end of an authorization's life: used by a transfer, or canceled by its payer."""

    canceled: bool
    transaction: str
    block_number: int


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """An allowance that an owner gave: by a Permit, or by a transaction of its own."""

    spender: str  # in lower case
    value: int
    transaction: str
    block_number: int


@dataclass(frozen=True, slots=True)
class TransferEvent:
    """Tokens that left an address: to whom, and how many, in atomic units."""

    payee: str
    value: int
    transaction: str
    block_number: int


def chain_id(url: str) -> Asks[int]:
    """The EIP-155 id of the chain behind this endpoint."""
    return _quantity((yield from ask(url, "eth_chainId", [])), "eth_chainId")


def block(url: str, name: str) -> Asks[Block]:
    """A block by tag (latest, safe, finalized) or by number, as a hexadecimal quantity."""
    found = yield from ask(url, "eth_getBlockByNumber", [_block_name(name), False])
    if not isinstance(found, dict):
        raise RemoteProtocolError(f"the chain has no block {name}")
    number = _quantity(found.get("number"), "a block's number")
    if name not in TAGS and number != int(name, 16):
        raise RemoteProtocolError(f"the chain answered block {number} for block {name}")
    return Block(number, _quantity(found.get("timestamp"), "a block's timestamp"))


def authorization_state(
    url: str, asset: str, authorizer: str, nonce: str, block_name: str
) -> Asks[bool]:
    """Whether the token counts this nonce as used, at that block; canceled ones count as well."""
    data = AUTHORIZATION_STATE + _address_word(authorizer) + _nonce(nonce)[2:]
    word = yield from _call(url, asset, data, block_name)
    if word not in {0, 1}:
        raise RemoteProtocolError("authorizationState is neither of the two words for a bool")
    return word == 1


def nonces(url: str, asset: str, owner: str, block_name: str) -> Asks[int]:
    """The number that the owner's next Permit must have, at that block."""
    return (yield from _call(url, asset, NONCES + _address_word(owner), block_name))


def balance_of(url: str, asset: str, address: str) -> Asks[Usdc]:
    """What this address holds, in the latest block."""
    return Usdc((yield from _call(url, asset, BALANCE_OF + _address_word(address), "latest")))


def authorization_logs(
    url: str, asset: str, authorizer: str, nonce: str, from_block: int, to_block: int
) -> Asks[tuple[AuthorizationEvent, ...]]:
    """What became of an authorization in these blocks, both ends included; empty: nothing."""
    kinds = [AUTHORIZATION_USED, AUTHORIZATION_CANCELED]
    indexed = ["0x" + _address_word(authorizer), _nonce(nonce)]
    found = yield from _search(url, asset, kinds, indexed, from_block, to_block)
    return tuple(
        AuthorizationEvent(log.topics[0] == AUTHORIZATION_CANCELED, transaction, number)
        for log, transaction, number in found
    )


def approval_logs(
    url: str, asset: str, owner: str, from_block: int, to_block: int
) -> Asks[tuple[ApprovalEvent, ...]]:
    """The allowances that this owner gave in these blocks, both ends included, to anybody."""
    indexed = ["0x" + _address_word(owner), None]
    found = yield from _search(url, asset, [APPROVAL], indexed, from_block, to_block)
    return tuple(
        ApprovalEvent(_address_in(log.topics[2]), _number_in(log.data), transaction, number)
        for log, transaction, number in found
    )


def transfers_from(
    url: str, asset: str, payer: str, from_block: int, to_block: int
) -> Asks[tuple[TransferEvent, ...]]:
    """Whatever left this address in these blocks, both ends included."""
    indexed = ["0x" + _address_word(payer), None]
    found = yield from _search(url, asset, [TRANSFER], indexed, from_block, to_block)
    return tuple(
        TransferEvent(_address_in(log.topics[2]), _number_in(log.data), transaction, number)
        for log, transaction, number in found
    )


def transfer_in(
    url: str, transaction: str, asset: str, payer: str, payee: str, value: int
) -> Asks[bool]:
    """Whether this transaction succeeded and moved exactly that."""
    if _WORD.fullmatch(transaction) is None:
        raise LocalProtocolError("not the hash of a transaction")
    receipt = yield from ask(url, "eth_getTransactionReceipt", [transaction])
    if not isinstance(receipt, dict):
        # Not mined, dropped, or not seen by this node yet: it did not say that nothing moved.
        raise RemoteProtocolError("the chain has no receipt for this transaction")
    if _word(receipt.get("transactionHash"), "a receipt's transaction") != transaction.lower():
        raise RemoteProtocolError("a receipt of another transaction")
    status = receipt.get("status")
    if status not in ("0x0", "0x1"):
        raise RemoteProtocolError("a receipt without a status")
    parties = ["0x" + _address_word(payer), "0x" + _address_word(payee)]
    transfer = (_address(asset), [TRANSFER, *parties], f"0x{value:064x}")
    logs = _logs(receipt.get("logs"))
    return status == "0x1" and any((log.address, log.topics, log.data) == transfer for log in logs)


def _search(
    url: str,
    contract: str,
    kinds: list[str],
    indexed: Sequence[str | None],
    from_block: int,
    to_block: int,
) -> Asks[list[tuple[_Log, str, int]]]:
    """The contract's logs of these kinds and indexed words (None: any), in these blocks.

    Each comes with its transaction and its block.
    """
    span = {"fromBlock": hex(from_block), "toBlock": hex(to_block)}
    wanted = {"address": _address(contract), "topics": [kinds, *indexed], **span}
    found = []
    for log in _logs((yield from ask(url, "eth_getLogs", [wanted]))):
        kind, *words = log.topics or [""]
        number = _quantity(log.original.get("blockNumber"), "a log's block")
        # An endpoint that leaves the filter out would have us read another payment's fate.
        if (
            log.address != contract.lower()
            or kind not in kinds
            or len(words) != len(indexed)
            or any(
                word not in (found_word, None)
                for word, found_word in zip(indexed, words, strict=True)
            )
            or not from_block <= number <= to_block
            or log.original.get("removed") not in (None, False)
        ):
            raise RemoteProtocolError("eth_getLogs answered a log that was not asked for")
        transaction = _word(log.original.get("transactionHash"), "a log's transaction")
        found.append((log, transaction, number))
    return found


def _call(url: str, contract: str, data: str, block_name: str) -> Asks[int]:
    """A contract's answer that is one 32-byte word."""
    call = {"to": _address(contract), "data": data}
    answer = yield from ask(url, "eth_call", [call, _block_name(block_name)])
    return int(_word(answer, "eth_call's answer"), 16)


@dataclass(frozen=True, slots=True)
class _Log:
    """A log in lower case, so that it can be compared."""

    address: str
    topics: list[str]
    data: str
    original: dict[str, Any]


def _logs(value: Any) -> list[_Log]:
    if not isinstance(value, list):
        raise RemoteProtocolError("logs that are not an array")
    return [_log(log) for log in value]


def _log(value: Any) -> _Log:
    match value:
        case {"address": str(address), "topics": list(topics), "data": str(data)} if (
            _ADDRESS.fullmatch(address) and _DATA.fullmatch(data)
        ):
            words = [_word(topic, "a log's topic") for topic in topics]
            return _Log(address.lower(), words, data.lower(), value)
        case _:
            raise RemoteProtocolError("a log without address, topics or data")


def _word(value: Any, what: str) -> str:
    if not isinstance(value, str) or _WORD.fullmatch(value) is None:
        raise RemoteProtocolError(f"{what} is not 32 bytes")
    return value.lower()


def _address_in(word: str) -> str:
    if not word.startswith("0x" + "0" * 24):
        raise RemoteProtocolError("a log's address is longer than 20 bytes")
    return "0x" + word[26:]


def _number_in(data: str) -> int:
    return int(_word(data, "a log's number"), 16)


def _quantity(value: Any, what: str) -> int:
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise RemoteProtocolError(f"{what} is not a quantity")
    return int(value, 16)


def _block_name(name: str) -> str:
    if name not in TAGS and _QUANTITY.fullmatch(name) is None:
        raise LocalProtocolError(f"not a block: {name!r}")
    return name


def _address(address: str) -> str:
    if _ADDRESS.fullmatch(address) is None:
        raise LocalProtocolError("not an EVM address: 0x and 40 hexadecimal digits")
    return address.lower()


def _address_word(address: str) -> str:
    return "0" * 24 + _address(address)[2:]


def _nonce(nonce: str) -> str:
    if _WORD.fullmatch(nonce) is None:
        raise LocalProtocolError("not a nonce of 32 bytes")
    return nonce.lower()
