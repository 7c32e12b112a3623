"""Every way in which a read can lie, fail or break off: each leaves a payment in doubt.

Each lie is told at each step of a look that would otherwise prove something: that a payment moved,
and that it never can. There is one table for both chains, and one for each chain's own words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sidecar.chains import SOLANA
from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger import Ledger
from sidecar.ledger.model import Change, Payment, Proof
from sidecar.payments.events import Event
from sidecar.payments.prover import Chain, Prover
from tests.unit.payments.test_evidence import NETWORK, PAYEE, VALID_S, Asked
from tests.world.exchanges import question_in
from tests.world.fakes import FakeClock
from tests.world.seller import FakeReply
from tests.world.solana_payment import FINAL_S, Paid
from tests.world.solana_payment import VALID_S as SOLANA_VALID_S

URL, OTHER_URL = "https://one.example/rpc", "https://two.example/rpc"

Answer = dict[str, Any]
Lie = Callable[[str, Answer], "Answer | bytes | Exception | int"]


class Scribe:
    """``Ledger``, as much of it as proving needs: what would have been written."""

    def __init__(self) -> None:
        self.moves: list[str] = []

    async def post(self, payment_id: str, proof: Proof, at: object) -> Change:
        self.moves.append(f"posted: {proof.kind}")
        return Change(PAYMENTS[payment_id], "")

    async def void(self, payment_id: str, proof: Proof, at: object) -> Change:
        self.moves.append(f"voided: {proof.kind}")
        return Change(PAYMENTS[payment_id], "")


PAYMENTS: dict[str, Payment] = {"pay_1": Asked().payment()}


class Endpoint:
    """``http.Upstream``: an honest chain, whose n-th answer at a URL is a lie."""

    def __init__(self, honest: Callable[[HttpRequest], HttpResponse]) -> None:
        self.honest = honest
        self.lie: Lie | None = None
        self.method = ""  # at which it lies; "" is any
        self.lies_at = 0  # which of these answers is the lie
        self.url = URL
        self.asked: list[str] = []
        self.told = 0

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Any:
        await asyncio.sleep(0)
        method, _ = question_in(request)
        answer = self.honest(request)
        if request.url == self.url:
            self.asked.append(method)
        if self.lie is None or request.url != self.url or self.method not in ("", method):
            return FakeReply(200, (), answer.body)
        self.lies_at -= 1
        if self.lies_at != -1:
            return FakeReply(200, (), answer.body)
        lie = self.lie(method, json.loads(answer.body))
        self.told += 1
        if isinstance(lie, Exception):
            raise lie
        if isinstance(lie, int):
            return FakeReply(lie, (("Retry-After", "1"),), answer.body)
        if isinstance(lie, bytes):
            # What is cut is cut on the wire, too.
            return FakeReply(200, (), lie, cut=lie == answer.body[: len(lie)])
        return FakeReply(200, (), json.dumps(lie).encode())


@dataclass(frozen=True, slots=True)
class Case:
    """A payment whose fate one honest look proves."""

    endpoint: Endpoint
    payment: Payment
    network: str
    proves: str

    async def look(self, *urls: str) -> list[str]:
        """What the ledger is told."""
        scribe = Scribe()
        books: Any = scribe
        ledger: Ledger = books
        events: list[Event] = []
        chains = {self.network: Chain(self.network, urls or (URL,), "finalized")}
        prover = Prover(ledger, self.endpoint, chains, FakeClock(), events.append)
        await prover.prove(self.payment)
        return scribe.moves


def evm(moves: bool) -> Case:
    """A payment on an EVM chain."""
    asked = Asked()
    asked.clock.advance(5)
    if moves:
        asked.chain.settle(asked.transfer())
    asked.clock.advance(VALID_S + 10)

    def honest(request: HttpRequest) -> HttpResponse:
        answer = asked.node.answer(json.loads(request.body))
        return HttpResponse(200, (), json.dumps(answer).encode())

    proves = "posted: chain" if moves else "voided: expired"
    return Case(Endpoint(honest), asked.payment(), NETWORK, proves)


def solana(moves: bool) -> Case:
    """A payment on Solana."""
    paid = Paid()
    if moves:
        paid.settle()
    paid.cluster.wait(SOLANA_VALID_S + FINAL_S + 1)
    proves = "posted: chain" if moves else "voided: expired"
    return Case(Endpoint(paid.cluster), paid.payment, SOLANA, proves)


CASES = {
    "evm moved": lambda: evm(moves=True),
    "evm dead": lambda: evm(moves=False),
    "solana moved": lambda: solana(moves=True),
    "solana dead": lambda: solana(moves=False),
}


def put(name: str, value: object) -> Lie:
    """The same answer with another value at its top."""
    return lambda method, answer: {**answer, name: value}


def without(name: str) -> Lie:
    return lambda method, answer: {key: each for key, each in answer.items() if key != name}


def body(change: Callable[[bytes], bytes]) -> Lie:
    return lambda method, answer: change(json.dumps(answer).encode())


# What any endpoint may answer to any question.
LIES: dict[str, Lie] = {
    "error object": put("error", {"code": -32000, "message": "header not found"}),
    "error without a reason": put("error", "no"),
    "error beside no result": lambda method, answer: {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32005, "message": "limit exceeded"},
    },
    "null": put("result", None),
    "no result": without("result"),
    "empty text": put("result", ""),
    "bare 0x": put("result", "0x"),
    "not hexadecimal": put("result", "0xzz"),
    "a float": put("result", 1.5),
    "a flag": put("result", True),
    "an array of nonsense": put("result", [17]),
    "an object of nonsense": put("result", {"number": "0x0x", "slot": "1"}),
    "a long number": put("result", "0x" + "f" * 65),
    "another id": put("id", 2),
    "an id that is text": put("id", "1"),
    "no id": without("id"),
    "another protocol": put("jsonrpc", "1.0"),
    "no protocol": without("jsonrpc"),
    "a batch": lambda method, answer: json.dumps([answer]).encode(),
    "truncated": body(lambda text: text[: len(text) // 2]),
    "one byte short": body(lambda text: text[:-1]),
    "nothing": body(lambda text: b""),
    "oversized": body(lambda text: text[:-1] + b" " * (2 * 2**20) + b"}"),
    "too deep": body(lambda text: b"[" * 10_000 + b"]" * 10_000),
    "a page of HTML": body(lambda text: b"<html>Bad Gateway</html>"),
    "not UTF-8": body(lambda text: text.replace(b'"2.0"', b'"\xff"')),
    "one name twice": body(lambda text: text[:-1] + b', "result": null}'),
    "two answers": body(lambda text: text + text),
    "429": lambda method, answer: 429,
    "500": lambda method, answer: 500,
    "403": lambda method, answer: 403,
    "204": lambda method, answer: 204,
    "a redirect": lambda method, answer: 302,
    "no answer in time": lambda method, answer: UpstreamTimeoutError("no answer in 3 s"),
    "reset": lambda method, answer: UpstreamError("the connection was reset"),
}


@pytest.mark.parametrize("name", CASES)
async def test_honest(name: str) -> None:
    """Without a lie each look proves what it is there for, with one endpoint and with two."""
    case = CASES[name]()

    assert [case.proves] == await case.look()
    assert [case.proves] == await case.look(URL, OTHER_URL)


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", CASES)
async def test_any_answer(name: str, lie: str) -> None:
    """Told in place of any one answer of a look, it proves nothing."""
    honest = CASES[name]()
    await honest.look()
    for position in range(len(honest.endpoint.asked)):
        case = CASES[name]()
        case.endpoint.lie, case.endpoint.lies_at = LIES[lie], position
        moves = await case.look()

        assert [] == moves, (position, honest.endpoint.asked[position])
        assert 1 == case.endpoint.told


@pytest.mark.parametrize("lie", ["null", "429", "truncated", "no answer in time"])
@pytest.mark.parametrize("name", CASES)
async def test_one_of_two(name: str, lie: str) -> None:
    """Where one of two endpoints fails, what the other proves is not enough."""
    case = CASES[name]()
    case.endpoint.lie, case.endpoint.url = LIES[lie], OTHER_URL

    assert [] == await case.look(URL, OTHER_URL)


def within(change: Callable[[Any], Any]) -> Lie:
    """The same answer with its result changed."""
    return lambda method, answer: {**answer, "result": change(answer["result"])}


def logs(**changes: object) -> Lie:
    return within(lambda found: [{**log, **changes} for log in found])


def topic(position: int, word: str) -> Lie:
    def change(found: Any) -> Any:
        return [
            {**log, "topics": [*log["topics"][:position], word, *log["topics"][position + 1 :]]}
            for log in found
        ]

    return within(change)


def receipt_log(position: int, word: str) -> Lie:
    def change(receipt: Any) -> Any:
        return {**receipt, "logs": topic(position, word)("", {"result": receipt["logs"]})["result"]}  # type: ignore[call-overload,index] # an answer

    return within(change)


WORD = "0x" + "77" * 32
STRANGER = "0x" + "0" * 24 + "88" * 20
# An EVM chain's own lies: which look, the question, which of its answers, and the lie.
EVM_LIES: dict[str, tuple[str, str, int, Lie]] = {
    "used is two": ("evm dead", "eth_call", 0, put("result", f"0x{2:064x}")),
    "used is all ones": ("evm dead", "eth_call", 0, put("result", "0x" + "f" * 64)),
    "used is short": ("evm dead", "eth_call", 0, put("result", "0x0")),
    "used is long": ("evm dead", "eth_call", 0, put("result", "0x" + "0" * 128)),
    "an older final block": (
        "evm dead",
        "eth_getBlockByNumber",
        0,
        within(lambda block: {**block, "timestamp": hex(int(block["timestamp"], 16) - 100)}),
    ),
    "a final block without a time": (
        "evm dead",
        "eth_getBlockByNumber",
        0,
        within(lambda block: {**block, "timestamp": None}),
    ),
    "a time that is a number": (
        "evm dead",
        "eth_getBlockByNumber",
        0,
        within(lambda block: {**block, "timestamp": int(block["timestamp"], 16)}),
    ),
    "unused after all": ("evm moved", "eth_call", 1, put("result", f"0x{0:064x}")),
    "no logs": ("evm moved", "eth_getLogs", 0, put("result", [])),
    "a log that was removed": ("evm moved", "eth_getLogs", 0, logs(removed=True)),
    "a log of another token": ("evm moved", "eth_getLogs", 0, logs(address=PAYEE)),
    "a log outside the span": ("evm moved", "eth_getLogs", 0, logs(blockNumber="0xffffff")),
    "a log of another nonce": ("evm moved", "eth_getLogs", 0, topic(2, WORD)),
    "a log of another payer": ("evm moved", "eth_getLogs", 0, topic(1, STRANGER)),
    "a log of another kind": ("evm moved", "eth_getLogs", 0, topic(0, WORD)),
    "a log without a transaction": ("evm moved", "eth_getLogs", 0, logs(transactionHash=None)),
    "a log of another transaction": ("evm moved", "eth_getLogs", 0, logs(transactionHash=WORD)),
    "another block than was asked for": (
        "evm moved",
        "eth_getBlockByNumber",
        2,
        within(lambda block: {**block, "number": "0x1"}),
    ),
    "a receipt that is gone: reorganized": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        put("result", None),
    ),
    "a receipt of another transaction": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        within(lambda receipt: {**receipt, "transactionHash": WORD}),
    ),
    "a receipt that failed": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        within(lambda receipt: {**receipt, "status": "0x0"}),
    ),
    "a receipt without a status": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        within(lambda receipt: {**receipt, "status": None}),
    ),
    "a receipt without logs": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        within(lambda receipt: {**receipt, "logs": []}),
    ),
    "another payee's transfer": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        receipt_log(2, STRANGER),
    ),
    "another payer's transfer": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        receipt_log(1, STRANGER),
    ),
    "another amount": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        within(
            lambda receipt: {
                **receipt,
                "logs": [{**log, "data": f"0x{99:064x}"} for log in receipt["logs"]],
            }
        ),
    ),
    "another token's transfer": (
        "evm moved",
        "eth_getTransactionReceipt",
        0,
        within(
            lambda receipt: {
                **receipt,
                "logs": [{**log, "address": PAYEE} for log in receipt["logs"]],
            }
        ),
    ),
}


def entries(**changes: object) -> Lie:
    return within(lambda page: [{**entry, **changes} for entry in page])


SIGNATURE = "5" * 88
# The same of a Solana cluster.
SOLANA_LIES: dict[str, tuple[str, str, int, Lie]] = {
    "another cluster": ("solana dead", "getGenesisHash", 0, put("result", "4" * 44)),
    "an older height": (
        "solana dead",
        "getEpochInfo",
        0,
        within(lambda epoch: {**epoch, "blockHeight": epoch["blockHeight"] - 100}),
    ),
    "a height that is text": (
        "solana dead",
        "getEpochInfo",
        0,
        within(lambda epoch: {**epoch, "blockHeight": str(epoch["blockHeight"])}),
    ),
    "a height below zero": (
        "solana dead",
        "getEpochInfo",
        0,
        within(lambda epoch: {**epoch, "blockHeight": -1}),
    ),
    "a node that is behind": (
        "solana dead",
        "getSignaturesForAddress",
        0,
        put("error", {"code": -32016, "message": "Minimum context slot has not been reached"}),
    ),
    "a history that was forgotten": (
        "solana dead",
        "getFirstAvailableBlock",
        0,
        put("result", 10**6),
    ),
    "a history that is no array": (
        "solana dead",
        "getSignaturesForAddress",
        0,
        put("result", {}),
    ),
    "an entry that is not final": (
        "solana moved",
        "getSignaturesForAddress",
        0,
        entries(confirmationStatus="processed"),
    ),
    "an entry without its fate": (
        "solana moved",
        "getSignaturesForAddress",
        0,
        within(lambda page: [{k: v for k, v in each.items() if k != "err"} for each in page]),
    ),
    "an entry with a memo that is no text": (
        "solana moved",
        "getSignaturesForAddress",
        0,
        entries(memo=5),
    ),
    "an entry of another transaction": (
        "solana moved",
        "getSignaturesForAddress",
        0,
        entries(signature=SIGNATURE),
    ),
    "a slot that is a float": (
        "solana moved",
        "getSignaturesForAddress",
        0,
        entries(slot=1.0),
    ),
    "a transaction that is gone": ("solana moved", "getTransaction", 0, put("result", None)),
    "a transaction cut short": (
        "solana moved",
        "getTransaction",
        0,
        within(lambda found: {**found, "transaction": [found["transaction"][0][:80], "base64"]}),
    ),
    "a transaction in another encoding": (
        "solana moved",
        "getTransaction",
        0,
        within(lambda found: {**found, "transaction": [found["transaction"][0], "base58"]}),
    ),
    "a transaction without its fate": (
        "solana moved",
        "getTransaction",
        0,
        within(lambda found: {**found, "meta": {}}),
    ),
}


@pytest.mark.parametrize("lie", [*EVM_LIES, *SOLANA_LIES])
async def test_its_own_words(lie: str) -> None:
    """A lie in a chain's own words proves nothing either, with one endpoint or beside another."""
    name, method, lies_at, told = {**EVM_LIES, **SOLANA_LIES}[lie]
    for urls in ((URL,), (URL, OTHER_URL)):
        case = CASES[name]()
        endpoint = case.endpoint
        endpoint.lie, endpoint.method, endpoint.lies_at = told, method, lies_at

        assert [] == await case.look(*urls)
        assert 1 == endpoint.told


async def test_two_that_contradict() -> None:
    """One endpoint that has the transfer and one that proves it dead prove nothing together."""
    moved, dead = evm(moves=True), evm(moves=False)

    def both(request: HttpRequest) -> HttpResponse:
        case = moved if request.url == URL else dead
        return case.endpoint.honest(request)

    case = replace(moved, endpoint=Endpoint(both))

    assert [] == await case.look(URL, OTHER_URL)
    assert [] == await case.look(OTHER_URL, URL)
