"""The webhook of payments that wait: what it is told, and which answers decide."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.errors import UpstreamError
from sidecar.http import HttpRequest, HttpResponse, Reply, WholeReply
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.payments.events import Event, WebhookFailed
from sidecar.payments.webhooks import Webhook
from sidecar.tasks import Supervisor
from tests.world.fakes import NOON, FakeClock
from tests.world.intents import reserved

URL = "https://chat.example/hooks/secret?key=1"
UNTIL = NOON + timedelta(minutes=2)


class Bot:
    """Who is told: answers as it is set up, in turn; the last answer stays."""

    def __init__(self, *answers: tuple[int, bytes] | UpstreamError) -> None:
        self.answers = list(answers)
        self.told: list[HttpRequest] = []

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        self.told.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, UpstreamError):
            raise answer
        return WholeReply(HttpResponse(answer[0], (), answer[1]))


async def told(folder: Path, bot: Bot) -> tuple[bool | None, list[Event], FakeClock]:
    """What the ledger knows after the bot was told, what was emitted, and the clock."""
    ledger = await SqliteLedger.open(folder / "ledger.db", "one")
    payment = await reserved(ledger, "p1", ask_until=UNTIL)
    events: list[Event] = []
    clock, tasks = FakeClock(), Supervisor(lambda name, fault: None)
    webhook = Webhook(URL, 120, ledger, tasks, (bot, clock, events.append))
    await webhook.tell(payment, UNTIL)
    approved = await ledger.approved("p1")
    await ledger.close()
    return approved, events, clock


@pytest.mark.parametrize(
    ("answer", "approved"),
    [
        (b'{"decision": "approve"}', True),
        (b'{"decision": "refuse", "by": "ann"}', False),
        (b'{"decision": "Approve"}', None),
        (b'{"decision": true}', None),
        (b'{"approve": true}', None),
        (b'["approve"]', None),
        (b"approve", None),
        (b"ok", None),
        (b"", None),
        (b"[" * 10_000, None),
    ],
    ids=["approve", "refuse", "other case", "flag", "other key", "list", "word", "ok", "", "deep"],
)
async def test_answers(tmp_path: Path, answer: bytes, approved: bool | None) -> None:
    """Exactly two answers decide; any other only says that it was heard."""
    bot = Bot((200, answer))
    said, events, _ = await told(tmp_path, bot)

    assert (approved, [], 1) == (said, events, len(bot.told))


async def test_what_is_told(tmp_path: Path) -> None:
    """It is told of the payment, all that a person needs to decide, and until when."""
    bot = Bot((204, b""))
    await told(tmp_path, bot)
    (request,) = bot.told

    assert ("POST", URL) == (request.method, request.url)
    assert {
        "event": "approval_asked",
        "until": "2026-11-21T12:02:00+00:00",
        "payment": {
            "id": "p1",
            "route": "venice",
            "caller": "aider",
            "purpose": "request",
            "amount": "0.000001 USDC",
            "network": "eip155:84532",
            "asset": "0xusdc",
            "pay_to": "0xseller",
        },
    } == json.loads(request.body)


async def test_told_again(tmp_path: Path) -> None:
    """A webhook that fails is told again, a little later."""
    bot = Bot(UpstreamError("refused"), (500, b""), (200, b'{"decision": "approve"}'))
    said, events, clock = await told(tmp_path, bot)

    assert (True, [], 3, 6.0) == (said, events, len(bot.told), clock.monotonic_s())


@pytest.mark.parametrize("answer", [(302, b""), (404, b""), (500, b'{"decision": "approve"}')])
async def test_fails(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    """Whatever is no success decides nothing; after three times it is told of, without the URL."""
    bot = Bot(answer)
    said, events, _ = await told(tmp_path, bot)
    (event,) = events

    assert (None, 3) == (said, len(bot.told))
    assert WebhookFailed("venice", "p1", f"the webhook answered {answer[0]}") == event


async def test_too_late(tmp_path: Path) -> None:
    """An answer for a payment that does not wait any more changes nothing."""
    bot = Bot((200, b'{"decision": "approve"}'))
    ledger = await SqliteLedger.open(tmp_path / "ledger.db", "one")
    payment = await reserved(ledger, "p1", ask_until=NOON)
    clock, tasks = FakeClock(), Supervisor(lambda name, fault: None)
    await Webhook(URL, 120, ledger, tasks, (bot, clock, lambda event: None)).tell(payment, NOON)
    approved = await ledger.approved("p1")
    await ledger.close()

    assert approved is None
