"""What a chain proves about a payment, asked of the sandbox's chain through its own JSON-RPC."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from sidecar.chains import usdc_on
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import Payment, PaymentState, Proof, Purchase
from sidecar.money import Usdc
from sidecar.payments import evidence
from sidecar.payments.evidence import Dead, Moved, Unknown, examine
from sidecar.sandbox import Chain, Settled, Transfer
from sidecar.sandbox.node import Node
from sidecar.x402.types import Authorization
from tests.world.fakes import NOON, FakeClock

T = TypeVar("T")
NETWORK = "eip155:84532"
PAYER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
PAYEE = "0xbA75b619192eC89Dcf3d91F0224766c730d70eF6"
NONCE = "0x" + "ab" * 32
VALID_S = 120
URL = "http://127.0.0.1:8545"


class Asked:
    """A chain, the node before it, and a payment that was authorized at ``at``."""

    def __init__(self, age: timedelta = timedelta(hours=3), at: datetime = NOON) -> None:
        self.at = at
        self.clock = FakeClock(at - age)
        self.chain = Chain(
            usdc_on(NETWORK),
            self.clock,
            starting_balance=Usdc(1_000_000),
            payee=PAYEE,
            finality_s=2,
        )
        self.clock.set_wall(at)
        self.node = Node(self.chain, logs_range_max=2_000)
        self.asked: list[dict[str, object]] = []

    def transfer(self, value: int = 100) -> Transfer:
        valid_before = int(self.at.timestamp()) + VALID_S
        return Transfer(PAYER, PAYEE, value, 0, valid_before, NONCE)

    def payment(self, *, explicit: bool = False, purpose: str = "request") -> Payment:
        fields = {
            "from": PAYER,
            "to": PAYEE,
            "value": "100",
            "validAfter": "0",
            "validBefore": str(int(self.at.timestamp()) + VALID_S),
            "nonce": NONCE,
            "asset": usdc_on(NETWORK).address,
        }
        expires_at = self.at + timedelta(seconds=VALID_S)
        return Payment(
            id="pay_1",
            purchase=Purchase("key", explicit),
            state=PaymentState.AUTHORIZED,
            route="r",
            caller="c",
            purpose=purpose,
            scheme="exact",
            network=NETWORK,
            asset=usdc_on(NETWORK).address,
            pay_to=PAYEE,
            amount=Usdc(100),
            envelope={},
            authorization=Authorization(NETWORK, NONCE, expires_at, fields),
            proof=None,
            reserved_at=self.at,
            authorized_at=self.at,
            settled_at=None,
            delivered_at=None,
            closed_at=None,
            confirmed=False,
        )

    def look(self, span_blocks: int = evidence.LOG_SPAN_BLOCKS, **kind: Any) -> evidence.Finding:
        return self._drive(examine(URL, self.payment(**kind), "finalized", span_blocks))

    def _drive(self, exchange: Generator[HttpRequest, HttpResponse, T]) -> T:
        try:
            request = next(exchange)
            while True:
                question = json.loads(request.body)
                self.asked.append(question)
                answer = json.dumps(self.heard(question)).encode()
                request = exchange.send(
                    HttpResponse(200, (("Content-Type", "application/json"),), answer)
                )
        except StopIteration as done:
            result: T = done.value
            return result

    def heard(self, question: dict[str, object]) -> dict[str, object]:
        answer: dict[str, object] = self.node.answer(question)
        return answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_moved(asked: Asked) -> None:
    """A transfer on the chain is proof, with its transaction."""
    asked.clock.advance(5)
    settled = asked.chain.settle(asked.transfer())
    asked.clock.advance(1)

    assert isinstance(settled, Settled)
    assert Moved(Proof("chain", settled.transaction.hash)) == asked.look()


def test_moved_long_ago(asked: Asked) -> None:
    """The transfer is found by its time when the chain has gone far since."""
    asked.clock.advance(60)
    asked.chain.settle(asked.transfer())
    asked.clock.advance(20_000)

    assert isinstance(asked.look(), Moved)


def test_moved_on_a_young_chain() -> None:
    """A chain that fits into one span is searched whole, however long ago it was."""
    asked = Asked(age=timedelta(minutes=2))
    asked.node = Node(asked.chain, logs_range_max=10**9)
    asked.clock.advance(60)
    asked.chain.settle(asked.transfer())
    asked.clock.advance(1_500)

    assert isinstance(asked.look(span_blocks=10**9), Moved)


def test_unused_and_alive(asked: Asked) -> None:
    """Unused now proves nothing: the authorization may still be used."""
    asked.clock.advance(VALID_S - 1)

    assert isinstance(asked.look(), Unknown)


def test_expired_but_not_final(asked: Asked) -> None:
    """The newest block is past the end, but a final one is not: nothing is proven."""
    asked.clock.advance(VALID_S + 1)

    assert isinstance(asked.look(), Unknown)


def test_expired(asked: Asked) -> None:
    """A final block at the end itself, with the token saying unused there, is proof of death."""
    asked.clock.advance(VALID_S + 2)

    assert Dead(Proof("expired")) == asked.look()


def test_state_is_read_at_the_final_block(asked: Asked) -> None:
    """The expiry and the state are read at one and the same block."""
    asked.clock.advance(VALID_S + 50)
    asked.look()
    _, block, state, _ = asked.asked

    assert "finalized" == block["params"][0]  # type: ignore[index]  # JSON-RPC params
    assert hex(asked.chain.finalized().number) == state["params"][1]  # type: ignore[index]  # as above


class LedElsewhere(Asked):
    """Its endpoint is of another chain for the reads from ``first`` to ``last``."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self._elsewhere = range(first, last)

    def heard(self, question: dict[str, object]) -> dict[str, object]:
        answer = super().heard(question)
        if len(self.asked) - 1 in self._elsewhere:
            # The number of its final block is one of our chain's past.
            past = {"number": hex(self.chain.head().number - 200)}
            block = past | {"timestamp": hex(self.chain.head().timestamp)}
            theirs = {"eth_chainId": "0x1", "eth_getBlockByNumber": block}
            answer["result"] = theirs.get(str(question["method"]), "0x" + "0" * 64)
        return answer


