"""Permits: their numbers come from the chain, and one is out at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.chains import usdc_on
from sidecar.errors import RemoteProtocolError, WalletBusyError, WalletError
from sidecar.http import Exchange, HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.encode import TransferPayload
from sidecar.x402.types import Authorization, PaymentRequirements

KEY = bytes.fromhex("23743fd5295575c10513b10004d6fbdc35365878a5cd99b396629fb5b0e65fd1")
ADDRESS = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
SPENDER = "0x2222222222222222222222222222222222222222"
BASE, SEPOLIA = usdc_on("eip155:8453"), usdc_on("eip155:84532")
URL = "https://rpc.example/secret-key"
RPC_URLS = {BASE.network: URL, SEPOLIA.network: URL}
AT = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
VALIDITY_S = 300
EXPIRES_AT = datetime(2026, 1, 2, 3, 9, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REQUIREMENTS = PaymentRequirements(
    scheme="upto",
    network=BASE.network,
    asset=BASE.address.lower(),
    amount="1234",
    pay_to=SPENDER,
    max_timeout_seconds=300,
    extra={"name": "USD Coin", "version": "2", "primaryType": "Permit"},
    original={},
)


class Node:
    """The two things that a chain is asked: what number comes next, and which block is newest."""

    def __init__(self, number: int = 7, block: int = 0x100) -> None:
        self.number = number
        self.block = block
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: HttpRequest) -> HttpResponse:
        question = json.loads(request.body)
        self.asked.append(question)
        assert request.url == URL
        result: object = f"0x{self.number:064x}"
        if question["method"] == "eth_getBlockByNumber":
            result = {"number": hex(self.block), "timestamp": "0x65"}
        return HttpResponse(
            200, (), json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
        )


def finish(exchange: Exchange[Authorization], node: Node, request: HttpRequest) -> Authorization:
    """Hold the conversation to its end, from this request on."""
    try:
        while True:
            request = exchange.send(node.answer(request))
    except StopIteration as done:
        result: Authorization = done.value
        return result


def start(
    wallet: EvmWallet,
    requirements: PaymentRequirements = REQUIREMENTS,
    at: datetime = AT,
) -> Exchange[Authorization]:
    """A Permit that nothing was asked for yet."""
    amount = Usdc.from_wire(requirements.amount)
    assert amount is not None
    return wallet.authorize(requirements, amount, b"\xab" * 32, at, VALIDITY_S)


def authorize(
    wallet: EvmWallet,
    node: Node,
    requirements: PaymentRequirements = REQUIREMENTS,
    at: datetime = AT,
) -> Authorization:
    """A Permit with the number that the node says."""
    exchange = start(wallet, requirements, at)
    return finish(exchange, node, next(exchange))


def known() -> Authorization:
    """The Permit number 7."""
    return authorize(EvmWallet(KEY, RPC_URLS), Node())


def with_fields(**changed: str) -> Authorization:
    """The same Permit, with fields that somebody has changed."""
    return replace(known(), fields={**known().fields, **changed})


def without(name: str) -> Authorization:
    """The same Permit, without a field."""
    fields: Mapping[str, str] = {key: value for key, value in known().fields.items() if key != name}
    return replace(known(), fields=fields)


def test_authorize() -> None:
    """A Permit has the chain's number, lives as long as a transfer, and knows where it began."""
    expected = Authorization(
        network="eip155:8453",
        identity=f"permit:{ADDRESS}:{SPENDER}:7",
        expires_at=EXPIRES_AT,
        fields={
            "from": ADDRESS,
            "to": SPENDER,
            "value": "1234",
            "validAfter": "0",
            "validBefore": "1767323345",
            "nonce": "0x" + "0" * 63 + "7",
            "asset": BASE.address,
            "primaryType": "Permit",
            "sinceBlock": "256",
        },
    )
    assert expected == known()


def test_questions() -> None:
    """The number is asked first, of the newest block; then which block that is."""
    node = Node()
    authorize(EvmWallet(KEY, RPC_URLS), node)

    data = "0x7ecebe00" + "0" * 24 + ADDRESS[2:].lower()
    assert [
        ("eth_call", [{"to": BASE.address.lower(), "data": data}, "latest"]),
        ("eth_getBlockByNumber", ["latest", False]),
    ] == [(question["method"], question["params"]) for question in node.asked]


def test_sign() -> None:
    """On the wire a Permit looks like a transfer, with its number for a nonce."""
    payload = EvmWallet(KEY).sign(known())

    assert ["signature", "authorization"] == list(payload)
    assert {
        "from": ADDRESS,
        "to": SPENDER,
        "value": "1234",
        "validAfter": "0",
        "validBefore": "1767323345",
        "nonce": "0x" + "0" * 63 + "7",
    } == payload["authorization"]


def test_written() -> None:
    """A Permit's payload is written byte for byte as JSON writes it."""
    payload = EvmWallet(KEY).sign(known())

    assert isinstance(payload, TransferPayload)
    assert json.dumps(payload, separators=(",", ":")) == payload.written()


def test_same_bytes() -> None:
    """A Permit that was stored is signed with the same bytes after a restart, and asks nothing."""
    stored = replace(known(), fields=json.loads(json.dumps(dict(known().fields))))

    assert EvmWallet(KEY, RPC_URLS).sign(known()) == EvmWallet(KEY).sign(stored)


def test_no_rpc() -> None:
    """Without an RPC endpoint for the network there is no Permit, and the config key is named."""
    with pytest.raises(WalletError, match=r"set chains\.eip155:8453\.rpc"):
        next(start(EvmWallet(KEY, {SEPOLIA.network: URL})))


