"""The log: whole lines, named fields, and every source of lines in one place."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import inf
from typing import Any

import pytest
from aiohttp.http_exceptions import BadHttpMessage

import sidecar.logs
from sidecar.ledger.model import Proof
from sidecar.logs import LogSink, configure
from sidecar.logs.faults import show_fault
from sidecar.logs.lines import QUIET, SHARED_MAX, RequestLines, describe
from sidecar.money import ZERO, Usdc
from sidecar.payments.events import (
    ApprovalAsked,
    ApprovalEnded,
    BalanceObserved,
    ClockSkewMeasured,
    CostObserved,
    DriftMeasured,
    Event,
    LedgerWriteFailed,
    PaymentConfirmed,
    PaymentDenied,
    PaymentInDoubt,
    PaymentPosted,
    PaymentRehearsed,
    PaymentReserved,
    PaymentUndelivered,
    PaymentVoided,
    SignedIn,
    TaskFailed,
    ToppedUp,
    TopUpsStopped,
    WalletBalanceObserved,
    WebhookFailed,
)
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from tests.unit.test_metrics import PAYMENT, SERVED, alike
from tests.world.fakes import NOON, FakeClock

KEY = "0x" + "4c0883a69102937d6231471b5dbb6204fe512961708279f8a1b2c3d4e5f60718"
TOKEN = "sk-local-Zm9v/YmFy+xyz?~"
SECRETS = (KEY, TOKEN)
CREDIT = Balance(Decimal("0.040000"), "usd", can_consume=False)


class Terminal(io.StringIO):
    """A stream that says a person is looking."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