@pytest.mark.parametrize(
    ("first", "last"), [*((0, at) for at in range(5)), *((at, 9) for at in range(1, 5))]
)
def test_led_elsewhere(first: int, last: int) -> None:
    """An endpoint that is led to another chain, or back from it, proves no death meanwhile."""
    asked = LedElsewhere(first, last)
    asked.clock.advance(VALID_S - 1)
    asked.chain.settle(asked.transfer())
    asked.clock.advance(50)

    assert not isinstance(asked.look(), Dead)


def test_used_and_expired(asked: Asked) -> None:
    """What was used in time stays paid after its end."""
    asked.clock.advance(VALID_S - 1)
    asked.chain.settle(asked.transfer())
    asked.clock.advance(50)

    assert isinstance(asked.look(), Moved)


def test_canceled(asked: Asked) -> None:
    """A nonce that was burnt by a cancellation paid nothing, once that is final."""
    asked.chain.cancel(PAYER, NONCE)
    asked.clock.advance(1)
    young = asked.look()
    asked.clock.advance(3)

    assert isinstance(young, Unknown)
    assert "canceled" == getattr(asked.look(), "proof", Proof("none")).kind


def test_used_without_its_transfer(asked: Asked) -> None:
    """A nonce that was used for another amount is no proof of this payment."""
    asked.chain.settle(asked.transfer(value=99))
    asked.clock.advance(1)

    assert isinstance(asked.look(), Unknown)


def test_used_on_other_terms(asked: Asked) -> None:
    """A nonce that another payment used for good: a person has to say, and it is never dead."""
    asked.chain.settle(asked.transfer(value=99))
    asked.clock.advance(1)
    young = asked.look()
    asked.clock.advance(3_600)
    old = asked.look()

    assert isinstance(young, Unknown)
    assert isinstance(old, Unknown)
    assert (False, True) == (young.lasting, old.lasting)
    assert old.why.startswith("its purchase was paid on other terms, in 0x")


@pytest.mark.parametrize(
    ("kind", "finding"),
    [({"explicit": True}, Moved), ({"purpose": "top_up"}, Moved), ({}, Unknown)],
    ids=["explicit", "top-up", "hashed"],
)
def test_used_before_it_was_authorized(
    asked: Asked, kind: dict[str, Any], finding: type[evidence.Finding]
) -> None:
    """Another ledger's payment of a purchase that names itself is found long before ours."""
    settled = asked.chain.settle(asked.transfer())
    asked.at += timedelta(minutes=50)
    asked.clock.advance(3_100)

    assert isinstance(settled, Settled)
    assert isinstance(asked.look(span_blocks=1_000, **kind), finding)


def test_used_outside_the_search(asked: Asked) -> None:
    """A search for logs is bounded, and finding nothing in it proves nothing."""
    asked.chain.settle(asked.transfer())
    asked.clock.advance(100)

    assert isinstance(asked.look(span_blocks=10), Unknown)


def test_several_spans(asked: Asked) -> None:
    """A search goes back span by span, none larger than an endpoint takes."""
    asked.chain.settle(asked.transfer())
    asked.clock.advance(100)

    assert isinstance(asked.look(span_blocks=50), Moved)
    spans = [q["params"][0] for q in asked.asked if q["method"] == "eth_getLogs"]  # type: ignore[index]  # as above
    assert len(spans) > 1
    assert all(int(s["toBlock"], 16) - int(s["fromBlock"], 16) < 50 for s in spans)


def test_garbage(asked: Asked) -> None:
    """An answer that is not one of the expected words is a fault, never a finding."""
    exchange = examine(URL, asked.payment(), "finalized")
    next(exchange)

    with pytest.raises(RemoteProtocolError):
        exchange.send(HttpResponse(200, (), b'{"jsonrpc": "2.0", "id": 1, "result": "0x"}'))


class Stalling(Asked):
    """A chain whose blocks say times that have nothing to do with their numbers."""

    def heard(self, question: dict[str, object]) -> dict[str, object]:
        answer = super().heard(question)
        tagged = question["params"][:1] in (["latest"], ["finalized"])  # type: ignore[index]  # as above
        if question["method"] == "eth_getBlockByNumber" and not tagged:
            result = answer["result"]
            assert isinstance(result, dict)
            result["timestamp"] = hex(int(NOON.timestamp()) + 5_000)
        return answer


def test_lying_block_times() -> None:
    """Guesses are bounded: block times that make no sense end in no proof, not in a loop."""
    asked = Stalling()
    asked.chain.settle(asked.transfer())
    asked.clock.advance(9_000)

    assert isinstance(asked.look(), Unknown)
