"""What a Solana cluster is asked, and that only exact answers count."""

from __future__ import annotations

import base64
from typing import Any, TypeVar

import pytest

from sidecar import base58
from sidecar.errors import RemoteProtocolError
from sidecar.http import Exchange, HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.rpc import solana
from sidecar.rpc.solana import HistoryEntry, LatestBlockhash, Tip, Transaction
from tests.world.exchanges import answered, failed, hold, question_in

T = TypeVar("T")

URL = "https://rpc.example/secret-key"
ACCOUNT = "hkcktF2Akp3vj8pbBVJuxJfk5m41i4t4TSVLx2VoNHT"
BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
SIGNED = b"\x07" * 64
SIGNATURE = base58.encode(SIGNED)
OLDER = base58.encode(b"\x08" * 64)
MESSAGE = b"\x80the message"
ENTRY: dict[str, Any] = {
    "signature": SIGNATURE,
    "slot": 9,
    "err": None,
    "memo": "[5] inv-1",
    "blockTime": 1_700_000_000,
    "confirmationStatus": "finalized",
}


def asked(exchange: Exchange[T], result: object) -> tuple[str, list[Any], T]:
    """The one question of this conversation, and what it makes of this result."""
    questions: list[HttpRequest] = []

    def answer(request: HttpRequest) -> HttpResponse:
        questions.append(request)
        return answered(result)

    made = hold(exchange, answer)
    (question,) = questions
    assert URL == question.url
    return (*question_in(question), made)


def refuse(exchange: Exchange[Any], answer: HttpResponse) -> str:
    """Why the conversation calls this answer a fault."""
    with pytest.raises(RemoteProtocolError) as refused:
        hold(exchange, lambda _: answer)
    return refused.value.diagnostics()


def in_context(value: object) -> dict[str, object]:
    """A value as it was in some slot."""
    return {"context": {"slot": 9, "apiVersion": "3.0.0"}, "value": value}


def test_network() -> None:
    """A network is known by the start of its genesis hash."""
    assert ("getGenesisHash", [], "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp") == asked(
        solana.network(URL), GENESIS
    )


def test_latest_blockhash() -> None:
    """A confirmed blockhash, with the last block that takes it."""
    value = {"blockhash": BLOCKHASH, "lastValidBlockHeight": 152}

    assert (
        "getLatestBlockhash",
        [{"commitment": "confirmed"}],
        LatestBlockhash(BLOCKHASH, 152),
    ) == asked(solana.latest_blockhash(URL), in_context(value))


def test_tip() -> None:
    """A block's slot and its height come from one answer, so that they are of one block."""
    info = {"absoluteSlot": 300, "blockHeight": 280, "epoch": 1, "slotIndex": 0, "slotsInEpoch": 9}

    assert ("getEpochInfo", [{"commitment": "finalized"}], Tip(300, 280)) == asked(
        solana.tip(URL, "finalized"), info
    )


def test_block_time() -> None:
    """The time of the block in a slot."""
    assert ("getBlockTime", [300], 17) == asked(solana.block_time(URL, 300), 17)


def test_first_available_block() -> None:
    """The first slot that an endpoint has."""
    assert ("getFirstAvailableBlock", [], 0) == asked(solana.first_available_block(URL), 0)


@pytest.mark.parametrize("valid", [True, False])
def test_is_blockhash_valid(valid: bool) -> None:
    """A blockhash is asked about at a node that has seen a slot."""
    config = {"commitment": "finalized", "minContextSlot": 300}

    assert ("isBlockhashValid", [BLOCKHASH, config], valid) == asked(
        solana.is_blockhash_valid(URL, BLOCKHASH, "finalized", 300), in_context(valid)
    )


def test_token_balance() -> None:
    """What a token account holds, in atomic units."""
    value = {"amount": "1500000", "decimals": 6, "uiAmount": 1.5, "uiAmountString": "1.5"}

    assert (
        "getTokenAccountBalance",
        [ACCOUNT, {"commitment": "confirmed"}],
        Usdc(1_500_000),
    ) == asked(solana.token_balance(URL, ACCOUNT, 6), in_context(value))