Make = Callable[..., LogSink]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes sinks, and gives logging back at the end."""
    made: list[LogSink] = []

    def build(
        stream: io.StringIO, level: Any = "info", format: Any = "auto", clock: Any = None
    ) -> LogSink:
        made.append(configure(format, level, SECRETS, clock=clock or FakeClock(), stream=stream))
        return made[-1]

    yield build
    for sink in reversed(made):
        sink.close()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def never(_: float) -> tuple[str, float]:
    """A moment that has no text."""
    return "", inf


def logged(make: Make, *events: Event, level: str = "debug") -> list[dict[str, Any]]:
    stream = io.StringIO()
    sink = make(stream, level)
    for event in events:
        sink(event)
    sink.flush()
    return lines(stream)


def test_canonical_line(make: Make) -> None:
    """A request is one line, with every field that it has and no other."""
    event = replace(SERVED, decision="paid", amount=Usdc(10_000), payment_id="p1", rule="budget")

    assert [
        {
            "timestamp": "2026-11-21T12:00:00.000Z",
            "level": "info",
            "event": "request",
            "request_id": "r1",
            "route": "venice",
            "caller": "aider",
            "method": "POST",
            "path": "/v1/chat",
            "status": 200,
            "duration_ms": 30.0,
            "upstream_ms": 25.0,
            "decision": "paid",
            "rule": "budget",
            "amount": "0.01 USDC",
            "payment_id": "p1",
            "detail": "a sentence",
        }
    ] == logged(make, replace(event, detail="a sentence"))


def test_both_renderings_agree(make: Make) -> None:
    """The fast JSON of a request holds what the table of fields says, whatever its texts hold."""
    odd = 'a"b\\c\n\x00\x1b[31m\u2028\x7f\udc80é漢'
    event = replace(
        SERVED, path=odd, method=odd, detail=odd, rule=odd, payment_id=odd, amount=Usdc(1)
    )
    for each in (SERVED, event, replace(SERVED, duration_s=1e-7, upstream_s=12345.6789)):
        (line,) = logged(make, each)
        assert {
            "timestamp": "2026-11-21T12:00:00.000Z",
            "level": "info",
            "event": "request",
            **describe(each).fields,
        } == line


def test_lines_that_share(make: Make) -> None:
    """Requests that share all but their numbers keep those apart, and never show a secret."""
    odd = f'/v1/{TOKEN}?0.000,"upstream_ms":0.000'
    quiet = replace(SERVED, path=odd)
    events = [replace(quiet, request_id=f"r{n}", duration_s=n, upstream_s=n / 2) for n in range(3)]
    events += [replace(events[0], status=503, decision="failed"), replace(events[0], status=404)]
    found = [line for event in events * 2 for line in logged(make, event)]
    stream = io.StringIO()
    sink = make(stream)
    for event in events * 2:
        sink(event)
    sink.flush()

    assert found == lines(stream)
    assert [(0.0, 0.0), (1000.0, 500.0), (2000.0, 1000.0)] == [
        (line["duration_ms"], line["upstream_ms"]) for line in found[:3]
    ]
    assert ["r0", "r1", "r2"] == [line["request_id"] for line in found[:3]]
    assert ["info", "info", "info", "warning", "info"] == [line["level"] for line in found[:5]]
    assert [200, 200, 200, 503, 404] == [line["status"] for line in found[:5]]
    assert odd.replace(TOKEN, "[redacted]") == found[0]["path"]
    assert TOKEN not in stream.getvalue()


def test_shared_is_bounded() -> None:
    """However many paths an app asks for, what is remembered of them is bounded."""
    shared = RequestLines(str, 0)
    for number in range(SHARED_MAX + 2):
        shared.text(never, alike(replace(SERVED, path=f"/{number}")))

    assert 2 == len(shared._shared)


def test_durations() -> None:
    """Durations are told in milliseconds, to the microsecond."""
    requests = RequestLines(str, 0)
    count = 2_002
    times = [(number / 1e6 + number % 2, number / 1e6 + 1 - number % 2) for number in range(count)]
    ended = [("r", took_s, waited_s, 0.0) for took_s, waited_s in times]
    written = requests.text(never, {SERVED.ending: ended}).splitlines()
    durations = [json.loads(line) for line in written]

    assert [(round(took_s * 1000, 3), round(waited_s * 1000, 3)) for took_s, waited_s in times] == [
        (line["duration_ms"], line["upstream_ms"]) for line in durations
    ]
    assert '"duration_ms":1002.001,"upstream_ms":2.001,' in written[-1]
    assert '"duration_ms":0.000,"upstream_ms":1000.000,' in written[0]


@pytest.mark.parametrize("name", ["id", "route", "caller", "pay_to", "network", "scheme"])
def test_secret_in_one_field(make: Make, name: str) -> None:
    """A secret in any one field of a payment's line is taken out, and all else stays."""
    changed: dict[str, Any] = {name: f"a {TOKEN} b"}
    event = PaymentPosted(replace(PAYMENT, **changed))
    fields = {**describe(event).fields, "payment_id" if name == "id" else name: "a [redacted] b"}
    (line,) = logged(make, event)

    assert {
        "timestamp": "2026-11-21T12:00:00.000Z",
        "level": "info",
        "event": "payment_posted",
        **fields,
    } == line


def test_long_fault(make: Make) -> None:
    """Of a long fault the end is written, whether there is a secret in it or not."""
    for start in ("", TOKEN):
        (line,) = logged(make, TaskFailed("t", ValueError(start + "x" * 9_000 + "end")))

        assert sidecar.logs.FAULT_CHARS_MAX == len(line["exception"])
        assert line["exception"].endswith("xend")


def test_secret_of_two_lines() -> None:
    """A secret that a console would write in other words is found before it is written."""
    stream = Terminal()
    sink = configure("auto", "info", ("first-half\nsecond-half",), clock=FakeClock(), stream=stream)
    sink(LedgerWriteFailed("with First-half\nsecond-half in it"))
    sink.close()

    assert "with [redacted] in it" in stream.getvalue()
    assert "half" not in stream.getvalue()


@pytest.mark.parametrize("kind", QUIET)
def test_quiet(make: Make, kind: type[Event]) -> None:
    """What is never louder than debug is written where debug is, and nowhere else."""
    events: dict[type, Event] = {
        PaymentReserved: PaymentReserved(PAYMENT),
        BalanceObserved: BalanceObserved("venice", "", CREDIT, NOON),
        CostObserved: CostObserved("venice", "aider", Decimal(1), estimated=True),
        WalletBalanceObserved: WalletBalanceObserved("main", "eip155:8453", Usdc(1), NOON),
    }

    assert ["debug"] == [line["level"] for line in logged(make, events[kind])]
    assert [] == logged(make, events[kind], level="info")


