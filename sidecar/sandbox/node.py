"""The sandbox chain's JSON-RPC endpoint, POST /rpc, as a public node would serve it.

Only what reading a token takes: blocks, eth_call on USDC, logs, receipts. It is as unforgiving as
public nodes are: an unknown block is an error, and a range of logs has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiohttp import web

from sidecar.sandbox import jsonrpc
from sidecar.sandbox.addresses import is_address
from sidecar.sandbox.chain import Block, Chain
from sidecar.sandbox.jsonrpc import INVALID_PARAMS, Methods, Params, RpcError, at, object_in
from sidecar.sandbox.receipts import Log, logs_of, receipt_of
from sidecar.sandbox.signatures import domain_separator

SERVER_ERROR = -32000
LIMIT_EXCEEDED = -32005
EXECUTION_REVERTED = 3

AUTHORIZATION_STATE = "e94a0102"
BALANCE_OF = "70a08231"
DECIMALS = "313ce567"
DOMAIN_SEPARATOR = "3644e515"
NONCES = "7ecebe00"
ALLOWANCE = "dd62ed3e"

_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,15})", re.ASCII)
_WORD = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


class Node:
    """Answers JSON-RPC requests about one chain."""

    def __init__(self, chain: Chain, *, logs_range_max: int) -> None:
        self._chain = chain
        self._logs_range_max = logs_range_max
        self._methods: Methods = {
            "eth_chainId": lambda _: hex(chain.asset.chain_id),
            "net_version": lambda _: str(chain.asset.chain_id),
            "web3_clientVersion": lambda _: "x402-sidecar-sandbox",
            "eth_syncing": lambda _: False,
            "eth_blockNumber": lambda _: hex(chain.head().number),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_call": self._call,
            "eth_getCode": self._code,
            "eth_getLogs": self._logs,
            "eth_getTransactionReceipt": self._receipt,
        }

    async def serve(self, request: web.Request) -> web.Response:
        """One request or a batch."""
        return await jsonrpc.serve(request, self._methods)

    def answer(self, entry: object) -> dict[str, object]:
        """The response to one request."""
        return jsonrpc.answer(entry, self._methods)

    # --- methods ---

    def _block_by_number(self, params: Params) -> object:
        block = self._tagged(at(params, 0))
        if block is None:
            return None
        transactions = self._chain.transactions(block.number, block.number)
        parent = Block(block.number - 1, block.timestamp - 1)
        return {
            "number": hex(block.number),
            "hash": block.hash,
            "parentHash": parent.hash,
            "timestamp": hex(block.timestamp),
            "transactions": [found.hash for found in transactions],
            "gasLimit": hex(30_000_000),
            "gasUsed": hex(95_600 * len(transactions)),
            "baseFeePerGas": hex(1_000_000),
        }

    def _call(self, params: Params) -> object:
        call = object_in(at(params, 0))
        block = self._known(params[1] if len(params) > 1 else "latest")
        if str(call.get("to")).lower() != self._chain.asset.address.lower():
            return "0x"
        data = str(call.get("input", call.get("data", ""))).removeprefix("0x").lower()
        selector, words = data[:8], data[8:]
        if selector == AUTHORIZATION_STATE and len(words) == 128:
            used = self._chain.authorization_used(_address_in(words[:64]), "0x" + words[64:], block)
            return _word(int(used))
        if selector == BALANCE_OF and len(words) == 64:
            return _word(self._chain.balance(_address_in(words), block).atomic)
        if selector == NONCES and len(words) == 64:
            return _word(self._chain.nonce(_address_in(words), block))
        if selector == ALLOWANCE and len(words) == 128:
            owner, spender = _address_in(words[:64]), _address_in(words[64:])
            return _word(self._chain.allowance(owner, spender, block))
        if selector == DECIMALS:
            return _word(self._chain.asset.decimals)
        if selector == DOMAIN_SEPARATOR:
            return "0x" + domain_separator(self._chain.asset).hex()
        raise RpcError(EXECUTION_REVERTED, "execution reverted")

    def _code(self, params: Params) -> object:
        token = self._chain.asset.address.lower()
        return "0x60806040" if str(at(params, 0)).lower() == token else "0x"

    def _logs(self, params: Params) -> object:
        query = object_in(at(params, 0))
        if "blockHash" in query:
            raise RpcError(INVALID_PARAMS, "ask for a range of blocks")
        first = self._known(query.get("fromBlock", "latest")).number
        last_block = self._tagged(query.get("toBlock", "latest"))
        last = self._chain.head().number if last_block is None else last_block.number
        if first > last:
            raise RpcError(INVALID_PARAMS, "fromBlock is after toBlock")
        if last - first >= self._logs_range_max:
            raise RpcError(LIMIT_EXCEEDED, f"at most {self._logs_range_max} blocks at once")
        return [
            log.to_json()
            for transaction in self._chain.transactions(first, last)
            for log in logs_of(transaction, self._chain)
            if _wanted(log, query)
        ]

    def _receipt(self, params: Params) -> object:
        transaction = self._chain.find(str(at(params, 0)))
        return None if transaction is None else receipt_of(transaction, self._chain)

    # --- blocks ---

    def _tagged(self, tag: object) -> Block | None:
        match tag:
            case "latest" | "pending":
                return self._chain.head()
            case "safe":
                return self._chain.safe()
            case "finalized":
                return self._chain.finalized()
            case "earliest":
                return self._chain.block(0)
            case str() if _QUANTITY.fullmatch(tag):
                return self._chain.block(int(tag, 16))
            case _:
                raise RpcError(INVALID_PARAMS, f"not a block: {str(tag)[:100]}")

    def _known(self, tag: object) -> Block:
        block = self._tagged(tag)
        if block is None:
            raise RpcError(SERVER_ERROR, "header not found")
        return block


def _word(number: int) -> str:
    return f"0x{number:064x}"


def _address_in(word: str) -> str:
    # Solidity reverts on an address whose upper twelve bytes are not zero.
    address = "0x" + word[24:]
    if word[:24] != "0" * 24 or not is_address(address):
        raise RpcError(EXECUTION_REVERTED, "execution reverted")
    return address


def _wanted(log: Log, query: Mapping[str, object]) -> bool:
    addresses = query.get("address")
    if addresses is not None:
        accepted = addresses if isinstance(addresses, list) else [addresses]
        if log.address.lower() not in [str(address).lower() for address in accepted]:
            return False
    topics = query.get("topics") or []
    if not isinstance(topics, list):
        raise RpcError(INVALID_PARAMS, "topics must be a list")
    if len(topics) > len(log.topics):
        return False
    return all(
        wanted in (None, []) or found in [_topic(one) for one in _listed(wanted)]
        for wanted, found in zip(topics, log.topics, strict=False)
    )


def _listed(wanted: object) -> list[object]:
    return wanted if isinstance(wanted, list) else [wanted]


def _topic(value: object) -> str:
    topic = str(value).lower()
    if _WORD.fullmatch(topic) is None:
        raise RpcError(INVALID_PARAMS, f"not a topic: {topic[:100]}")
    return topic