def test_balance_of_no_account() -> None:
    """An account that nobody has made holds nothing; only the node's own words say so."""
    exchange = solana.token_balance(URL, ACCOUNT, 6)
    absent = failed(-32602, "Invalid param: could not find account")

    assert Usdc(0) == hold(exchange, lambda _: absent)
    for code, message in (
        (-32602, "Invalid param: not a Token account"),
        (-32600, "Invalid param: could not find account"),
        (-32602, "Invalid param: could not find account "),
    ):
        assert message.strip() in refuse(
            solana.token_balance(URL, ACCOUNT, 6), failed(code, message)
        )


def history(before: str = "") -> Exchange[tuple[HistoryEntry, ...]]:
    """A page of two."""
    return solana.signatures_for_address(URL, ACCOUNT, before, 2, "confirmed", 300)


def test_history() -> None:
    """A page of history, newest first; its words are kept, and a failure is known."""
    older = {
        **ENTRY,
        "signature": OLDER,
        "slot": 9,
        "err": {"InstructionError": [2, {"Custom": 1}]},
        "memo": None,
        "blockTime": None,
        "confirmationStatus": "confirmed",
    }

    config = {"limit": 2, "commitment": "confirmed", "minContextSlot": 300}
    entries = (
        HistoryEntry(SIGNATURE, 9, False, "[5] inv-1", 1_700_000_000),
        HistoryEntry(OLDER, 9, True, None, None),
    )
    assert ("getSignaturesForAddress", [ACCOUNT, config], entries) == asked(
        history(), [ENTRY, older]
    )


@pytest.mark.parametrize("fault", ["", {}, 0, False])
def test_empty_failure(fault: object) -> None:
    """Only null says that a transaction did not fail."""
    (entry,) = asked(history(), [{**ENTRY, "err": fault}])[2]

    assert entry.failed


def test_next_page() -> None:
    """The next page starts before the last entry of the one before."""
    config = {"limit": 2, "commitment": "confirmed", "minContextSlot": 300, "before": OLDER}

    question = asked(history(OLDER), [])
    assert ("getSignaturesForAddress", [ACCOUNT, config]) == question[:2]