def test_no_line_breaks(make: Make) -> None:
    """Control characters in a path stay inside their line."""
    stream = io.StringIO()
    sink = make(stream)
    sink(replace(SERVED, path='/a\r\n{"level":"info"}\x85\u2028'))
    sink.flush()

    assert 1 == len(stream.getvalue().splitlines())
    assert stream.getvalue().isascii()


NOT_RAISED = ("unproven", "in_doubt", "denied", "failed")


@pytest.mark.parametrize(
    ("event", "level", "name"),
    [
        (SERVED, "info", "request"),
        (replace(SERVED, status=402, decision="denied"), "info", "request"),
        (replace(SERVED, status=503, decision="in_doubt"), "warning", "request"),
        (replace(SERVED, status=502, decision="failed"), "warning", "request"),
        (replace(SERVED, status=499, decision="failed"), "info", "request"),
        (PaymentReserved(PAYMENT), "debug", "payment_reserved"),
        (PaymentPosted(PAYMENT), "info", "payment_posted"),
        (PaymentConfirmed(PAYMENT), "info", "payment_confirmed"),
        (PaymentVoided(PAYMENT), "info", "payment_voided"),
        (PaymentInDoubt(PAYMENT, "cut"), "warning", "payment_in_doubt"),
        (PaymentUndelivered(PAYMENT, "500"), "error", "payment_undelivered"),
        (PaymentDenied("venice", "aider", Denied("budget", "x")), "warning", "payment_denied"),
        (PaymentRehearsed(PAYMENT), "info", "payment_rehearsed"),
        (ApprovalAsked(PAYMENT, NOON), "warning", "approval_asked"),
        (ApprovalEnded(PAYMENT, "approved"), "info", "approval_ended"),
        (WebhookFailed("venice", "p1", "it answered 500"), "warning", "approval_webhook_failed"),
        (ToppedUp("venice", "", "raised"), "info", "top_up"),
        *((ToppedUp("venice", "", end), "warning", "top_up") for end in NOT_RAISED),
        (TopUpsStopped("venice", "", stopped=True), "error", "top_ups_stopped"),
        (TopUpsStopped("venice", "", stopped=False), "info", "top_ups_resumed"),
        (SignedIn("venice", "ok"), "debug", "signed_in"),
        (SignedIn("venice", "failed"), "warning", "signed_in"),
        (BalanceObserved("venice", "", CREDIT, NOON), "debug", "balance"),
        (CostObserved("venice", "aider", Decimal(1), estimated=True), "debug", "cost"),
        (WalletBalanceObserved("main", "eip155:8453", Usdc(1), NOON), "debug", "wallet_balance"),
        (DriftMeasured("main", "eip155:8453", ZERO, ZERO, NOON), "debug", "drift"),
        (DriftMeasured("main", "eip155:8453", Usdc(1), ZERO, NOON), "error", "drift"),
        (DriftMeasured("main", "eip155:8453", ZERO, Usdc(1), NOON), "error", "drift"),
        (LedgerWriteFailed("disk full"), "error", "ledger_write_failed"),
        (ClockSkewMeasured("eip155:8453", 2.0), "debug", "clock_skew"),
        (ClockSkewMeasured("eip155:8453", -31.0), "warning", "clock_skew"),
        (TaskFailed("recovery", ValueError("x")), "error", "task_failed"),
    ],
)
def test_levels(make: Make, event: Event, level: str, name: str) -> None:
    """Each event has its name, and is as loud as what it says."""
    (line,) = logged(make, event)

    assert (level, name) == (line["level"], line["event"])


def test_level_filters(make: Make) -> None:
    """Below the configured level nothing is written."""
    events = (SERVED, PaymentPosted(PAYMENT), LedgerWriteFailed("full"))

    assert ["ledger_write_failed"] == [
        line["event"] for line in logged(make, *events, level="error")
    ]


