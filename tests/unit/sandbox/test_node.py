"""The JSON-RPC endpoint answers as a public node does, over a real socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.sandbox import SandboxOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.world.payment_builder import PAYER

USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
NONCE = "0x" + "ab" * 32
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
AUTHORIZATION_USED = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
AUTHORIZATION_CANCELED = "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81"


def padded(address: str) -> str:
    return address[2:].lower().rjust(64, "0")


STATE = "0xe94a0102" + padded(PAYER.address) + NONCE[2:]
BALANCE = "0x70a08231" + padded(PAYER.address)


async def post(buyer: Buyer, body: object) -> Any:
    return (await buyer.send("POST", "/rpc", json.dumps(body).encode())).json


async def rpc(buyer: Buyer, method: str, *params: object) -> Any:
    """The result, or the error's code."""
    answer = await post(
        buyer, {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
    )
    assert ("2.0", 7) == (answer["jsonrpc"], answer["id"])
    return answer["result"] if "result" in answer else answer["error"]["code"]


async def call(buyer: Buyer, data: str, tag: object = "latest", to: str = USDC) -> Any:
    return await rpc(buyer, "eth_call", {"to": to, "data": data}, tag)


async def test_ids(buyer: Buyer) -> None:
    """The chain names itself, and says what it is not."""
    assert "0x14a34" == await rpc(buyer, "eth_chainId")
    assert "84532" == await rpc(buyer, "net_version")
    assert await rpc(buyer, "eth_syncing") is False
    assert "sandbox" in await rpc(buyer, "web3_clientVersion")


async def test_blocks(buyer: Buyer) -> None:
    """Blocks are found by number and by tag, with their time; one to come is null."""
    await buyer.pay()
    (settlement,) = buyer.books.settlements
    head = int(await rpc(buyer, "eth_blockNumber"), 16)
    latest = await rpc(buyer, "eth_getBlockByNumber", "latest", False)
    finalized = await rpc(buyer, "eth_getBlockByNumber", "finalized", False)
    safe = await rpc(buyer, "eth_getBlockByNumber", "safe", False)

    assert (hex(head), hex(buyer.now_s)) == (latest["number"], latest["timestamp"])
    assert [settlement.transaction] == latest["transactions"]
    assert (hex(head - 2), hex(buyer.now_s - 2)) == (finalized["number"], finalized["timestamp"])
    assert hex(head - 1) == safe["number"]
    assert safe["hash"] == latest["parentHash"]
    assert latest == await rpc(buyer, "eth_getBlockByNumber", hex(head), False)
    assert latest == await rpc(buyer, "eth_getBlockByNumber", "pending", False)
    assert await rpc(buyer, "eth_getBlockByNumber", hex(head + 1), False) is None
    assert "0x0" == (await rpc(buyer, "eth_getBlockByNumber", "earliest", False))["number"]


async def test_authorization_state(buyer: Buyer) -> None:
    """authorizationState is one word: false, then true at the head, then in the finalized block."""
    before = await call(buyer, STATE)
    await buyer.pay()

    assert "0x" + "0" * 64 == before
    assert "0x" + "0" * 63 + "1" == await call(buyer, STATE)
    assert "0x" + "0" * 64 == await call(buyer, STATE, "finalized")
    buyer.clock.advance(2)
    assert "0x" + "0" * 63 + "1" == await call(buyer, STATE, "finalized")


async def test_balance_of(buyer: Buyer) -> None:
    """balanceOf is what the address holds in atomic units."""
    await buyer.pay()

    assert 99_990_000 == int(await call(buyer, BALANCE), 16)
    assert 100_000_000 == int(await call(buyer, BALANCE, "finalized"), 16)
    assert 10_000 == int(await call(buyer, "0x70a08231" + padded(buyer.sandbox.pay_to)), 16)


async def test_token(shop: Open) -> None:
    """The token has six decimals, code, and Base's own domain separator (from the real chain)."""
    buyer = await shop(SandboxOptions(network="eip155:8453"))
    usdc = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"

    assert 6 == int(await call(buyer, "0x313ce567", to=usdc), 16)
    assert "0x02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f" == await call(
        buyer, "0x3644e515", to=usdc
    )
    assert "0x" != await rpc(buyer, "eth_getCode", usdc, "latest")
    assert "0x" == await rpc(buyer, "eth_getCode", PAYER.address, "latest")
    assert "0x" == await call(buyer, BALANCE, to=PAYER.address)


@pytest.mark.parametrize(
    ("data", "tag", "code"),
    [
        ("0xdeadbeef", "latest", 3),
        ("0x70a08231", "latest", 3),
        (STATE[:-2], "latest", 3),
        ("0x70a08231" + "1" * 64, "latest", 3),
        (BALANCE, "0xffffffffff", -32_000),
        (BALANCE, "newest", -32_602),
        (BALANCE, "0x01", -32_602),
        (BALANCE, 5, -32_602),
    ],
)
async def test_calls_that_fail(buyer: Buyer, data: str, tag: object, code: int) -> None:
    """What the contract does not know reverts; a block that is not there is an error."""
    assert code == await call(buyer, data, tag)


async def logs(buyer: Buyer, **query: object) -> Any:
    return await rpc(buyer, "eth_getLogs", {"fromBlock": "safe", "toBlock": "latest", **query})


async def test_logs(buyer: Buyer) -> None:
    """A settlement leaves AuthorizationUsed and Transfer, with what they are to say."""
    await buyer.pay()
    used, moved = await logs(buyer, address=USDC)
    payer = "0x" + padded(PAYER.address)

    assert [AUTHORIZATION_USED, payer, NONCE] == used["topics"]
    assert [TRANSFER, payer, "0x" + padded(buyer.sandbox.pay_to)] == moved["topics"]
    assert 10_000 == int(moved["data"], 16)
    assert ("0x0", "0x1") == (used["logIndex"], moved["logIndex"])
    assert used["transactionHash"] == moved["transactionHash"]


async def test_log_places(buyer: Buyer) -> None:
    """Every log of a block has an index of its own, and its transaction's place."""
    for number in (1, 2):
        await buyer.pay(buyer.build.number(number))
    found = await logs(buyer)

    assert ["0x0", "0x1", "0x2", "0x3"] == [log["logIndex"] for log in found]
    assert ["0x0", "0x0", "0x1", "0x1"] == [log["transactionIndex"] for log in found]


async def test_log_filters(buyer: Buyer) -> None:
    """Logs are filtered by address, by topics, by alternatives and by range."""
    await buyer.pay()
    buyer.sandbox.chain.cancel(PAYER.address, "0x" + "cd" * 32)
    payer = "0x" + padded(PAYER.address)

    async def count(**query: object) -> int:
        return len(await logs(buyer, **query))

    assert 3 == await count()
    assert 3 == await count(topics=[], address=[USDC.lower()])
    assert 0 == await count(address=PAYER.address)
    assert 1 == await count(topics=[TRANSFER])
    assert 1 == await count(topics=[AUTHORIZATION_USED, None, NONCE])
    assert 1 == await count(topics=[AUTHORIZATION_USED, payer, NONCE.upper().replace("X", "x")])
    assert 0 == await count(topics=[AUTHORIZATION_USED, payer, "0x" + "cd" * 32])
    assert 1 == await count(topics=[AUTHORIZATION_CANCELED, payer, "0x" + "cd" * 32])
    assert 2 == await count(topics=[[TRANSFER, AUTHORIZATION_USED], payer])
    assert 3 == await count(topics=[None, [], None])
    assert 0 == await count(topics=[None, None, None, None])
    assert 0 == await count(fromBlock="finalized", toBlock="safe")
    assert 3 == await count(toBlock="0xffffffffff")


async def test_log_limits(shop: Open) -> None:
    """A range has a limit and a direction, and topics are words."""
    buyer = await shop(SandboxOptions(logs_range_max=10))
    head = buyer.sandbox.chain.head().number

    assert [] == await logs(buyer, fromBlock=hex(head - 9))
    assert -32_005 == await logs(buyer, fromBlock=hex(head - 10))
    assert -32_602 == await logs(buyer, fromBlock="latest", toBlock="safe")
    await buyer.pay()
    assert -32_602 == await logs(buyer, topics=["0x1"])
    assert -32_602 == await logs(buyer, topics="0x1")
    assert -32_602 == await logs(buyer, blockHash=NONCE)
    assert -32_602 == await rpc(buyer, "eth_getLogs", "all")
    assert -32_602 == await rpc(buyer, "eth_getLogs")


async def test_receipt(buyer: Buyer) -> None:
    """A settled transaction has a receipt that says it succeeded; an unknown one has none."""
    answer = await buyer.pay()
    receipt = await rpc(buyer, "eth_getTransactionReceipt", answer.receipt["transaction"])

    assert "0x1" == receipt["status"]
    assert hex(buyer.sandbox.chain.head().number) == receipt["blockNumber"]
    assert await logs(buyer) == receipt["logs"]
    assert await rpc(buyer, "eth_getTransactionReceipt", NONCE) is None


async def test_malformed(buyer: Buyer) -> None:
    """What is not JSON-RPC 2.0 gets the code for it, and no answer."""
    garbage = (await buyer.send("POST", "/rpc", b"{")).json
    deep = (await buyer.send("POST", "/rpc", b"[" * 100_000)).json
    unknown = await post(buyer, {"jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction"})
    named = await post(
        buyer, {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": {"a": 1}}
    )

    assert [-32_700, -32_700] == [garbage["error"]["code"], deep["error"]["code"]]
    assert -32_600 == (await post(buyer, {"id": 1, "method": "eth_chainId"}))["error"]["code"]
    assert -32_601 == unknown["error"]["code"]
    assert -32_602 == named["error"]["code"]


async def test_batch(buyer: Buyer) -> None:
    """A batch is answered in order; an empty or endless one is not."""
    ask = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    answers = await post(buyer, [ask, ask | {"id": 2}])

    assert [1, 2] == [answer["id"] for answer in answers]
    assert -32_600 == (await post(buyer, []))["error"]["code"]
    assert -32_600 == (await post(buyer, [ask] * 101))["error"]["code"]
