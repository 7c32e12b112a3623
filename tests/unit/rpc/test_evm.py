"""What a chain is asked, and that only exact answers count."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from sidecar.errors import LocalProtocolError, RemoteProtocolError
from sidecar.http import Exchange, HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.rpc import evm
from sidecar.rpc.evm import ApprovalEvent, AuthorizationEvent, Block

T = TypeVar("T")

URL = "https://rpc.example/secret-key"
ASSET = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
PAYER = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
NONCE = "0x" + "ab" * 32
TRANSACTION = "0x" + "cd" * 32
ONE = "0x" + "0" * 63 + "1"
ZERO = "0x" + "0" * 64


def word(address: str) -> str:
    """An address as a topic."""
    return "0x" + "0" * 24 + address[2:].lower()


def ask(exchange: Exchange[T], answer: HttpResponse) -> tuple[HttpRequest, T]:
    """The one request of this conversation, and what it makes of the answer."""
    request = next(exchange)
    with pytest.raises(StopIteration) as done:
        exchange.send(answer)
    result: T = done.value.value
    return request, result


def answered(document: object, status: int = 200) -> HttpResponse:
    """A response with this document."""
    return HttpResponse(status, (), json.dumps(document).encode())


def result_of(exchange: Exchange[T], result: object) -> T:
    """What the conversation makes of this JSON-RPC result."""
    return ask(exchange, answered({"jsonrpc": "2.0", "id": 1, "result": result}))[1]


def refuse(exchange: Exchange[Any], answer: HttpResponse) -> str:
    """Why the conversation calls this answer a fault."""
    next(exchange)
    with pytest.raises(RemoteProtocolError) as refused:
        exchange.send(answer)
    return refused.value.diagnostics()


def refuse_result(exchange: Exchange[Any], result: object) -> str:
    """Why the conversation calls this JSON-RPC result a fault."""
    return refuse(exchange, answered({"jsonrpc": "2.0", "id": 1, "result": result}))


def test_request() -> None:
    """A question is one JSON-RPC 2.0 POST that asks for an answer without compression."""
    request, _ = ask(evm.chain_id(URL), answered({"jsonrpc": "2.0", "id": 1, "result": "0x1"}))

    expected = HttpRequest(
        "POST",
        URL,
        (
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
        ),
        b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
    )
    assert expected == request


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answered({"jsonrpc": "2.0", "id": 1, "result": "0x1"}, status=429), "status 429"),
        (answered({"jsonrpc": "2.0", "id": 1, "result": "0x1"}, status=204), "status 204"),
        (HttpResponse(200, (), b""), "not answered with JSON"),
        (HttpResponse(200, (), b"<html>"), "not answered with JSON"),
        (HttpResponse(200, (), b'"\xff"'), "not answered with JSON"),
        (HttpResponse(200, (), b"[" * 100_000), "not answered with JSON"),
        (HttpResponse(200, (), b"9" * 10_000), "not answered with JSON"),
        (answered([]), "JSON-RPC 2.0"),
        (answered({"id": 1, "result": "0x1"}), "JSON-RPC 2.0"),
        (answered({"jsonrpc": "1.0", "id": 1, "result": "0x1"}), "JSON-RPC 2.0"),
        (answered({"jsonrpc": "2.0", "id": 2, "result": "0x1"}), "another question"),
        (answered({"jsonrpc": "2.0", "id": True, "result": "0x1"}), "another question"),
        (answered({"jsonrpc": "2.0", "id": "1", "result": "0x1"}), "another question"),
        (answered({"jsonrpc": "2.0", "result": "0x1"}), "another question"),
        (answered({"jsonrpc": "2.0", "id": 1}), "without a result"),
        (
            answered(
                {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "result": "0x1",
                    "error": {"code": -32000, "message": "header\nnot found"},
                }
            ),
            "eth_chainId failed: header not found (-32000)",
        ),
        (answered({"jsonrpc": "2.0", "id": None, "error": "no"}), "failed: without a reason"),
    ],
)
def test_bad_answer(answer: HttpResponse, reason: str) -> None:
    """An answer that is not this question's result is a fault, told without the URL."""
    fault = refuse(evm.chain_id(URL), answer)

    assert reason in fault
    assert "secret-key" not in fault