def test_payment_line(make: Make) -> None:
    """A payment's line names its amount, payee and proof, and nothing that could be replayed."""
    posted = replace(PAYMENT, proof=Proof("receipt", "0xfeed"))
    (line,) = logged(make, PaymentPosted(posted))

    assert {
        "payment_id": "p1",
        "route": "venice",
        "caller": "aider",
        "purpose": "request",
        "scheme": "exact",
        "network": "eip155:8453",
        "amount": "0.01 USDC",
        "pay_to": "0xb",
        "proof": "receipt",
        "transaction": "0xfeed",
    } == {name: line[name] for name in line if name not in {"timestamp", "level", "event"}}


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (
            ToppedUp("layer", "weather", "denied", "the budget day"),
            {
                "route": "layer",
                "account": "weather",
                "outcome": "denied",
                "detail": "the budget day",
            },
        ),
        (
            ToppedUp("venice", "", "raised"),
            {"route": "venice", "account": "", "outcome": "raised"},
        ),
        (
            TopUpsStopped("layer", "weather", stopped=True),
            {"route": "layer", "account": "weather"},
        ),
        (
            TopUpsStopped("layer", "weather", stopped=False),
            {"route": "layer", "account": "weather"},
        ),
        (
            WebhookFailed("venice", "p1", "it answered 500"),
            {"route": "venice", "payment_id": "p1", "detail": "it answered 500"},
        ),
        (SignedIn("venice", "failed"), {"route": "venice", "outcome": "failed"}),
        (
            BalanceObserved("venice", "", CREDIT, NOON),
            {
                "route": "venice",
                "account": "",
                "balance": "0.040000",
                "unit": "usd",
                "can_consume": False,
            },
        ),
        (
            CostObserved("venice", "aider", Decimal("0.00042"), estimated=True),
            {"route": "venice", "caller": "aider", "cost_usd": "0.00042", "estimated": True},
        ),
        (
            WalletBalanceObserved("main", "eip155:8453", Usdc(2_500_000), NOON),
            {"wallet": "main", "network": "eip155:8453", "amount": "2.50 USDC"},
        ),
        (
            DriftMeasured("main", "eip155:8453", Usdc(2_500_000), ZERO, NOON),
            {
                "wallet": "main",
                "network": "eip155:8453",
                "foreign": "2.50 USDC",
                "missing": "0.00 USDC",
            },
        ),
    ],
)
def test_credit_lines(make: Make, event: Event, fields: dict[str, Any]) -> None:
    """What concerns credit has its names and its exact numbers."""
    (line,) = logged(make, event)

    assert fields == {
        name: line[name] for name in line if name not in {"timestamp", "level", "event"}
    }


def test_time_of_the_event(make: Make) -> None:
    """A line carries the time of its event, not of its writing."""
    stream, clock = io.StringIO(), FakeClock(NOON + timedelta(milliseconds=999))
    sink = make(stream, clock=clock)
    for _ in range(3):
        sink(SERVED)
        clock.advance(0.5)
    clock.set_wall(NOON - timedelta(days=1))
    sink(SERVED)
    sink.flush()

    assert [
        "2026-11-21T12:00:00.999Z",
        "2026-11-21T12:00:01.499Z",
        "2026-11-21T12:00:01.999Z",
        "2026-11-20T12:00:00.000Z",
    ] == [line["timestamp"] for line in lines(stream)]


@pytest.mark.parametrize("format", ["json", "console"])
def test_time_of_the_end(make: Make, format: str) -> None:
    """A request that is told of later carries the time of its end, whatever second that was in."""
    clock = FakeClock(NOON + timedelta(seconds=1))
    stream, began_s = io.StringIO(), clock.monotonic_s()
    sink = make(stream, format=format, clock=clock)
    clock.advance(0.020)
    ends_ms = (-20, -1, 0, 0, 1, 7, 19, 20)
    ended = [(f"r{n}", 0.1, 0.1, began_s + ms / 1000 + 1e-5) for n, ms in enumerate(ends_ms)]
    sink.hear_requests({SERVED.ending: ended})
    sink.flush()
    written = [re.findall(r"12:00:0\S+Z", line) for line in stream.getvalue().splitlines()]

    assert [
        ["12:00:00.980Z"],
        ["12:00:00.999Z"],
        ["12:00:01.000Z"],
        ["12:00:01.000Z"],
        ["12:00:01.001Z"],
        ["12:00:01.007Z"],
        ["12:00:01.019Z"],
        ["12:00:01.020Z"],
    ] == written