@pytest.mark.parametrize("failure", [None, "AccountInUse", {"InstructionError": [0, "x"]}])
def test_transaction(failure: object) -> None:
    """A transaction is its message, and whether it failed."""
    wire = base64.b64encode(b"\x02" + SIGNED + bytes(64) + MESSAGE).decode()
    result = {"slot": 9, "transaction": [wire, "base64"], "meta": {"err": failure}, "version": 0}

    config = {"encoding": "base64", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    expected = Transaction(failure is not None, MESSAGE)
    assert ("getTransaction", [SIGNATURE, config], expected) == asked(
        solana.transaction(URL, SIGNATURE, "finalized"), result
    )


def wired(wire: bytes, encoding: str = "base64", meta: object = None) -> dict[str, object]:
    """A transaction of these bytes."""
    text = base64.b64encode(wire).decode()
    return {"transaction": [text, encoding], "meta": {"err": None} if meta is None else meta}


BLOCKHASHES: list[tuple[object, str]] = [
    ([], "not answered with an object"),
    ({"context": {}}, "without a value"),
    (in_context(None), "not answered with an object"),
    (in_context({"lastValidBlockHeight": 1}), "a blockhash is not 32 bytes"),
    (in_context({"blockhash": "0" * 44, "lastValidBlockHeight": 1}), "a blockhash is not 32"),
    (in_context({"blockhash": BLOCKHASH + "1", "lastValidBlockHeight": 1}), "a blockhash is not"),
    (in_context({"blockhash": BLOCKHASH}), "lastValidBlockHeight is not a whole number"),
    *(
        (in_context({"blockhash": BLOCKHASH, "lastValidBlockHeight": odd}), "not a whole number")
        for odd in (True, 1.0, -1, "1", 2**64)
    ),
]
HISTORIES: list[tuple[object, str]] = [
    (None, "not an array"),
    ([ENTRY, ENTRY, ENTRY], "not an array of the length asked for"),
    ([None], "an entry that lacks something"),
    *(
        ([{key: value for key, value in ENTRY.items() if key != missing}], "lacks something")
        for missing in ("signature", "slot", "err", "confirmationStatus")
    ),
    ([{**ENTRY, "signature": "0"}], "lacks something"),
    ([{**ENTRY, "signature": SIGNATURE + "=" * 9}], "lacks something"),
    ([{**ENTRY, "slot": "9"}], "a slot is not a whole number"),
    ([{**ENTRY, "memo": 5}], "a memo that is not text"),
    ([{**ENTRY, "blockTime": "now"}], "a block's time is not a whole number"),
    ([{**ENTRY, "confirmationStatus": "processed"}], "what is not confirmed"),
    ([{**ENTRY, "confirmationStatus": None}], "lacks something"),
    ([ENTRY, {**ENTRY, "slot": 10}], "not in order"),
    ([{**ENTRY, "signature": OLDER}], "not in order"),
]
TRANSACTIONS: list[tuple[object, str]] = [
    (None, "does not have a transaction of its history"),
    ({"transaction": ["AA==", "base64"], "meta": None}, "does not have a transaction"),
    ({"transaction": "AA==", "meta": {"err": None}}, "does not have a transaction"),
    (wired(b"\x01" + SIGNED + MESSAGE, encoding="base58"), "does not have a transaction"),
    (wired(b"\x01" + SIGNED + MESSAGE, meta={}), "does not have a transaction"),
    ({"transaction": ["A*==", "base64"], "meta": {"err": None}}, "not in base64"),
    ({"transaction": ["AAA", "base64"], "meta": {"err": None}}, "not in base64"),
    (wired(b""), "not whole"),
    (wired(b"\x00" + MESSAGE), "not whole"),
    (wired(b"\x01" + SIGNED), "not whole"),
    (wired(b"\x81" + SIGNED + MESSAGE), "not whole"),
    (wired(b"\x01" + SIGNED + bytes(1_168)), "not whole"),
    (wired(b"\x01" + bytes(64) + MESSAGE), "another transaction"),
]
BALANCES: list[tuple[object, str]] = [
    (in_context(None), "not answered with an object"),
    (in_context({"amount": "1", "decimals": 9}), "other decimals"),
    (in_context({"amount": "1", "decimals": 6.0}), "other decimals"),
    (in_context({"amount": "1"}), "other decimals"),
    (in_context({"amount": 1, "decimals": 6}), "not an amount"),
    (in_context({"amount": "01", "decimals": 6}), "not an amount"),
    (in_context({"amount": "1.0", "decimals": 6}), "not an amount"),
]


@pytest.mark.parametrize(("result", "reason"), BLOCKHASHES)
def test_not_a_blockhash(result: object, reason: str) -> None:
    """What is not a blockhash with its end is a fault."""
    assert reason in refuse(solana.latest_blockhash(URL), answered(result))


@pytest.mark.parametrize(("result", "reason"), HISTORIES)
def test_not_a_history(result: object, reason: str) -> None:
    """What is not a page as it was asked for is a fault: nothing in it counts as seen."""
    assert reason in refuse(history(OLDER), answered(result))


@pytest.mark.parametrize(("result", "reason"), TRANSACTIONS)
def test_not_a_transaction(result: object, reason: str) -> None:
    """What is not the transaction itself is a fault, and so is that there is none."""
    exchange = solana.transaction(URL, SIGNATURE, "finalized")

    assert reason in refuse(exchange, answered(result))


@pytest.mark.parametrize(("result", "reason"), BALANCES)
def test_not_a_balance(result: object, reason: str) -> None:
    """What is not a balance of this token is a fault."""
    assert reason in refuse(solana.token_balance(URL, ACCOUNT, 6), answered(result))


@pytest.mark.parametrize(
    ("exchange", "result", "reason"),
    [
        (solana.network(URL), "0x1", "the genesis hash is not 32 bytes"),
        (solana.network(URL), None, "the genesis hash is not 32 bytes"),
        (solana.tip(URL, "finalized"), {"absoluteSlot": 1}, "blockHeight is not a whole number"),
        (solana.tip(URL, "finalized"), {"blockHeight": 1}, "absoluteSlot is not a whole number"),
        (solana.tip(URL, "finalized"), None, "getEpochInfo was not answered with an object"),
        (solana.block_time(URL, 1), None, "a block's time is not a whole number"),
        (solana.first_available_block(URL), None, "the first block is not a whole number"),
        (
            solana.is_blockhash_valid(URL, BLOCKHASH, "finalized", 1),
            in_context("false"),
            "neither true nor false",
        ),
    ],
)
def test_not_an_answer(exchange: Exchange[Any], result: object, reason: str) -> None:
    """A word that the question does not allow is a fault, told without the URL."""
    fault = refuse(exchange, answered(result))

    assert reason in fault
    assert "secret-key" not in fault
