"""RPC endpoints: pools of nodes, some late, some lying, some down, some of another network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sidecar.errors import UpstreamError
from sidecar.http import Headers, HttpRequest
from sidecar.sandbox.chain import Block, Chain
from sidecar.sandbox.node import Node
from sidecar.sandbox.solana.programs import genesis_hash_of
from tests.simulation.network import TimedReply
from tests.simulation.solana import (
    BLOCK_S,
    EMPTY_SLOTS,
    LIFE_BLOCKS,
    Cluster,
    Landed,
    wire_of,
)

JSON: Headers = (("Content-Type", "application/json"),)
MAINNET = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
# A blockhash of the other cluster: nothing under it lands on ours.
FOREIGN = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
# How much further the other cluster is than ours.
ELSEWHERE_BLOCKS = 10_000


@dataclass
class Endpoint:
    """What befalls any endpoint. ``lags`` are drawn for each request, in seconds."""

    random: Random
    down: bool = False
    lags: tuple[int, ...] = (0,)
    lies: bool = False  # says of everything that it was not used
    misrouted: bool = False  # answers for another network
    forgets_s: int = 0  # how much of the newest history is all that it has; 0: it has all

    async def handle(self, request: HttpRequest) -> TimedReply:
        """Answer one JSON-RPC request."""
        if self.down:
            raise UpstreamError("cannot connect to the RPC endpoint")
        answer = self.answer(json.loads(request.body), self.random.choice(self.lags))
        return TimedReply(200, JSON, json.dumps(answer).encode())

    def answer(self, question: dict[str, Any], lag_s: int) -> Any:
        """What the node that has the request says, and is so late."""
        raise NotImplementedError


class _Behind:
    """The chain as a node that lags sees it."""

    def __init__(self, chain: Chain, lag_blocks: int) -> None:
        self._chain = chain
        self._lag = lag_blocks

    def head(self) -> Block:
        return self._back(self._chain.head())

    def safe(self) -> Block:
        return self._back(self._chain.safe())

    def finalized(self) -> Block:
        return self._back(self._chain.finalized())

    def block(self, number: int) -> Block | None:
        return None if number > self.head().number else self._chain.block(number)

    def find(self, transaction: str) -> Any:
        found = self._chain.find(transaction)
        return None if found is None or found.block.number > self.head().number else found

    def transactions(self, first: int, last: int) -> Any:
        return self._chain.transactions(first, min(last, self.head().number))

    def _back(self, block: Block) -> Block:
        return Block(block.number - self._lag, block.timestamp - self._lag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)


@dataclass
class EvmEndpoint(Endpoint):
    """Nodes of the sandbox's chain."""

    chain: Chain | None = None
    nodes: dict[int, Node] = field(default_factory=dict)

    def answer(self, question: dict[str, Any], lag_s: int) -> Any:
        assert self.chain is not None
        if lag_s not in self.nodes:
            behind: Any = _Behind(self.chain, lag_s)
            self.nodes[lag_s] = Node(behind, logs_range_max=10_000)
        answer = self.nodes[lag_s].answer(question)
        if self.misrouted and "result" in answer:
            answer["result"] = self._elsewhere(question["method"], answer["result"])
        if self.lies and question["method"] == "eth_call":
            answer["result"] = "0x" + "0" * 64
        return answer

    def _elsewhere(self, method: str, result: Any) -> Any:
        """What a chain says that has seen nothing, and fewer blocks."""
        match method:
            case "eth_getBlockByNumber" if result is not None:
                return result | {"number": hex(int(result["number"], 16) - ELSEWHERE_BLOCKS)}
            case "eth_chainId":
                return "0x1"
            case "eth_call":
                return "0x" + "0" * 64
            case "eth_getLogs":
                return []
            case _:
                return None


@dataclass
class SolanaEndpoint(Endpoint):
    """Nodes of a cluster; the history of our token account is all that they have."""

    cluster: Cluster | None = None
    keeps_memos: bool = True

    def answer(self, question: dict[str, Any], lag_s: int) -> Any:
        assert self.cluster is not None
        params = question["params"]
        config = params[-1] if params and isinstance(params[-1], dict) else {}
        ahead = ELSEWHERE_BLOCKS if self.misrouted else 0
        newest = self.cluster.height() + ahead - int(lag_s / BLOCK_S)
        behind = {"confirmed": 1, "finalized": self.cluster.finality_blocks}
        head = newest - behind[config.get("commitment", "finalized")]
        if head + EMPTY_SLOTS < config.get("minContextSlot", 0):
            return _failed("Minimum context slot has not been reached")
        return self._told(question["method"], params, head, config)

    def _told(self, method: str, params: list[Any], head: int, config: dict[str, Any]) -> Any:
        cluster = self.cluster
        assert cluster is not None
        match method:
            case "getGenesisHash":
                return _answered(genesis_hash_of(MAINNET if self.misrouted else DEVNET))
            case "getEpochInfo":
                return _answered({"absoluteSlot": head + EMPTY_SLOTS, "blockHeight": head})
            case "getBlockTime":
                height = params[0] - EMPTY_SLOTS
                if height > cluster.height():
                    return _answered(int(cluster.now_s()) if self.misrouted else None)
                return _answered(cluster.time_of(height))
            case "getFirstAvailableBlock":
                return _answered(self._first() + EMPTY_SLOTS if self.forgets_s else 0)
            case "getLatestBlockhash":
                blockhash = FOREIGN if self.misrouted else cluster.blockhash_of(head)
                last = head + LIFE_BLOCKS
                value = {"blockhash": blockhash, "lastValidBlockHeight": last}
                return _answered({"context": {"slot": head + EMPTY_SLOTS}, "value": value})
            case "isBlockhashValid":
                last_valid = None if self.misrouted else cluster.last_valid(params[0])
                valid = last_valid is not None and head <= last_valid
                return _answered({"context": {}, "value": valid})
            case "getSignaturesForAddress":
                return _answered(self._history(head, config))
            case _:
                assert method == "getTransaction", method
                return _answered(self._transaction(params[0], head))

    def _first(self) -> int:
        assert self.cluster is not None
        return self.cluster.height() - int(self.forgets_s / BLOCK_S)

    def _known(self, head: int) -> list[Landed]:
        assert self.cluster is not None
        if self.misrouted:
            return []
        first = self._first() if self.forgets_s else 0
        return [found for found in self.cluster.landed if first <= found.height <= head]

    def _history(self, head: int, config: dict[str, Any]) -> list[dict[str, Any]]:
        assert self.cluster is not None
        if self.lies:
            return []
        known = self._known(head)[::-1]
        signatures = [found.signature for found in known]
        first = signatures.index(config["before"]) + 1 if "before" in config else 0
        final = self.cluster.finalized()
        return [
            {
                "signature": found.signature,
                "slot": found.height + EMPTY_SLOTS,
                "err": None,
                "memo": f"[{len(found.memo)}] {found.memo}"
                if found.memo is not None and self.keeps_memos
                else None,
                "blockTime": self.cluster.time_of(found.height),
                "confirmationStatus": "finalized" if found.height <= final else "confirmed",
            }
            for found in known[first : first + config["limit"]]
        ]

    def _transaction(self, signature: str, head: int) -> dict[str, Any] | None:
        for found in self._known(head):
            if found.signature == signature:
                return {"transaction": [wire_of(found), "base64"], "meta": {"err": None}}
        return None


def _answered(result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def _failed(message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32016, "message": message}}