def test_order_of_the_ends(make: Make) -> None:
    """Requests of several kinds are written in the order in which they ended."""
    clock = FakeClock()
    stream = io.StringIO()
    sink = make(stream, clock=clock)
    clock.advance(0.1)
    other, failed = replace(SERVED, status=404).ending, replace(SERVED, detail=f"{TOKEN}").ending
    sink.hear_requests(
        {
            SERVED.ending: [(f"a{ms}", 0.1, 0.1, ms / 1000) for ms in (1, 4, 7)],
            other: [(f"b{ms}", 0.1, 0.1, ms / 1000) for ms in (2, 5)],
            failed: [(f"c{ms}", 0.1, 0.1, ms / 1000) for ms in (3, 6)],
        }
    )
    sink.flush()

    assert ["a1", "b2", "c3", "a4", "b5", "c6", "a7"] == [
        line["request_id"] for line in lines(stream)
    ]


def fault_with_locals() -> BaseException:
    """A fault with a cause, and a local variable that nobody is to see."""

    def inner(hidden: str) -> None:
        raise KeyError("inner trouble")

    try:
        try:
            inner("only a local")
        except KeyError as cause:
            raise ValueError(f"outer {TOKEN}") from cause
    except ValueError as fault:
        caught = fault
    return caught


def test_task_failed(make: Make) -> None:
    """A failed task shows its traceback and causes, without the values of variables."""
    (line,) = logged(make, TaskFailed("recovery", fault_with_locals()))

    assert "recovery" == line["task"]
    assert re.search(
        r"(?s)inner\n.*KeyError: 'inner trouble'\nwhich led to\n.*ValueError: outer \[redacted\]$",
        line["exception"],
    )
    assert "only a local'" not in line["exception"]


def test_causes_end() -> None:
    """A chain of causes is cut at a limit, and a hidden context is not shown."""
    fault: BaseException = ValueError("0")
    for number in range(1, 10):
        outer = ValueError(str(number))
        outer.__context__ = fault
        fault = outer
    hidden = ValueError("shown")
    hidden.__context__, hidden.__suppress_context__ = ValueError("hidden"), True

    assert ["5", "6", "7", "8", "9"] == re.findall(r"ValueError: (\d)", show_fault(fault))
    assert "ValueError: shown" == show_fault(hidden)


def test_long_faults_are_cut(make: Make) -> None:
    """A fault keeps its end, where it says what happened, and no secret is cut in half."""
    message = TOKEN + "x" * (sidecar.logs.FAULT_CHARS_MAX - 10)
    (line,) = logged(make, TaskFailed("t", ValueError(message)))

    assert sidecar.logs.FAULT_CHARS_MAX == len(line["exception"])
    assert "Zm9v" not in line["exception"]


def test_logging_joins(make: Make) -> None:
    """What a library logs is a line of the same log, redacted."""
    stream = io.StringIO()
    sink = make(stream)
    logging.getLogger("asyncio").warning("slow: %s", TOKEN)
    logging.getLogger("asyncio").debug("not at this level")
    sink.flush()

    assert [("warning", "log", "asyncio", "slow: [redacted]")] == [
        (line["level"], line["event"], line["logger"], line["message"]) for line in lines(stream)
    ]


def test_bad_requests_are_not_quoted(make: Make) -> None:
    """aiohttp's record of a bad request becomes a fixed sentence, without the request."""
    stream = io.StringIO()
    sink = make(stream)
    try:
        raise BadHttpMessage("Bad status line b'my dear prompt'")
    except BadHttpMessage as fault:
        logging.getLogger("aiohttp.server").exception(
            "Error handling request from %s", "127.0.0.1", exc_info=fault
        )
    sink.flush()

    assert ["a request that is not valid HTTP was refused"] == [
        line["message"] for line in lines(stream)
    ]
    assert "prompt" not in stream.getvalue()


