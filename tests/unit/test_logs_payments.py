"""Lines of payments that are made alike: each is the one that it would be alone."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import sidecar.logs
from sidecar.ledger.model import Payment, Proof
from sidecar.logs import LogSink, configure
from sidecar.logs.lines import SHARED_MAX, Line, describe
from sidecar.logs.payments import PaymentLines
from sidecar.money import Usdc
from sidecar.payments.events import (
    ApprovalAsked,
    ApprovalEnded,
    Event,
    LedgerWriteFailed,
    PaymentConfirmed,
    PaymentInDoubt,
    PaymentPosted,
    PaymentRehearsed,
    PaymentReserved,
    PaymentUndelivered,
    PaymentVoided,
    RequestServed,
)
from tests.unit.test_logs import SECRETS, TOKEN, lines
from tests.unit.test_metrics import PAYMENT, SERVED
from tests.world.fakes import NOON, FakeClock

PAID = replace(SERVED, decision="paid", amount=Usdc(10_000), payment_id="p1")
POSTED = PaymentPosted(replace(PAYMENT, proof=Proof("receipt", "0xfeed")))
QUOTED_SECRET = 'half "and" half \\ of it'
# A secret as it stands in JSON, and what JSON writes so.
WRITTEN_SECRET, UNWRITTEN = "caf\\u00e9-and-more", "caf\u00e9-and-more"
ODD = 'a"b\\c\n\x00\x1b[31m\u2028\x7f\udc80é漢'
# Few of each, so that many lines share; and what may hide a secret, or end a part too soon.
TEXTS = st.sampled_from(
    [
        *("", "a", "0xb", TOKEN, TOKEN.upper(), f"x{TOKEN}y", QUOTED_SECRET, ODD, "[redacted]"),
        *('"payment_id":""', '"payment_id":"-"}\n', '"duration_ms":0.000,"upstream_ms":0.000'),
    ]
)
AMOUNTS = st.sampled_from((Usdc(0), Usdc(10_000), Usdc(1), Usdc(12_345_678_901)))
PROOFS = st.none() | st.builds(Proof, TEXTS, TEXTS)
PAYMENTS = st.builds(
    lambda changed: replace(PAYMENT, **changed),
    st.fixed_dictionaries(
        {"proof": PROOFS},
        optional={
            "id": TEXTS,
            "route": TEXTS,
            "caller": TEXTS,
            "purpose": TEXTS,
            "scheme": TEXTS,
            "network": TEXTS,
            "pay_to": TEXTS,
            "amount": AMOUNTS,
        },
    ),
)
SERVED_SOMEHOW = st.builds(
    lambda changed: replace(SERVED, **changed),
    st.fixed_dictionaries(
        {
            "decision": st.sampled_from(("paid", "relayed", "failed", TOKEN)),
            "amount": st.none() | AMOUNTS,
            "payment_id": TEXTS,
        },
        optional={
            "request_id": st.sampled_from(("r2", "0a1b")),
            "route": TEXTS,
            "caller": TEXTS,
            "method": TEXTS,
            "path": TEXTS,
            "rule": TEXTS,
            "detail": TEXTS,
            "status": st.sampled_from((200, 499, 503)),
            "duration_s": st.sampled_from((0.0, 0.0005, 1.0006, 12345.6789)),
            "upstream_s": st.sampled_from((0.0, 1e-7, 2.5)),
        },
    ),
)
EVENTS = st.one_of(
    *(
        st.builds(kind, PAYMENTS)
        for kind in (
            PaymentReserved,
            PaymentPosted,
            PaymentConfirmed,
            PaymentVoided,
            PaymentRehearsed,
        )
    ),
    *(
        st.builds(kind, PAYMENTS, TEXTS)
        for kind in (PaymentInDoubt, PaymentUndelivered, ApprovalEnded)
    ),
    st.builds(ApprovalAsked, PAYMENTS, st.just(NOON)),
    st.builds(LedgerWriteFailed, TEXTS),
    SERVED_SOMEHOW,
)


class Plain(PaymentLines):
    """Finds nothing alike."""

    def line(self, timestamp: str, event: Event | Line, unseen: set[str]) -> str | None:
        return None


def sink_of(stream: io.StringIO, level: Any) -> LogSink:
    secrets = (*SECRETS, QUOTED_SECRET, WRITTEN_SECRET)
    return configure("json", level, secrets, clock=FakeClock(), stream=stream)


def written(events: list[Event], level: Any = "debug", plainly: bool = False) -> str:
    """What is in the log of these."""
    stream = io.StringIO()
    sink = sink_of(stream, level)
    if plainly:
        sink._payments = Plain(sink._render)
    for event in events:
        sink(event)
    sink.close()
    return stream.getvalue()


@example([POSTED, replace(POSTED, payment=replace(POSTED.payment, id=TOKEN)), POSTED], "info")
@example([PAID, replace(PAID, payment_id=TOKEN), POSTED], "info")
@example([PaymentPosted(replace(PAYMENT, proof=Proof("receipt", TOKEN))), PAID], "info")
@given(st.lists(EVENTS, max_size=12), st.sampled_from(("debug", "info", "warning", "error")))
def test_alike_as_alone(events: list[Event], level: str) -> None:
    """Events of payments, and requests, are the lines that each would be alone, in their order."""
    twice = events * 2

    assert written(twice, level, plainly=True) == written(twice, level)


@pytest.mark.parametrize("text", ["b", TOKEN, QUOTED_SECRET, UNWRITTEN, ODD])
def test_each_field(text: str) -> None:
    """Lines that differ in one field alone are each what it would be alone, whatever is in it."""
    words = ["id", "route", "caller", "purpose", "scheme", "network", "pay_to"]
    changes: list[dict[str, Any]] = [{name: text} for name in words]
    payments = [replace(POSTED.payment, **changed) for changed in changes]
    payments += [replace(POSTED.payment, amount=Usdc(number)) for number in range(3)]
    payments += [
        replace(POSTED.payment, proof=proof)
        for proof in (None, Proof("receipt"), Proof("receipt", text), Proof(text, "0xfeed"))
    ]
    words = ["route", "caller", "method", "path", "decision", "rule", "payment_id", "detail"]
    changes = [{name: text} for name in words]
    paid = [replace(PAID, **changed) for changed in changes]
    paid += [replace(PAID, amount=amount) for amount in (None, Usdc(0), Usdc(1))]
    paid += [replace(PAID, status=503), replace(PAID, duration_s=2.5), replace(PAID, upstream_s=9)]
    told: list[Event] = [*map(PaymentPosted, payments), *map(PaymentVoided, payments), *paid]
    for event in told:
        events: list[Event] = [POSTED, PAID, event, POSTED, PAID]
        assert written(events, plainly=True) == written(events)


@pytest.mark.parametrize("name", ["id", "transaction"])
@pytest.mark.parametrize("secret", [TOKEN, TOKEN.upper(), QUOTED_SECRET])
def test_secret_in_one_of_many(name: str, secret: str) -> None:
    """A secret in what differs between lines is taken out, and the other lines stay as they are."""

    def payment(number: int, text: str) -> Payment:
        texts = {"id": f"p{number}", "transaction": f"0x{number}", name: text}
        proof = Proof("receipt", texts["transaction"])
        return replace(PAYMENT, id=texts["id"], proof=proof)

    field = "payment_id" if name == "id" else name
    events = [PaymentPosted(payment(number, f"a{number}")) for number in range(9)]
    events[4] = PaymentPosted(payment(4, f"a {secret} b"))
    text = written([*events])
    found = [json.loads(line) for line in text.splitlines()]

    assert secret not in text
    assert ["a0", "a1", "a2", "a3", "a [redacted] b", "a5", "a6", "a7", "a8"] == [
        line[field] for line in found
    ]
    assert [{**describe(event).fields, field: ""} for event in events] == [
        {name: line[name] for name in describe(POSTED).fields} | {field: ""} for line in found
    ]


def test_made_from_one() -> None:
    """Of lines that are alike one is made, and all others from it."""
    made: list[Event | Line] = []

    def render(timestamp: str, event: Event | Line) -> str:
        made.append(event)
        return sink._render(timestamp, event)

    sink = sink_of(io.StringIO(), "info")
    alike = PaymentLines(render)
    for number in range(9):
        payment = replace(POSTED.payment, id=f"p{number}", proof=Proof("receipt", f"0x{number}"))
        assert alike.line("", PaymentPosted(payment), set())
        assert alike.line("", replace(PAID, request_id=f"r{number}", duration_s=number), set())
    sink.close()

    assert [PaymentPosted, RequestServed] == [type(event) for event in made]


def test_shared_payments_are_bounded() -> None:
    """However many paths an app pays for, what is remembered of them is bounded."""
    alike = PaymentLines(lambda timestamp, event: "")
    for number in range(SHARED_MAX + 2):
        alike.line("", replace(PAID, path=f"/{number}"), set())

    assert 2 == len(alike._shared)


@pytest.mark.parametrize("secret", ["timestamp", "payment_id", "duration_ms", "request_id"])
def test_secret_of_every_line(secret: str) -> None:
    """A secret that is a word of every line is taken out of every line."""
    stream = io.StringIO()
    sink = configure("json", "info", (secret,), clock=FakeClock(), stream=stream)
    for event in (POSTED, PAID) * 2:
        sink(event)
    sink.close()

    assert secret not in stream.getvalue()
    assert 4 == len(lines(stream))


def test_secrets_that_are_learned() -> None:
    """What is a secret from now on is taken out of lines that were alike before."""
    stream = io.StringIO()
    sink = sink_of(stream, "info")
    event = PaymentPosted(replace(PAYMENT, pay_to="a-new-secret", proof=Proof("receipt", "0x1")))
    paid = replace(PAID, path="/a-new-secret")
    for _ in range(2):
        for each in (event, paid):
            sink(each)
        sink.flush()
        sink.learn(("a-new-secret",))
    sink.close()

    assert ["a-new-secret", "[redacted]"] == [line["pay_to"] for line in lines(stream)[::2]]
    assert ["/a-new-secret", "/[redacted]"] == [line["path"] for line in lines(stream)[1::2]]


def test_slices_of_alike() -> None:
    """More lines than a slice holds are all there, in their order, whatever is between them."""
    count = 3 * sidecar.logs.SLICE_LINES_MAX
    events: list[Event] = []
    for number in range(count):
        events += [replace(PAID, payment_id=f"p{number}"), SERVED, LedgerWriteFailed(f"{number}")]
    found = [json.loads(line) for line in written(events, "info").splitlines()]

    assert [f"p{number}" for number in range(count)] == [
        line["payment_id"] for line in found if "payment_id" in line
    ]
    assert ["request", "request", "ledger_write_failed"] * count == [
        line["event"] for line in found
    ]