def test_rpc_fails() -> None:
    """An answer that is no number is a fault, and gives nothing out."""
    wallet = EvmWallet(KEY, RPC_URLS)
    exchange = start(wallet)
    next(exchange)
    with pytest.raises(RemoteProtocolError):
        exchange.send(HttpResponse(429))

    assert "7" == authorize(wallet, Node()).fields["nonce"][-1]


def test_one_at_a_time() -> None:
    """Of two that asked the chain at once only one gets the number."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    first, second = start(wallet), start(wallet)
    asked_first, asked_second = next(first), next(second)
    then_second = second.send(node.answer(asked_second))
    then_first = first.send(node.answer(asked_first))
    finish(second, node, then_second)

    with pytest.raises(WalletBusyError, match="number 7"):
        first.send(node.answer(then_first))


def test_next_number() -> None:
    """Once the chain has gone on, the next one is free."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    wallet.sign(authorize(wallet, node))
    node.number = 8

    assert f"permit:{ADDRESS}:{SPENDER}:8" == authorize(wallet, node).identity


def test_endpoint_that_is_behind() -> None:
    """A number below the last one is what an endpoint says that is behind: it is not free."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node(8)
    wallet.sign(authorize(wallet, node))
    node.number = 7

    with pytest.raises(WalletBusyError):
        authorize(wallet, node)


def test_signed_and_not_used() -> None:
    """What was signed has its number until it has expired on the slowest chain clock."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    wallet.sign(authorize(wallet, node))
    with pytest.raises(WalletBusyError, match="by 03:09:35 UTC"):
        authorize(wallet, node, at=EXPIRES_AT + 30 * SECOND - timedelta(microseconds=1))

    again = authorize(wallet, node, at=EXPIRES_AT + 30 * SECOND)

    assert known().identity == again.identity
    assert known().expires_at < again.expires_at


def test_never_signed() -> None:
    """A number whose Permit was never signed is soon free again: its order was dropped."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    authorize(wallet, node)
    with pytest.raises(WalletBusyError):
        authorize(wallet, node, at=AT + 9 * SECOND)

    assert known().identity == authorize(wallet, node, at=AT + 10 * SECOND).identity


def test_presented_again_after_a_restart() -> None:
    """A Permit of before a restart has its number as soon as it is presented again."""
    wallet = EvmWallet(KEY, RPC_URLS)
    wallet.sign(known())

    with pytest.raises(WalletBusyError):
        authorize(wallet, Node(), at=AT + 200 * SECOND)


def test_presented_again_late() -> None:
    """An older Permit that is presented again takes nothing from a newer one."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    old = authorize(wallet, node)
    wallet.sign(old)
    late = EXPIRES_AT + 60 * SECOND
    wallet.sign(authorize(wallet, node, at=late))
    wallet.sign(old)

    with pytest.raises(WalletBusyError):
        authorize(wallet, node, at=late + 60 * SECOND)


def test_tokens_have_their_own_numbers() -> None:
    """Numbers of one token do not wait for those of another."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    wallet.sign(authorize(wallet, node))
    there = replace(REQUIREMENTS, network=SEPOLIA.network, asset=SEPOLIA.address)

    assert SEPOLIA.network == authorize(wallet, node, there).network


def test_transfers_do_not_wait() -> None:
    """A transfer has no number, asks nothing, and waits for no Permit."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    wallet.sign(authorize(wallet, node))
    transfer = start(wallet, replace(REQUIREMENTS, extra={}))

    with pytest.raises(StopIteration) as done:
        next(transfer)
    assert "0x" + "ab" * 32 == done.value.value.identity


@pytest.mark.parametrize(
    "changed",
    [
        {"pay_to": "vitalik.eth"},
        {"asset": SPENDER},
        {"network": "eip155:1514"},
        {"scheme": "exact"},
        {"scheme": "upto-permit"},
    ],
)
def test_not_authorized(changed: dict[str, Any]) -> None:
    """What could not be signed is refused before the chain is asked."""
    with pytest.raises(WalletError):
        next(start(EvmWallet(KEY, RPC_URLS), replace(REQUIREMENTS, **changed)))


def test_unsignable_takes_no_number() -> None:
    """A Permit of nothing is refused, and its number stays free."""
    wallet, node = EvmWallet(KEY, RPC_URLS), Node()
    exchange = wallet.authorize(REQUIREMENTS, Usdc(0), bytes(32), AT, VALIDITY_S)
    then = exchange.send(node.answer(next(exchange)))
    with pytest.raises(WalletError, match="not an amount"):
        exchange.send(node.answer(then))

    assert known() == authorize(wallet, node)


@pytest.mark.parametrize(
    "odd",
    [
        without("value"),
        without("asset"),
        without("primaryType"),
        replace(known(), network="eip155:1"),
        replace(known(), identity=known().identity[:-1] + "8"),
        replace(known(), identity=known().fields["nonce"]),
        replace(known(), expires_at=EXPIRES_AT + SECOND),
        with_fields(**{"from": SPENDER}),
        with_fields(to=ADDRESS),
        with_fields(to="0x" + "ab" * 20),
        with_fields(value="0"),
        with_fields(validAfter="1"),
        with_fields(validBefore="9999999999"),
        with_fields(nonce="0x" + "0" * 63 + "8"),
        with_fields(nonce="0x7"),
        with_fields(nonce="7"),
        with_fields(primaryType="permit"),
        with_fields(primaryType="TransferWithAuthorization"),
        with_fields(primaryType=""),
    ],
)
def test_not_signed(odd: Authorization) -> None:
    """At the signing point every field is looked at again, whatever the ledger gave back."""
    wallet = EvmWallet(KEY, RPC_URLS)
    with pytest.raises(WalletError):
        wallet.sign(odd)

    assert known() == authorize(wallet, Node())