def test_long_error() -> None:
    """An endpoint's error message is cut."""
    error = {"code": 10**100, "message": "x" * 10_000}

    assert len(refuse(evm.chain_id(URL), answered({"jsonrpc": "2.0", "error": error}))) < 300


def test_null_error() -> None:
    """An error of null is none: some endpoints write it beside every result."""
    answer = {"jsonrpc": "2.0", "id": 1, "result": "0x1", "error": None}

    assert 1 == ask(evm.chain_id(URL), answered(answer))[1]


def test_chain_id() -> None:
    """A chain's id is a quantity."""
    assert 8453 == result_of(evm.chain_id(URL), "0x2105")


@pytest.mark.parametrize(
    "odd", [None, 8453, "8453", "0x", "0x02105", "0X2105", "0x2A", "0x1\n", "0x" + "1" * 17, "-0x1"]
)
def test_not_a_quantity(odd: object) -> None:
    """What JSON-RPC would not write as a quantity is none."""
    assert "eth_chainId is not a quantity" == refuse_result(evm.chain_id(URL), odd)


@pytest.mark.parametrize("name", ["latest", "safe", "finalized", "0x10"])
def test_block(name: str) -> None:
    """A block is asked for by tag or number, and has a number and a time."""
    found = {"number": "0x10", "timestamp": "0x65", "hash": "0x"}
    request, result = ask(
        evm.block(URL, name), answered({"jsonrpc": "2.0", "id": 1, "result": found})
    )

    assert Block(16, 101) == result
    assert {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_getBlockByNumber",
        "params": [name, False],
    } == json.loads(request.body)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "no block 0x10"),
        ([], "no block 0x10"),
        ({}, "number is not a quantity"),
        ({"number": "0x10"}, "timestamp is not a quantity"),
        ({"number": None, "timestamp": "0x65"}, "number is not a quantity"),
        ({"number": "0x11", "timestamp": "0x65"}, "block 17 for block 0x10"),
    ],
)
def test_bad_block(found: object, reason: str) -> None:
    """A block that is missing, incomplete or another one is a fault."""
    assert reason in refuse_result(evm.block(URL, "0x10"), found)


@pytest.mark.parametrize("name", ["pending", "earliest", "", "16", "0x", "0x010"])
def test_no_such_block(name: str) -> None:
    """Blocks that prove nothing are never asked for."""
    with pytest.raises(LocalProtocolError):
        next(evm.block(URL, name))


@pytest.mark.parametrize(("answer", "used"), [(ONE, True), (ZERO, False)])
def test_authorization_state(answer: str, used: bool) -> None:
    """authorizationState is asked of the token at one block, and is one of two words."""
    exchange = evm.authorization_state(URL, ASSET, PAYER, NONCE, "finalized")
    request, result = ask(exchange, answered({"jsonrpc": "2.0", "id": 1, "result": answer}))

    data = "0xe94a0102" + word(PAYER)[2:] + "ab" * 32
    assert used == result
    assert [{"to": ASSET.lower(), "data": data}, "finalized"] == json.loads(request.body)["params"]


@pytest.mark.parametrize(
    "odd",
    [
        "0x",
        None,
        True,
        1,
        "0x1",
        ONE + "00",
        ONE[:-2],
        "0x" + "0" * 63 + "2",
        "0x1" + "0" * 63,
        ONE[2:],
        ONE + "\n",
        "0x" + "0" * 63 + "g",
        [ONE],
    ],
)
def test_odd_state(odd: object) -> None:
    """Anything but those two words proves nothing, and is a fault."""
    assert refuse_result(evm.authorization_state(URL, ASSET, PAYER, NONCE, "latest"), odd)