def test_bad_requests_as_causes(make: Make) -> None:
    """Where a parser's error is the cause of a fault, its message is withheld."""
    outer = ValueError("outer")
    outer.__cause__ = BadHttpMessage("my dear prompt")
    (line,) = logged(make, TaskFailed("request", outer))

    assert "prompt" not in line["exception"]
    assert "BadHttpMessage: (withheld" in line["exception"]


def test_faults_of_libraries(make: Make) -> None:
    """Any other exception that is logged keeps its message and traceback."""
    stream = io.StringIO()
    sink = make(stream)
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Unhandled exception")
    sink.flush()
    (line,) = lines(stream)

    assert ("error", "Unhandled exception") == (line["level"], line["message"])
    assert line["exception"].endswith("ValueError: why")


def test_access_log_is_silent(make: Make) -> None:
    """aiohttp's access log is dropped: its targets carry queries."""
    stream = io.StringIO()
    sink = make(stream)
    logging.getLogger("aiohttp.access").info("GET /?key=1")
    sink.flush()

    assert "" == stream.getvalue()


def test_broken_records(make: Make) -> None:
    """A record whose arguments do not fit its message is logged without them."""
    stream = io.StringIO()
    sink = make(stream, level="debug")
    logging.getLogger("x").info(*("%d of %s", "one"))
    logging.getLogger("x").debug("fine")
    sink.flush()

    assert [("info", "%d of %s"), ("debug", "fine")] == [
        (line["level"], line["message"]) for line in lines(stream) if line["logger"] == "x"
    ]


