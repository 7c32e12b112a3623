"""A Solana cluster in memory, as an RPC endpoint tells of it: blocks, and what is in them.

Every block is 400 ms long; slots run ahead of heights by those that stayed empty. It answers what
a prover asks, under its own names, and a test may make it forget, lag or lie.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from sidecar import base58
from sidecar.http import HttpRequest, HttpResponse
from tests.world.exchanges import answered, failed, question_in

GENESIS_HASHES = {
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
}
EMPTY_SLOTS = 1_000
BLOCK_S = 0.4
BEHIND = {"processed": 0, "confirmed": 1, "finalized": 32}


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction in a block."""

    signature: str
    height: int
    wire: bytes
    memo: str | None
    error: object


class SolanaCluster:
    """Blocks from ``started_at`` on, and the history of one token account."""

    def __init__(self, network: str, account: str, started_at: int) -> None:
        self.genesis_hash = GENESIS_HASHES[network]
        self.first_slot = 0  # what is before is forgotten
        self.history_lags_blocks = 0  # how far the nodes that serve the history are behind
        self.keeps_memos = True
        self.valid_blockhashes: set[str] = set()
        self.asked: list[str] = []
        self.changed: dict[str, HttpResponse] = {}  # what a method answers instead
        self._account = account
        self._started_at = started_at
        self._elapsed_s = 0.0
        self._landed: list[Landed] = []

    @property
    def height(self) -> int:
        """How many blocks there are."""
        # Nobody asks within a microsecond of a block, and floats are off by less.
        return int(self._elapsed_s / BLOCK_S + 1e-6)

    def wait(self, seconds: float) -> None:
        """Let blocks pass."""
        self._elapsed_s += seconds

    def land(self, message: bytes, memo: str | None = None, error: object = None) -> str:
        """Put a transaction with this message into the newest block; its id."""
        signature = hashlib.sha512(b"%d:" % len(self._landed) + message).digest()
        wire = b"\x02" + signature + bytes(64) + message
        landed = Landed(base58.encode(signature), self.height, wire, memo, error)
        self._landed.append(landed)
        return landed.signature

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request of JSON-RPC."""
        method, params = question_in(request)
        self.asked.append(method)
        if method in self.changed:
            return self.changed[method]
        config = params[-1] if params and isinstance(params[-1], dict) else {}
        head = self.height - BEHIND[config.get("commitment", "finalized")]
        if method in {"getSignaturesForAddress", "getTransaction"}:
            head -= self.history_lags_blocks
        if head + EMPTY_SLOTS < config.get("minContextSlot", 0):
            return failed(-32016, "Minimum context slot has not been reached")
        match method:
            case "getGenesisHash":
                return answered(self.genesis_hash)
            case "getEpochInfo":
                return answered({"absoluteSlot": head + EMPTY_SLOTS, "blockHeight": head})
            case "getBlockTime":
                return answered(self._time(params[0] - EMPTY_SLOTS))
            case "getFirstAvailableBlock":
                return answered(self.first_slot)
            case "isBlockhashValid":
                return answered({"context": {}, "value": params[0] in self.valid_blockhashes})
            case "getSignaturesForAddress":
                assert self._account == params[0]
                return answered(self.history(head, config))
            case _:
                assert method == "getTransaction"
                return answered(self._transaction(params[0], head))

    def _time(self, height: int) -> int:
        return self._started_at + int(height * BLOCK_S + 1e-6)

    def history(self, head: int, config: dict[str, Any]) -> list[dict[str, Any]]:
        """A page of the account's history up to this block."""
        known = [
            landed
            for landed in reversed(self._landed)
            if self.first_slot <= landed.height + EMPTY_SLOTS and landed.height <= head
        ]
        signatures = [landed.signature for landed in known]
        first = signatures.index(config["before"]) + 1 if "before" in config else 0
        return [self._told(landed) for landed in known[first : first + config["limit"]]]

    def _told(self, landed: Landed) -> dict[str, Any]:
        final = landed.height <= self.height - BEHIND["finalized"]
        memo = None if landed.memo is None else f"[{len(landed.memo)}] {landed.memo}"
        return {
            "signature": landed.signature,
            "slot": landed.height + EMPTY_SLOTS,
            "err": landed.error,
            "memo": memo if self.keeps_memos else None,
            "blockTime": self._time(landed.height),
            "confirmationStatus": "finalized" if final else "confirmed",
        }

    def _transaction(self, signature: str, head: int) -> dict[str, Any] | None:
        for landed in self._landed:
            if landed.signature == signature and landed.height <= head:
                wire = base64.b64encode(landed.wire).decode()
                return {"transaction": [wire, "base64"], "meta": {"err": landed.error}}
        return None
