"""What a chain proves about a Permit, asked of a token that counts Permits as USDC does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sidecar.chains import usdc_on
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import Payment, PaymentState, Proof, Purchase
from sidecar.money import Usdc
from sidecar.payments import evidence
from sidecar.payments.evidence import Dead, Finding, Moved, Unknown, examine
from sidecar.rpc import evm
from sidecar.x402.types import Authorization

URL = "http://127.0.0.1:8545"
BASE = usdc_on("eip155:8453")
OWNER = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
SPENDER = "0xbA75b619192eC89Dcf3d91F0224766c730d70eF6"
OTHER = "0x2222222222222222222222222222222222222222"
NUMBER = 7
VALUE = 1234
SIGNED_AT = 1_767_323_045
DEADLINE = SIGNED_AT + 120
BLOCK_S = 2
SIGNED_IN = 1_000  # the block that was the newest when the number was read
LAST_IN_TIME = SIGNED_IN + 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """An allowance that the owner gave, by a Permit or (``number`` stays) by a transaction."""

    block: int
    spender: str = SPENDER
    value: int = VALUE
    permit: bool = True
    hidden: bool = False  # in the chain, and left out of the logs

    @property
    def transaction(self) -> str:
        return f"0x{self.block:064x}"


class Token:
    """A token on a chain with a block every two seconds, and the node before it."""

    def __init__(self, *allowances: Allowance, latest: int, final: int) -> None:
        self.allowances = allowances
        self.tags = {"latest": latest, "finalized": final}
        self.asked: list[dict[str, Any]] = []
        self.first_number = NUMBER
        self.keeps_state_since = 0

    def answer(self, request: HttpRequest) -> HttpResponse:
        question = json.loads(request.body)
        self.asked.append(question)
        call: Callable[..., object] = getattr(self, question["method"])
        try:
            answer = {"result": call(*question["params"])}
        except LookupError as fault:
            answer = {"error": {"code": -32000, "message": str(fault)}}
        return HttpResponse(200, (), json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode())

    def eth_chainId(self) -> object:
        return hex(BASE.chain_id)

    def eth_getBlockByNumber(self, name: str, _: bool) -> object:
        number = self.tags.get(name)
        number = int(name, 16) if number is None else number
        timestamp = SIGNED_AT + (number - SIGNED_IN) * BLOCK_S
        return {"number": hex(number), "timestamp": hex(timestamp)}

    def eth_call(self, call: dict[str, str], block: str) -> object:
        assert call["data"] == evm.NONCES + "0" * 24 + OWNER[2:].lower()
        assert call["to"] == BASE.address.lower()
        at = int(block, 16)
        if at < self.keeps_state_since:
            raise LookupError("missing trie node")
        used = [one for one in self.allowances if one.permit and one.block <= at]
        return f"0x{self.first_number + len(used):064x}"

    def eth_getLogs(self, wanted: dict[str, Any]) -> object:
        first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        assert first <= last <= self.tags["latest"]
        return [
            {
                "address": BASE.address,
                "topics": [evm.APPROVAL, word(OWNER), word(one.spender)],
                "data": f"0x{one.value:064x}",
                "blockNumber": hex(one.block),
                "transactionHash": one.transaction,
            }
            # A node may list them in any order.
            for one in reversed(self.allowances)
            if first <= one.block <= last and not one.hidden
        ]

    def look(self, span_blocks: int = evidence.LOG_SPAN_BLOCKS) -> Finding:
        exchange = examine(URL, permit(), "finalized", span_blocks)
        try:
            request = next(exchange)
            while True:
                request = exchange.send(self.answer(request))
        except StopIteration as done:
            finding: Finding = done.value
            return finding


def word(address: str) -> str:
    """An address as a topic."""
    return "0x" + "0" * 24 + address[2:].lower()


def permit() -> Payment:
    """A payment by the Permit number 7, whose fate nobody knows."""
    fields = {
        "from": OWNER,
        "to": SPENDER,
        "value": str(VALUE),
        "validAfter": "0",
        "validBefore": str(DEADLINE),
        "nonce": f"0x{NUMBER:064x}",
        "asset": BASE.address,
        "primaryType": "Permit",
        "sinceBlock": str(SIGNED_IN),
    }
    signed_at = datetime.fromtimestamp(SIGNED_AT, UTC)
    expires_at = datetime.fromtimestamp(DEADLINE, UTC)
    identity = f"permit:{OWNER}:{SPENDER}:{NUMBER}"
    return Payment(
        id="pay_1",
        purchase=Purchase("key", explicit=False),
        state=PaymentState.AUTHORIZED,
        route="r",
        caller="c",
        purpose="request",
        scheme="upto",
        network=BASE.network,
        asset=BASE.address,
        pay_to=SPENDER,
        amount=Usdc(VALUE),
        envelope={},
        authorization=Authorization(BASE.network, identity, expires_at, fields),
        proof=None,
        reserved_at=signed_at,
        authorized_at=signed_at,
        settled_at=None,
        delivered_at=None,
        closed_at=None,
        confirmed=False,
    )


@pytest.mark.parametrize("block", [SIGNED_IN + 1, LAST_IN_TIME])
@pytest.mark.parametrize("age", [0, 1, 3_000])
def test_moved(block: int, age: int) -> None:
    """A Permit that was used in time is proof, with its transaction, also at its deadline."""
    ours = Allowance(block)
    token = Token(ours, latest=block + age, final=SIGNED_IN + age)

    assert Moved(Proof("chain", ours.transaction)) == token.look()


def test_moved_among_others() -> None:
    """Ours is told apart from allowances for others, and of other values."""
    others = Allowance(1_010, spender=OTHER), Allowance(1_020, value=VALUE - 1)
    ours = Allowance(1_030)
    token = Token(*others, ours, latest=1_500, final=1_400)
    # Three Permits since: ours is one of them whatever number it had.
    assert Moved(Proof("chain", ours.transaction)) == token.look()


def test_what_was_before_does_not_count() -> None:
    """The same allowance of just before, by the Permit with the last number, is not ours."""
    other = Allowance(1_030, spender=OTHER)
    token = Token(Allowance(SIGNED_IN), other, latest=1_050, final=1_040)
    token.first_number = NUMBER - 1

    assert Dead(Proof("canceled", other.transaction)) == token.look()


def test_unused_and_alive() -> None:
    """A number that is free so far proves nothing, and nothing more is asked."""
    token = Token(latest=LAST_IN_TIME, final=LAST_IN_TIME)

    assert Unknown("its number is not taken so far") == token.look()
    assert 4 == len(token.asked)


def test_expired_but_not_final() -> None:
    """The newest block is past the deadline, but a final one is at it: nothing is proven."""
    assert isinstance(Token(latest=LAST_IN_TIME + 500, final=LAST_IN_TIME).look(), Unknown)


def test_expired() -> None:
    """A final block past the deadline, where the number is still free, is proof of death."""
    token = Token(latest=LAST_IN_TIME + 1, final=LAST_IN_TIME + 1)

    assert Dead(Proof("expired")) == token.look()


def test_state_is_read_at_the_final_block() -> None:
    """The expiry and the number are read at one and the same block."""
    token = Token(latest=LAST_IN_TIME + 9, final=LAST_IN_TIME + 1)
    token.look()
    _, block, state, _ = token.asked

    assert ["finalized", False] == block["params"]
    assert hex(LAST_IN_TIME + 1) == state["params"][1]


def test_used_after_the_final_block() -> None:
    """What a final block past the deadline says is final, whoever has the number since."""
    token = Token(Allowance(LAST_IN_TIME + 5), latest=2_000, final=LAST_IN_TIME + 1)

    assert Dead(Proof("expired")) == token.look()


def test_number_below_ours() -> None:
    """A chain whose number is below the one that it gave us is behind, and proves nothing."""
    token = Token(latest=2_000, final=1_900)
    token.first_number = NUMBER - 1

    assert isinstance(token.look(), Unknown)


def test_taken_by_another() -> None:
    """A number that another Permit was seen to take is dead, once that is final."""
    other = Allowance(1_030, spender=OTHER)
    young = Token(other, latest=1_040, final=1_029)
    final = Token(other, latest=1_040, final=1_030)

    assert isinstance(young.look(), Unknown)
    assert Dead(Proof("canceled", other.transaction)) == final.look()


def test_taken_after_the_deadline() -> None:
    """The same terms after the deadline are a later Permit's, which took the number."""
    later = Allowance(LAST_IN_TIME + 1), Allowance(LAST_IN_TIME + 9)
    token = Token(*later, latest=1_200, final=1_150)

    assert Dead(Proof("canceled", later[0].transaction)) == token.look()
    blocks = [one["params"][0] for one in token.asked if one["method"] == "eth_getBlockByNumber"]
    assert ["finalized", "latest", hex(LAST_IN_TIME + 1)] == blocks


