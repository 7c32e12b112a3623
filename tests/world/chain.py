"""A real local chain: anvil, posing as Base Sepolia, with USDC at its canonical address.

    with Anvil(folder) as chain:
        chain.setup_usdc()
        chain.fund(payer, 1_000_000)

A block for each transaction as it comes, and one a second besides: the chain's time stays near
ours, which the sidecar wants to see. An epoch has one slot here, so ``finalized`` is two blocks
behind ``latest``. Amounts are in atomic units.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world.processes import WORLD, Process, free_port, installed, wait_until

ANVIL = WORLD / "anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
HERE = Path(__file__).parent

CHAIN_ID = 84532
NETWORK = f"eip155:{CHAIN_ID}"
USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"

# keccak-256 of the signatures beside them.
MINT = "0x40c10f19"  # mint(address,uint256)
BALANCE_OF = "0x70a08231"  # balanceOf(address)
AUTHORIZATION_STATE = "0xe94a0102"  # authorizationState(address,bytes32)
INIT = "0x41e461a0"  # init(string,string,string)
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

RPC_WAIT_S = 10.0
WEI = 10**18


class RpcError(Exception):
    """The node answered with an error."""


class Rpc:
    """JSON-RPC over HTTP, one call after the other."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._ids = count(1)

    def __call__(self, method: str, *params: object) -> Any:
        """The result of one call. RpcError when the node refuses it."""
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        request = urllib.request.Request(
            self.url, json.dumps(call).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=RPC_WAIT_S) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RpcError(f"{method}: {answer['error']}")
        return answer["result"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One USDC transfer that is on the chain."""

    sender: str  # lower case, as is the recipient
    recipient: str
    amount: int
    transaction: str


class Anvil:
    """The node. ``with`` starts and stops it."""

    def __init__(self, folder: Path, *, block_time_s: int = 1) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.rpc = Rpc(self.url)
        self._block_time_s = block_time_s
        self._log = folder / f"anvil-{self.port}.log"
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        command: list[str | Path] = [
            installed(ANVIL),
            *("--host", "127.0.0.1", "--port", str(self.port), "--silent"),
            *("--chain-id", str(CHAIN_ID), "--accounts", "1"),
            *("--block-time", str(self._block_time_s), "--mixed-mining"),
            *("--slots-in-an-epoch", "1"),
        ]
        self._process = Process(command, self._log)
        self._process.wait_for_port(self.port)

    def stop(self) -> None:
        """Stop it; the chain is gone."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Accounts and USDC

    def setup_usdc(self) -> None:
        """Put USDC and Multicall3 where Base Sepolia has them."""
        self.rpc("anvil_setCode", USDC, _code("TestUSDC.json"))
        self.rpc("anvil_setCode", MULTICALL3, _code("Multicall3.json"))
        self.send(USDC, INIT + _strings("USDC", "2", "USDC"))

    def give_eth(self, address: str, ether: int = 100) -> None:
        """Let this account pay for gas."""
        self.rpc("anvil_setBalance", address, hex(ether * WEI))

    def fund(self, address: str, amount: int) -> None:
        """Let this account have so much USDC, at once and without a transaction."""
        self.rpc("anvil_dealERC20", address, USDC, hex(amount))

    def mint(self, address: str, amount: int) -> None:
        """Give this account so much more USDC, in a transaction."""
        self.send(USDC, MINT + _word(address) + _word(hex(amount)))

    def balance_of(self, address: str) -> int:
        """How much USDC this account has."""
        return int(self._call(BALANCE_OF + _word(address)), 16)

    def authorization_used(self, sender: str, nonce: str) -> bool:
        """Whether this EIP-3009 nonce has been used (or cancelled)."""
        return int(self._call(AUTHORIZATION_STATE + _word(sender) + _word(nonce)), 16) == 1

    def transfers(self, sender: str | None = None, recipient: str | None = None) -> list[Transfer]:
        """Every USDC transfer between these two (None: anyone), oldest first."""
        ends = [None if end is None else "0x" + _word(end) for end in (sender, recipient)]
        query = {"address": USDC, "fromBlock": "0x0", "topics": [TRANSFER, *ends]}
        return [
            Transfer(
                sender="0x" + log["topics"][1][-40:],
                recipient="0x" + log["topics"][2][-40:],
                amount=int(log["data"], 16),
                transaction=log["transactionHash"],
            )
            for log in self.rpc("eth_getLogs", query)
        ]

    def send(self, to: str, data: str) -> None:
        """Send a transaction from the node's own account, and wait until it is mined."""
        own = self.rpc("eth_accounts")[0]
        transaction = self.rpc("eth_sendTransaction", {"from": own, "to": to, "data": data})

        def mined() -> bool:
            return self.rpc("eth_getTransactionReceipt", transaction) is not None

        wait_until(mined, f"transaction {transaction} is mined")
        receipt = self.rpc("eth_getTransactionReceipt", transaction)
        assert receipt["status"] == "0x1", f"transaction {transaction} reverted"

    # Time and blocks

    def block(self, tag: str = "latest") -> tuple[int, int]:
        """The number and the Unix time of this block: latest, safe or finalized."""
        block = self.rpc("eth_getBlockByNumber", tag, False)
        return int(block["number"], 16), int(block["timestamp"], 16)

    def mine(self, blocks: int = 1) -> None:
        """Mine so many blocks now."""
        self.rpc("anvil_mine", hex(blocks))

    def stop_mining(self) -> None:
        """Mine nothing until told: transactions wait in the pool."""
        self.rpc("evm_setIntervalMining", 0)

    def resume_mining(self) -> None:
        """One block a second again, and none between."""
        self.rpc("evm_setIntervalMining", self._block_time_s)

    def set_automine(self, automine: bool) -> None:
        """Whether each transaction is mined as it comes."""
        self.rpc("evm_setAutomine", automine)

    def increase_time(self, seconds: int) -> None:
        """Let the blocks from the next one on be this much later."""
        self.rpc("evm_increaseTime", seconds)

    def pool(self) -> list[str]:
        """The hashes of the transactions that wait to be mined."""
        senders = self.rpc("txpool_content")["pending"].values()
        return [one["hash"] for by_nonce in senders for one in by_nonce.values()]

    def drop(self, transaction: str) -> None:
        """Forget a transaction that waits, as a node does with one that nobody mines."""
        self.rpc("anvil_dropTransaction", transaction)

    def _call(self, data: str) -> str:
        result: str = self.rpc("eth_call", {"to": USDC, "data": data}, "latest")
        return result


def _code(name: str) -> str:
    code: str = json.loads((HERE / name).read_text())["deployedBytecode"]
    return code


def _word(value: str) -> str:
    """Hex, padded on the left to the 32 bytes of an ABI word."""
    return value.removeprefix("0x").lower().rjust(64, "0")


def _strings(*texts: str) -> str:
    """Strings of under 32 bytes in the ABI's encoding: offsets first, then lengths and bytes."""
    heads = [_word(hex(32 * len(texts) + 64 * place)) for place in range(len(texts))]
    tails = [_word(hex(len(text))) + text.encode().hex().ljust(64, "0") for text in texts]
    return "".join(heads + tails)