def test_balance() -> None:
    """A balance is one word of atomic units, in the latest block."""
    exchange = evm.balance_of(URL, ASSET, PAYER)
    answer = {"jsonrpc": "2.0", "id": 1, "result": "0x" + f"{5_000_000:064x}"}
    request, result = ask(exchange, answered(answer))

    data = "0x70a08231" + word(PAYER)[2:]
    assert Usdc(5_000_000) == result
    assert [{"to": ASSET.lower(), "data": data}, "latest"] == json.loads(request.body)["params"]


@pytest.mark.parametrize("number", [0, 7, 2**256 - 1])
def test_nonces(number: int) -> None:
    """The number of an owner's next Permit is one word, at the block that is asked about."""
    exchange = evm.nonces(URL, ASSET, PAYER, "0x64")
    answer = {"jsonrpc": "2.0", "id": 1, "result": f"0x{number:064x}"}
    request, result = ask(exchange, answered(answer))

    data = "0x7ecebe00" + word(PAYER)[2:]
    assert number == result
    assert [{"to": ASSET.lower(), "data": data}, "0x64"] == json.loads(request.body)["params"]


@pytest.mark.parametrize("odd", ["0x", None, 7, "0x7", ONE + "00"])
def test_odd_nonces(odd: object) -> None:
    """Anything but one word is no number, and is a fault."""
    assert refuse_result(evm.nonces(URL, ASSET, PAYER, "latest"), odd)


def a_log(**changed: object) -> dict[str, object]:
    """The log of our authorization's use, but for what is changed."""
    return {
        "address": ASSET.lower(),
        "topics": [evm.AUTHORIZATION_USED, word(PAYER), NONCE],
        "data": "0x",
        "blockNumber": "0x64",
        "transactionHash": TRANSACTION,
        **changed,
    }


def logs_exchange() -> Exchange[tuple[AuthorizationEvent, ...]]:
    """A search for our authorization's logs in the blocks 100 to 200."""
    return evm.authorization_logs(URL, ASSET, PAYER, NONCE, 100, 200)


def test_logs() -> None:
    """An authorization's logs are filtered by token, both events, authorizer, nonce and span."""
    answer = {"jsonrpc": "2.0", "id": 1, "result": []}
    request, result = ask(logs_exchange(), answered(answer))

    wanted = {
        "address": ASSET.lower(),
        "topics": [
            [evm.AUTHORIZATION_USED, evm.AUTHORIZATION_CANCELED],
            word(PAYER),
            NONCE,
        ],
        "fromBlock": "0x64",
        "toBlock": "0xc8",
    }
    assert () == result
    assert [wanted] == json.loads(request.body)["params"]


def test_events() -> None:
    """Uses and cancellations are told apart, each with its transaction and block."""
    canceled = a_log(
        topics=[evm.AUTHORIZATION_CANCELED, word(PAYER), NONCE.upper().replace("X", "x")],
        blockNumber="0xc8",
        removed=False,
    )

    result = result_of(logs_exchange(), [a_log(address=ASSET), canceled])

    assert (
        AuthorizationEvent(False, TRANSACTION, 100),
        AuthorizationEvent(True, TRANSACTION, 200),
    ) == result


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (None, "not an array"),
        ({}, "not an array"),
        (["x"], "without address"),
        ([{}], "without address"),
        ([a_log(address="0x")], "without address"),
        ([a_log(address=word(ASSET))], "without address"),
        ([a_log(data="0x1")], "without address"),
        ([a_log(topics="x")], "without address"),
        ([a_log(topics=[1])], "topic is not 32 bytes"),
        ([a_log(topics=[])], "not asked for"),
        ([a_log(topics=[evm.AUTHORIZATION_USED, word(PAYER)])], "not asked for"),
        ([a_log(topics=[evm.TRANSFER, word(PAYER), NONCE])], "not asked for"),
        ([a_log(topics=[evm.AUTHORIZATION_USED, word(PAYEE), NONCE])], "not asked for"),
        ([a_log(topics=[evm.AUTHORIZATION_USED, word(PAYER), ONE])], "not asked for"),
        ([a_log(address=PAYEE)], "not asked for"),
        ([a_log(blockNumber="0x63")], "not asked for"),
        ([a_log(blockNumber="0xc9")], "not asked for"),
        ([a_log(blockNumber=None)], "block is not a quantity"),
        ([a_log(removed=True)], "not asked for"),
        ([a_log(removed=[])], "not asked for"),
        ([a_log(transactionHash="0x")], "transaction is not 32 bytes"),
        ([a_log(), a_log(removed=True)], "not asked for"),
    ],
)
def test_odd_logs(odd: object, reason: str) -> None:
    """A log that was not asked for, or is not whole, spoils the answer."""
    assert reason in refuse_result(logs_exchange(), odd)