@pytest.mark.parametrize(
    "seen", [(), (Allowance(1_030, spender=OTHER),), (Allowance(1_201, spender=OTHER),)]
)
def test_logs_that_leave_something_out(seen: tuple[Allowance, ...]) -> None:
    """Fewer allowances than numbers that were taken: ours may be among those not shown."""
    token = Token(*seen, Allowance(1_010, hidden=True), latest=1_250, final=1_200)

    assert isinstance(token.look(), Unknown)


def test_allowance_without_a_permit() -> None:
    """An allowance by a transaction takes no number; ours is free until it expires."""
    by_hand = Allowance(1_010, spender=OTHER, permit=False)

    assert isinstance(Token(by_hand, latest=1_050, final=1_050).look(), Unknown)
    assert Dead(Proof("expired")) == Token(by_hand, latest=1_100, final=1_100).look()


def test_several_spans() -> None:
    """A search goes on span by span, none larger than an endpoint takes, and no further back."""
    ours = Allowance(1_055)
    token = Token(ours, latest=5_000, final=4_500)

    assert Moved(Proof("chain", ours.transaction)) == token.look(span_blocks=20)
    spans = [one["params"][0] for one in token.asked if one["method"] == "eth_getLogs"]
    assert [(1_001, 1_020), (1_021, 1_040), (1_041, 1_060)] == [
        (int(span["fromBlock"], 16), int(span["toBlock"], 16)) for span in spans
    ]