def test_warnings_join(make: Make) -> None:
    """Python's warnings are lines too."""
    stream = io.StringIO()
    sink = make(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings puts showwarning back, so the capture is begun again inside it.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old thing", stacklevel=1)
        logging.captureWarnings(False)
    sink.flush()

    assert ["py.warnings"] == [line["logger"] for line in lines(stream)]


def test_close_gives_logging_back(make: Make) -> None:
    """After close the standard logging is as it was."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    sink = configure("json", "error", (), clock=FakeClock(), stream=io.StringIO())
    during = logging.getLogger().handlers[:]
    sink.close()

    assert before == (logging.getLogger().handlers, logging.getLogger().level)
    assert before[0] != during


def test_console(make: Make) -> None:
    """On a terminal a line is for a person: its name, key=value, and no control character."""
    stream = Terminal()
    sink = make(stream)
    sink(replace(SERVED, path=f"/\x1b[2J\r\n{TOKEN}", detail="naïve"))
    sink.flush()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())

    assert "request " in plain
    assert "route=venice" in plain
    assert "/\\x1b[2J\\x0d\\x0a[redacted]" in plain
    assert "na\\xefve" in plain
    assert 1 == plain.count("\n")


def test_console_traceback(make: Make) -> None:
    """A person sees a traceback line by line, indented so that no line of it looks like ours."""
    stream = io.StringIO()
    sink = make(stream, format="console")
    sink(TaskFailed("recovery", ValueError("first\n2026 forged\x07")))
    sink.flush()
    first, *rest = stream.getvalue().rstrip("\n").split("\n")

    assert "task_failed" in first
    assert ["    ValueError: first", "    2026 forged\\x07"] == rest


def test_console_without_colour(make: Make) -> None:
    """Asked for on something that is no terminal, the console's lines have no colours."""
    stream = io.StringIO()
    sink = make(stream, format="console")
    sink(SERVED)
    sink.flush()

    assert "\x1b" not in stream.getvalue()
    assert "status=200" in stream.getvalue()


def test_json_on_a_terminal(make: Make) -> None:
    """JSON that was asked for is JSON on a terminal too."""
    stream = Terminal()
    sink = make(stream, format="json")
    sink(SERVED)
    sink.flush()

    assert 200 == lines(stream)[0]["status"]


async def test_run_writes(make: Make) -> None:
    """The running task writes what comes, in order; flush writes what is left."""
    stream = io.StringIO()
    sink = make(stream)
    task = asyncio.create_task(sink.run())
    for number in range(300):
        sink(replace(SERVED, status=number))
    while len(stream.getvalue().splitlines()) < 300:
        await asyncio.sleep(0.001)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    sink(replace(SERVED, status=300))
    sink.flush()

    assert list(range(301)) == [line["status"] for line in lines(stream)]


def test_full_queue(make: Make) -> None:
    """A full queue drops lines and says how many."""
    stream = io.StringIO()
    sink = make(stream)
    for _ in range(sidecar.logs.QUEUE_LINES_MAX + 5):
        sink(SERVED)
    logging.getLogger("x").warning("one more")
    sink.flush()
    counts = [line["count"] for line in lines(stream) if line["event"] == "log_lines_dropped"]

    assert [6] == counts
    assert sidecar.logs.QUEUE_LINES_MAX + 1 == len(lines(stream))


def test_requests_together(make: Make) -> None:
    """Requests that ended together are the lines that each would be, in their place in the log."""
    mixed = [
        replace(SERVED, request_id="r2", path="/100%s"),
        replace(SERVED, request_id="r3", detail=f"cut {TOKEN}"),
        replace(SERVED, request_id="r4", status=503, decision="failed", duration_s=1.0006),
    ]
    for level, format in (("info", "json"), ("warning", "json"), ("info", "console")):
        singly, together = io.StringIO(), io.StringIO()
        one = make(singly, level, format)
        events: list[Event] = [LedgerWriteFailed("before"), *mixed, LedgerWriteFailed("after")]
        for event in events:
            one(event)
        many = make(together, level, format)
        many(LedgerWriteFailed("before"))
        many.hear_requests(alike(*mixed))
        many(LedgerWriteFailed("after"))
        one.flush()
        many.flush()

        assert singly.getvalue() == together.getvalue()
        assert TOKEN not in together.getvalue()
    stream = io.StringIO()
    sink = make(stream)
    sink.hear_requests(alike(*mixed))
    sink.flush()

    assert [("r2", 30.0), ("r3", 30.0), ("r4", 1000.6)] == [
        (line["request_id"], line["duration_ms"]) for line in lines(stream)
    ]


def test_full_queue_of_many(make: Make) -> None:
    """Requests that ended together count as so many lines, of which those that fit are kept."""
    stream = io.StringIO()
    sink = make(stream)
    most, rounds = sidecar.logs.QUEUE_LINES_MAX, sidecar.logs.QUEUE_LINES_MAX // 48 + 2
    for _ in range(2):
        for _ in range(rounds):
            sink.hear_requests(alike(*[SERVED, replace(SERVED, status=404)] * 24))
        sink(LedgerWriteFailed("full"))
        sink.flush()
    written = lines(stream)
    left = 48 * rounds + 1 - most

    assert [left] * 2 == [line["count"] for line in written if line["event"] == "log_lines_dropped"]
    assert 2 * most == sum(line["event"] == "request" for line in written)


def test_reader_gone(make: Make) -> None:
    """A log that nobody reads any more stops nothing."""
    sink = make(Broken())
    sink(SERVED)

    sink.flush()


def test_short_secrets_are_named(make: Make) -> None:
    """A secret too short to be redacted is left alone, and the log says so."""
    stream = io.StringIO()
    sink = configure("json", "info", ("test", "ollama", TOKEN), stream=stream, clock=FakeClock())
    sink(replace(SERVED, path="/test"))
    sink.close()
    warning, request = lines(stream)

    assert "2 secrets of under 8 characters" in warning["message"]
    assert "/test" == request["path"]


def test_sentences(make: Make) -> None:
    """A sentence for people is a plain line on a console, and an event like the others in JSON."""
    terminal, stream = Terminal(), io.StringIO()
    make(terminal).say("serving", "serving http://127.0.0.1:1")
    sink = make(stream)
    sink.say("serving", "serving http://127.0.0.1:1")
    sink.flush()

    assert "sidecar: serving http://127.0.0.1:1\n" == terminal.getvalue()
    assert [("serving", "serving http://127.0.0.1:1")] == [
        (line["event"], line["message"]) for line in lines(stream)
    ]