def an_approval(**changed: object) -> dict[str, object]:
    """The log of an allowance of 1000 for our payee, but for what is changed."""
    return {
        "address": ASSET.lower(),
        "topics": [evm.APPROVAL, word(PAYER), word(PAYEE)],
        "data": f"0x{1000:064x}",
        "blockNumber": "0x64",
        "transactionHash": TRANSACTION,
        **changed,
    }


def approvals_exchange() -> Exchange[tuple[ApprovalEvent, ...]]:
    """A search for our payer's allowances in the blocks 100 to 200."""
    return evm.approval_logs(URL, ASSET, PAYER, 100, 200)


def test_approvals_request() -> None:
    """Allowances are filtered by token, owner and span, whoever has them."""
    request, result = ask(approvals_exchange(), answered({"jsonrpc": "2.0", "id": 1, "result": []}))

    wanted = {
        "address": ASSET.lower(),
        "topics": [[evm.APPROVAL], word(PAYER), None],
        "fromBlock": "0x64",
        "toBlock": "0xc8",
    }
    assert () == result
    assert [wanted] == json.loads(request.body)["params"]


def test_approvals() -> None:
    """An allowance says for whom it is and how much, with its transaction and block."""
    other = an_approval(
        topics=[evm.APPROVAL, word(PAYER), word(ASSET)],
        data="0x" + "F" * 64,
        blockNumber="0xc8",
        removed=False,
    )

    assert (
        ApprovalEvent(PAYEE.lower(), 1000, TRANSACTION, 100),
        ApprovalEvent(ASSET.lower(), 2**256 - 1, TRANSACTION, 200),
    ) == result_of(approvals_exchange(), [an_approval(), other])


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ([an_approval(topics=[evm.APPROVAL, word(PAYER)])], "not asked for"),
        ([an_approval(topics=[evm.APPROVAL, word(PAYER), word(PAYEE), ONE])], "not asked for"),
        ([an_approval(topics=[evm.APPROVAL, word(PAYEE), word(PAYEE)])], "not asked for"),
        ([an_approval(topics=[evm.TRANSFER, word(PAYER), word(PAYEE)])], "not asked for"),
        ([an_approval(address=PAYEE)], "not asked for"),
        ([an_approval(blockNumber="0x63")], "not asked for"),
        ([an_approval(blockNumber="0xc9")], "not asked for"),
        ([an_approval(removed=True)], "not asked for"),
        ([an_approval(topics=[evm.APPROVAL, word(PAYER), TRANSACTION])], "longer than 20 bytes"),
        ([an_approval(data="0x")], "number is not 32 bytes"),
        ([an_approval(data="0x03e8")], "number is not 32 bytes"),
    ],
)
def test_odd_approvals(odd: object, reason: str) -> None:
    """An allowance that was not asked for, or is not whole, spoils the answer."""
    assert reason in refuse_result(approvals_exchange(), odd)


def transfer_exchange(value: int = 1000) -> Exchange[bool]:
    """A look for our transfer in its transaction."""
    return evm.transfer_in(URL, TRANSACTION, ASSET, PAYER, PAYEE, value)