def test_span_of_allowances() -> None:
    """A wallet gives many allowances, so the spans are shorter than those for one transfer."""
    token = Token(Allowance(1_055), latest=9_000, final=8_500)
    token.look()

    (span,) = [one["params"][0] for one in token.asked if one["method"] == "eth_getLogs"]
    assert (hex(SIGNED_IN + 1), hex(SIGNED_IN + 128)) == (span["fromBlock"], span["toBlock"])


def test_long_ago() -> None:
    """After a long pause the search ends before the final block, and judges where it ends."""
    other = Allowance(1_100)
    since = [Allowance(block) for block in range(9_000, 9_050)]
    token = Token(other, *since, latest=10_000, final=9_900)

    assert Dead(Proof("canceled", other.transaction)) == token.look()


def test_expired_long_ago() -> None:
    """A number that was still free past the deadline died there, whoever has it by now."""
    token = Token(Allowance(9_000), latest=10_000, final=9_900)

    assert Dead(Proof("expired")) == token.look()


def test_search_that_ends_too_soon() -> None:
    """A search that ends within the Permit's life proves nothing."""
    token = Token(Allowance(1_050), latest=10_000, final=9_900)

    assert isinstance(token.look(span_blocks=3), Unknown)


def test_forgotten_state() -> None:
    """A node that has forgotten the state that is asked for is a fault, never a finding."""
    token = Token(Allowance(9_000), latest=10_000, final=9_900)
    token.keeps_state_since = 9_800

    with pytest.raises(RemoteProtocolError, match="missing trie node"):
        token.look()


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_call", "eth_getLogs"])
@pytest.mark.parametrize("odd", [b"", b'{"jsonrpc": "2.0", "id": 1, "result": "0x"}'])
def test_garbage(method: str, odd: bytes) -> None:
    """An answer that is not one of the expected words is a fault, never a finding."""
    token = Token(Allowance(1_010), latest=1_050, final=1_050)
    exchange = examine(URL, permit(), "finalized")
    request = next(exchange)
    while json.loads(request.body)["method"] != method:
        request = exchange.send(token.answer(request))

    with pytest.raises(RemoteProtocolError):
        exchange.send(HttpResponse(200, (), odd))


def test_transfers_are_not_permits() -> None:
    """Under upto, too, a transfer is looked up by its own nonce."""
    known = permit().authorization
    assert known is not None
    fields = {
        name: value
        for name, value in known.fields.items()
        if name not in ("primaryType", "sinceBlock")
    }
    transfer = replace(permit(), authorization=replace(known, fields=fields))
    exchange = examine(URL, transfer, "finalized")
    final = {"number": "0x1", "timestamp": hex(DEADLINE)}
    next(exchange)
    for result in (hex(BASE.chain_id), final):
        question = exchange.send(
            HttpResponse(
                200, (), json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
            )
        )

    assert json.loads(question.body)["params"][0]["data"].startswith(evm.AUTHORIZATION_STATE)
