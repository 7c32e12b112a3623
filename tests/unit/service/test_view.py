"""What the admin port is shown of one service: refusals without secrets, and what was switched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.metrics import Metrics
from sidecar.money import Usdc
from sidecar.payments.by_hand import ByHand
from sidecar.payments.events import RequestServed, TopUpsStopped, WalletBalanceObserved
from sidecar.service import open_all
from sidecar.service.recent import Recent
from sidecar.service.view import View
from tests.world.fakes import NOON, FakeClock
from tests.world.intents import authorization, intent, posted, reserved
from tests.world.running import TOKEN, config_text, write_private

REFUSED = RequestServed(
    "r1", "seller", "app", "GET", f"/v1/{TOKEN}", 402, 0.1, 0.1, "denied",
    rule="budget", detail=f'no room for "{TOKEN}"',
)  # fmt: skip


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    opened = await SqliteLedger.open(tmp_path / "ledger.db", "one")
    yield opened
    await opened.close()


def view_of(folder: Path, ledger: SqliteLedger, recent: Recent) -> View:
    config = parse_config(config_text(folder, "http://127.0.0.1:1"), {}, {}, folder)
    opened = open_all(config, {}, SystemEntropy())
    return View(config, opened, ledger, Metrics((), ()), FakeClock(), lambda: False, recent)


def quiet() -> Recent:
    return Recent(FakeClock().now, pace_s=0, look_s=0)


async def test_refusal(tmp_path: Path, ledger: SqliteLedger) -> None:
    """A refusal is shown with these keys, and none of our secrets is in it."""
    recent = quiet()
    recent.observe(REFUSED)
    recent.observe(replace(REFUSED, request_id="r2", method=TOKEN, path="/v1"))
    newest, oldest = view_of(tmp_path, ledger, recent).observed()["refusals"]

    assert {
        "at": NOON.isoformat(),
        "request_id": "r1",
        "route": "seller",
        "caller": "app",
        "method": "GET",
        "path": "/v1/[redacted]",
        "status": 402,
        "decision": "denied",
        "rule": "budget",
        "detail": 'no room for "[redacted]"',
    } == oldest
    assert ("r2", "[redacted]") == (newest["request_id"], newest["method"])


async def test_stopped(tmp_path: Path, ledger: SqliteLedger) -> None:
    """An account whose top-ups are stopped is shown with its route."""
    recent = quiet()
    recent.observe(TopUpsStopped("seller", "0xa", stopped=True))

    assert [{"route": "seller", "account": "0xa"}] == view_of(tmp_path, ledger, recent).observed()[
        "top_ups_stopped"
    ]


async def test_money(tmp_path: Path, ledger: SqliteLedger) -> None:
    """A wallet lasts by what the ledger says it paid, and only what moved is spend."""
    recent = quiet()
    recent.observe(WalletBalanceObserved("main", "eip155:84532", Usdc(100), NOON))
    await posted(ledger, "p1", route="seller", amount=25)
    await reserved(ledger, "p2", route="seller", amount=30)
    money = await view_of(tmp_path, ledger, recent).money()
    (hours,) = [row for row in money["spending"] if (row["span"], row["by"]) == ("24h", "route")]

    assert ("seller", "0.000025 USDC") == (hours["name"], hours["total"])
    assert [96.0] == [row["hours_to_empty"] for row in money["balances"]]


async def test_switches_ring(tmp_path: Path, ledger: SqliteLedger) -> None:
    """Whoever watches hears of a freeze, of its end, and of a decision."""
    recent = quiet()
    view = view_of(tmp_path, ledger, recent)
    heard = []
    for switch in (view.freeze, view.unfreeze):
        await switch()
        heard.append(await view.news(0))
    await ledger.reserve(intent("p1", ask_until=authorization("p1").expires_at), NOON)
    await view.decide("p1", approve=True)
    heard.append(await view.news(0))

    assert [1, 2, 3] == heard


async def test_secret_of_before(tmp_path: Path, ledger: SqliteLedger) -> None:
    """What was a secret before the config was read again stays out of the refusals of then."""
    recent = quiet()
    recent.observe(REFUSED)
    view = view_of(tmp_path, ledger, recent)
    config = parse_config(config_text(tmp_path, "http://127.0.0.1:1"), {}, {}, tmp_path)
    write_private(tmp_path / "app.token", TOKEN[::-1])
    nothing_to_buy = ByHand({}, *[None] * 4)  # type: ignore[arg-type]  # nobody asks it
    view.use(config, open_all(config, {}, SystemEntropy()), nothing_to_buy)
    (refusal,) = view.observed()["refusals"]

    assert "/v1/[redacted]" == refusal["path"]