def transfer(**changed: object) -> dict[str, object]:
    """The log of our transfer, but for what is changed."""
    return {
        "address": ASSET.lower(),
        "topics": [evm.TRANSFER, word(PAYER), word(PAYEE)],
        "data": f"0x{1000:064x}",
        **changed,
    }


def receipt(*logs: object, **changed: object) -> dict[str, object]:
    """The receipt of a transaction that succeeded, but for what is changed."""
    return {"transactionHash": TRANSACTION, "status": "0x1", "logs": list(logs), **changed}


@pytest.mark.parametrize(
    ("found", "moved"),
    [
        (receipt(transfer()), True),
        (receipt(a_log(topics=[]), transfer(address=ASSET)), True),
        (receipt(transfer(), status="0x0"), False),
        (receipt(), False),
        (receipt(transfer(address=PAYEE)), False),
        (receipt(transfer(topics=[evm.TRANSFER, word(PAYEE), word(PAYER)])), False),
        (receipt(transfer(topics=[ONE, word(PAYER), word(PAYEE)])), False),
        (receipt(transfer(topics=[evm.TRANSFER, word(PAYER), word(PAYEE), ONE])), False),
        (receipt(transfer(data=f"0x{999:064x}")), False),
        (receipt(transfer(data=f"0x{1000:064x}00")), False),
        (receipt(transfer(data="0x03e8")), False),
        # The payer's address with a byte before it, which a careless comparison would cut off.
        (
            receipt(transfer(topics=[evm.TRANSFER, "0x01" + word(PAYER)[4:], word(PAYEE)])),
            False,
        ),
    ],
)
def test_transfer(found: object, moved: bool) -> None:
    """A transfer is in a transaction that succeeded and has exactly its log."""
    assert moved == result_of(transfer_exchange(), found)


def test_transfer_request() -> None:
    """The receipt is asked for by the transaction's hash."""
    answer = {"jsonrpc": "2.0", "id": 1, "result": receipt()}
    request, _ = ask(transfer_exchange(), answered(answer))

    question = json.loads(request.body)
    assert ("eth_getTransactionReceipt", [TRANSACTION]) == (question["method"], question["params"])


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (None, "no receipt"),
        ("0x", "no receipt"),
        (receipt(transactionHash=ONE), "another transaction"),
        (receipt(transactionHash=None), "not 32 bytes"),
        (receipt(status=None), "without a status"),
        (receipt(status="0x2"), "without a status"),
        (receipt(status=1), "without a status"),
        (receipt(logs=None), "not an array"),
        (receipt("x"), "without address"),
    ],
)
def test_odd_receipt(odd: object, reason: str) -> None:
    """A receipt that is missing, another's or not whole proves nothing, and is a fault."""
    assert reason in refuse_result(transfer_exchange(), odd)


@pytest.mark.parametrize(
    "start",
    [
        lambda: evm.balance_of(URL, "0x", PAYER),
        lambda: evm.balance_of(URL, ASSET, PAYER + "00"),
        lambda: evm.nonces(URL, ASSET, PAYER[:-1], "latest"),
        lambda: evm.nonces(URL, ASSET, PAYER, "pending"),
        lambda: evm.approval_logs(URL, ASSET, "0x", 0, 1),
        lambda: evm.authorization_state(URL, ASSET, PAYER, "0xab", "latest"),
        lambda: evm.authorization_state(URL, ASSET, PAYER, NONCE, "pending"),
        lambda: evm.authorization_logs(URL, ASSET, PAYER[:-1], NONCE, 0, 1),
        lambda: evm.transfer_in(URL, "0x", ASSET, PAYER, PAYEE, 1),
        lambda: evm.transfer_in(URL, TRANSACTION + "\n", ASSET, PAYER, PAYEE, 1),
    ],
)
def test_illegal_question(start: Callable[[], Exchange[Any]]) -> None:
    """A question about something that is no address, nonce or hash is never sent."""
    with pytest.raises(LocalProtocolError):
        next(start())
