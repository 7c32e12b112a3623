"""How a fault is chosen, and how often it strikes."""

from __future__ import annotations

import pytest

from sidecar.sandbox import Fault, FaultPlan, Moment, Purchase
from sidecar.sandbox.faults import UnknownFaultError, Wish, wish_in
from tests.unit.sandbox.client import CHAT, Buyer, chat

ONE = Purchase.of("GET", "/one", b"")
TWO = Purchase.of("GET", "/two", b"")
FAULT = Fault.SETTLE_THEN_500


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("fault:settle_then_500:3", Wish(FAULT, 3)),
        ("fault:settle_then_500", Wish(FAULT, 1)),
        ("settle_then_500:2", Wish(FAULT, 2)),
        ("settle_then_500:0", Wish(FAULT, 0)),
        ("402_forever", Wish(Fault.FOREVER_402, 1_000_000)),
    ],
)
def test_wish(text: str, wish: Wish) -> None:
    """A wish is a name and a number of times, which is usually one."""
    assert wish == Wish.parse(text)


@pytest.mark.parametrize("text", ["fault:", "fault:nonsense", "fault:settle_then_500:-1", "x:y:z"])
def test_no_such_wish(text: str) -> None:
    """A name that no fault has is an error, not an honest answer."""
    with pytest.raises(UnknownFaultError):
        Wish.parse(text)


def test_wish_in_a_request() -> None:
    """A request wishes by its model or its query; anything else is no wish."""
    assert Wish(FAULT, 2) == wish_in(chat("x", model="fault:settle_then_500:2"), {})
    assert Wish(FAULT, 2) == wish_in(b"", {"fault": "settle_then_500:2"})
    assert wish_in(chat("fault:settle_then_500"), {}) is None
    assert wish_in(b"fault:", {}) is None
    assert wish_in(b'["fault:"]', {}) is None
    assert wish_in(b"[" * 100_000 + b"fault:", {}) is None


def test_wishes_are_counted_for_each_purchase() -> None:
    """One purchase's wish does not use up another's."""
    plan = FaultPlan()
    wish = Wish(FAULT, 2)
    struck = [plan.take(ONE, wish, Moment.PAYMENT) for _ in range(3)]

    assert [FAULT, FAULT, None] == struck
    assert plan.take(TWO, wish, Moment.PAYMENT) == FAULT


def test_the_queue() -> None:
    """Queued faults strike whatever comes, in order, so many times, at their own moment."""
    plan = FaultPlan()
    plan.add(FAULT, 2)
    plan.add(Fault.GARBAGE_402)
    plan.add(Fault.SLOW_HEAD)
    payments = [plan.take(ONE, None, Moment.PAYMENT) for _ in range(4)]
    challenges = [plan.take(TWO, None, Moment.CHALLENGE) for _ in range(2)]

    assert [FAULT, FAULT, Fault.SLOW_HEAD, None] == payments
    assert [Fault.GARBAGE_402, None] == challenges


def test_clear() -> None:
    """A cleared plan strikes nobody."""
    plan = FaultPlan()
    plan.add(FAULT)
    plan.clear()

    assert plan.take(ONE, None, Moment.PAYMENT) is None


async def test_in_the_model(buyer: Buyer) -> None:
    """A stock client chooses a fault by its model, for so many paid presentations."""
    body = chat("hello", model="fault:settle_then_503:2")
    answers = [await buyer.pay(method="POST", path=CHAT, body=body) for _ in range(3)]

    assert [503, 503, 200] == [answer.status for answer in answers]
    assert 1 == len(buyer.books.settlements)


async def test_in_the_query(buyer: Buyer) -> None:
    """A request without a body chooses it in its query."""
    answers = [await buyer.pay(path="/v1/paid?fault=500_unsettled") for _ in range(2)]

    assert [500, 200] == [answer.status for answer in answers]


async def test_refused_payments_do_not_count(buyer: Buyer) -> None:
    """Times counts good payments only: a bad one is refused, and the fault is still to come."""
    body = chat("hello", model="fault:settle_then_503")
    required = await buyer.terms("POST", CHAT, body)
    bad = buyer.build.v2(required)
    bad["payload"]["signature"] = "0x" + "11" * 64 + "1b"
    answers = [
        await buyer.present(document, "POST", CHAT, body)
        for document in (bad, buyer.build.v2(required))
    ]

    assert [402, 503] == [answer.status for answer in answers]


async def test_unknown_name(buyer: Buyer) -> None:
    """A misspelled fault is told apart from an honest seller before anything is paid."""
    answer = await buyer.send("POST", CHAT, chat("hello", model="fault:settle_then_501"))

    assert 400 == answer.status
    assert "settle_then_500" in answer.json["error"]["message"]


async def test_over_http(buyer: Buyer) -> None:
    """POST /sandbox/faults queues one, GET lists them all, DELETE forgets what is queued."""

    async def add(body: bytes) -> int:
        return (await buyer.send("POST", "/sandbox/faults", body)).status

    listed = (await buyer.send(path="/sandbox/faults")).json
    assert set(Fault) == listed.keys()
    assert Moment.CHALLENGE.value == listed["garbage_402"]["strikes"]

    assert 200 == await add(b'{"fault": "settle_then_500", "times": 2}')
    assert 500 == (await buyer.pay()).status
    assert 200 == (await buyer.send("DELETE", "/sandbox/faults")).status
    assert 200 == (await buyer.pay()).status

    assert 200 == await add(b'{"fault": "500_unsettled"}')
    assert [500, 200] == [(await buyer.pay(buyer.build.number(n))).status for n in (5, 6)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"fault": 1}',
        b'{"fault": "nonsense"}',
        b'{"fault": "slow_head", "times": 0}',
        b'{"fault": "slow_head", "times": "2"}',
        b'{"fault": "slow_head", "times": null}',
    ],
)
async def test_over_http_refused(buyer: Buyer, body: bytes) -> None:
    """What is not a fault and a number of times is refused."""
    assert 400 == (await buyer.send("POST", "/sandbox/faults", body)).status
