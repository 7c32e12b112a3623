"""The admin port: what it shows, and whom it does not show it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import RawTestServer, TestClient

from sidecar.errors import LedgerError
from sidecar.ledger.model import Asked, Payment, PaymentState, Proof, Purchase
from sidecar.money import Usdc
from sidecar.payments.by_hand import NotForSale, Purchased
from sidecar.payments.events import ConfigReloaded
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admin_office import PAYMENTS_SHOWN, ViewOffice, show_payment
from sidecar.refusal import BudgetUse, Denied
from sidecar.x402.types import Authorization
from tests.world.fakes import NOON

PAYMENT = Payment(
    id="p1",
    purchase=Purchase("the purchase key", explicit=False),
    state=PaymentState.AUTHORIZED,
    route="venice",
    caller="aider",
    purpose="request",
    scheme="exact",
    network="eip155:8453",
    asset="0xa",
    pay_to="0xb",
    amount=Usdc(10_000),
    envelope={"resource": "for the seller only"},
    authorization=Authorization(
        "eip155:8453", "the nonce", NOON + timedelta(seconds=120), {"from": "0xc"}
    ),
    proof=None,
    reserved_at=NOON,
    authorized_at=NOON,
    settled_at=None,
    delivered_at=None,
    closed_at=None,
    confirmed=False,
)
DAY = BudgetUse("day", Usdc(5_000_000), Usdc(1_250_000), Usdc(10_000), NOON + timedelta(hours=12))
TOKEN = "sk-sidecar-admin"
READY: Mapping[str, str | None] = {"config": None, "ledger": None, "wallets": None}


@dataclass
class FixedView:
    """A view that a test sets up; `broken` is what its ledger says."""

    checks: Mapping[str, str | None]
    broken: str = ""
    reads: int = 0
    frozen: datetime | None = None
    decided: list[bool] = field(default_factory=list)
    asked_for: list[tuple[str, str]] = field(default_factory=list)
    purchased: Purchased = field(default_factory=lambda: NotForSale("no such route"))

    async def readiness(self) -> Mapping[str, str | None]:
        self.reads += 1
        return self.checks

    async def budgets(self) -> Sequence[BudgetUse]:
        self._read()
        return (DAY, replace(DAY, name="all", resets_at=None))

    async def in_doubt(self) -> Sequence[Payment]:
        self._read()
        return (PAYMENT,)

    async def payments(self, limit: int) -> Sequence[Payment]:
        self._read()
        return (PAYMENT,) * min(limit, 100)

    async def frozen_since(self) -> datetime | None:
        self._read()
        return self.frozen

    async def freeze(self) -> datetime:
        self._read()
        self.frozen = NOON
        return NOON

    async def unfreeze(self) -> datetime | None:
        self._read()
        was, self.frozen = self.frozen, None
        return was

    async def asked(self) -> Sequence[Asked]:
        self._read()
        return (Asked(PAYMENT, NOON),)

    async def decide(self, payment_id: str, *, approve: bool) -> Payment | Denied:
        self._read()
        if payment_id != PAYMENT.id:
            return Denied("not_waiting", "it does not wait")
        self.decided.append(approve)
        return PAYMENT

    async def reload(self) -> ConfigReloaded:
        mistakes = (self.broken,) if self.broken else ()
        return ConfigReloaded(NOON, () if mistakes else ("routes.venice",), mistakes)

    async def top_up(self, route: str, account: str) -> Purchased:
        self._read()
        self.asked_for.append((route, account))
        return self.purchased

    def describe(self) -> Mapping[str, Any]:
        return {"version": "1.2.3", "now": NOON.isoformat(), "uptime_s": 5, "state": "serving"}

    def observed(self) -> Mapping[str, Any]:
        return {"refusals": [], "top_ups_stopped": []}

    async def money(self) -> Mapping[str, Any]:
        self._read()
        return {"balances": [], "spending": []}

    async def news(self, seen: int) -> int:
        return seen

    def is_stopping(self) -> bool:
        return True

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        self._read()
        return f"# for {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"

    def _read(self) -> None:
        self.reads += 1
        if self.broken:
            raise LedgerError(self.broken)


@dataclass
class Port:
    """The admin port on loopback, and the view behind it."""

    client: TestClient[Any, Any]
    view: FixedView

    @property
    def host(self) -> str:
        return f"{self.client.host}:{self.client.port}"

    async def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, str, Mapping[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(method, path, headers=named) as response:
            return response.status, await response.text(), response.headers


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    view = FixedView(READY)
    server = RawTestServer(
        AdminHandler(ViewOffice(view), lambda: frozenset({f"127.0.0.1:{server.port}"}), TOKEN)
    )
    client: TestClient[Any, Any] = TestClient(server)
    async with client:
        yield Port(client, view)


async def test_livez(port: Port) -> None:
    """/livez says ok and reads nothing."""
    status, text, _ = await port.ask("/livez")

    assert (200, "ok", 0) == (status, text, port.view.reads)


async def test_ready(port: Port) -> None:
    """/readyz is 200 while every check holds."""
    status, text, _ = await port.ask("/readyz")

    assert (200, {"ready": True, "failed": {}}) == (status, json.loads(text))


async def test_not_ready(port: Port) -> None:
    """/readyz is 503 with the checks that fail, and why; the others are not named."""
    port.view.checks = {**READY, "ledger": "disk full", "draining": "the sidecar is stopping"}
    status, text, _ = await port.ask("/readyz")

    failed = {"ledger": "disk full", "draining": "the sidecar is stopping"}
    assert (503, {"ready": False, "failed": failed}) == (status, json.loads(text))


async def test_reload(port: Port) -> None:
    """/reload says what has changed; or, with 409, every mistake for which nothing has."""
    token = f"Bearer {TOKEN}"
    stranger = await port.ask("/reload", "POST")
    looked = await port.ask("/reload", Authorization=token)
    taken = await port.ask("/reload", "POST", Authorization=token)
    port.view.broken = "listen: needs a restart; put it back or restart"
    refused = await port.ask("/reload", "POST", Authorization=token)

    assert (401, 405, 200, 409) == (stranger[0], looked[0], taken[0], refused[0])
    assert {"reloaded": NOON.isoformat(), "changed": ["routes.venice"]} == json.loads(taken[1])
    assert {"error": "nothing was changed", "errors": [port.view.broken]} == json.loads(refused[1])


async def test_metrics(port: Port) -> None:
    """/metrics is the view's exposition for the caller's Accept, with its content type."""
    status, text, headers = await port.ask("/metrics", Accept="text/plain")

    assert (200, "# for text/plain\n") == (status, text)
    assert "text/plain; version=0.0.4; charset=utf-8" == headers["Content-Type"]


async def test_status(port: Port) -> None:
    """/status is what the view describes, with budgets, doubts and the newest payments."""
    status, text, headers = await port.ask("/status?watch=1")
    state = json.loads(text)

    assert (200, "application/json; charset=utf-8") == (status, headers["Content-Type"])
    assert ("1.2.3", 5, "serving") == (state["version"], state["uptime_s"], state["state"])
    assert {
        "name": "day",
        "limit": "5.00 USDC",
        "spent": "1.25 USDC",
        "reserved": "0.01 USDC",
        "remaining": "3.74 USDC",
        "resets_at": "2026-11-22T00:00:00+00:00",
    } == state["budgets"][0]
    assert state["budgets"][1]["resets_at"] is None
    assert ["p1"] == [payment["id"] for payment in state["in_doubt"]]
    assert PAYMENTS_SHOWN == len(state["payments"])
    assert [("p1", NOON.isoformat())] == [(a["id"], a["until"]) for a in state["approvals"]]
    assert {"refusals", "top_ups_stopped", "balances", "spending"} <= state.keys()


async def test_status_without_ledger(port: Port) -> None:
    """With an unreadable ledger /status is 503, and still says what it can."""
    port.view.broken = "the ledger is corrupt"
    status, text, _ = await port.ask("/status")
    state = json.loads(text)

    assert (503, "the ledger is corrupt", "1.2.3") == (status, state["error"], state["version"])
    assert [] == state["refusals"]


def test_show_payment() -> None:
    """A payment is shown with its proof and times, without what only the seller needs."""
    posted = replace(
        PAYMENT,
        state=PaymentState.POSTED,
        proof=Proof("receipt", "0xfeed"),
        settled_at=NOON + timedelta(seconds=2),
        confirmed=True,
    )
    shown = show_payment(posted)

    assert ("posted", True, "0.01 USDC", "receipt", "0xfeed", "2026-11-21T12:00:02+00:00") == tuple(
        shown[name]
        for name in ("state", "confirmed", "amount", "proof", "transaction", "settled_at")
    )
    assert "seller only" not in json.dumps(shown)
    assert "nonce" not in json.dumps(shown)
    assert "purchase key" not in json.dumps(shown)


def test_show_reserved() -> None:
    """A payment that is only reserved has no expiry, proof or transaction."""
    shown = show_payment(replace(PAYMENT, authorization=None, proof=Proof("unsigned")))

    assert (None, "unsigned", None) == (shown["expires_at"], shown["proof"], shown["transaction"])


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/status"])
async def test_head(port: Port, path: str) -> None:
    """HEAD gets the same answer without its body."""
    status, text, headers = await port.ask(path, "HEAD")

    assert (200, "") == (status, text)
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "path", ["/page", "/page/", "/page/other.js", "/livez/", "/livez%00", "/LIVEZ", "/favicon.ico"]
)
async def test_not_found(port: Port, path: str) -> None:
    """Any other path is not there; the answer names those that are."""
    async with ClientSession() as session, session.get(f"http://{port.host}{path}") as response:
        status, text = response.status, await response.text()

    # An encoded NUL does not even get through the door.
    assert (400 if "%" in path else 404) == status
    assert "error" in json.loads(text)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods(port: Port, method: str) -> None:
    """What only shows cannot be changed: every other method is refused, with what is allowed."""
    status, _, headers = await port.ask("/status", method)

    assert (405, "GET, HEAD", 0) == (status, headers["Allow"], port.view.reads)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "localhost:9402"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/livez", "/status", "/metrics", "/nowhere"])
async def test_strangers(port: Port, path: str, headers: dict[str, str]) -> None:
    """A foreign Host, Origin or Sec-Fetch-Site gets 403 on every path, and nothing is read."""
    status, text, answered = await port.ask(path, **headers)

    assert (403, 0) == (status, port.view.reads)
    assert ["error"] == list(json.loads(text))
    assert [] == [name for name in answered if name.lower().startswith("access-control")]


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_own_pages(port: Port, site: str) -> None:
    """A person who types the address, and the port's own pages, are let in."""
    status, _, answered = await port.ask(
        "/status", Origin=f"http://{port.host}", Sec_Fetch_Site=site
    )

    assert 200 == status
    assert [] == [name for name in answered if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/status", "/nowhere"])
async def test_safe_headers(port: Port, path: str) -> None:
    """No answer is stored or sniffed, refusals included."""
    for headers in ({}, {"Host": "evil.example"}):
        _, _, answered = await port.ask(path, **headers)

        assert ("no-store", "nosniff") == (
            answered["Cache-Control"],
            answered["X-Content-Type-Options"],
        )


BEARER = f"Bearer {TOKEN}"


async def test_freeze(port: Port) -> None:
    """POST /freeze and /unfreeze, with the admin token, switch, and say since when."""
    frozen = await port.ask("/freeze", "POST", Authorization=BEARER)
    _, seen, _ = await port.ask("/status")
    thawed = await port.ask("/unfreeze", "POST", x_api_key=TOKEN)
    again = await port.ask("/unfreeze", "POST", Authorization=BEARER)

    since = "2026-11-21T12:00:00+00:00"
    assert (200, {"frozen": since}) == (frozen[0], json.loads(frozen[1]))
    assert since == json.loads(seen)["frozen"]
    assert (200, {"frozen": None, "was_frozen": since}) == (thawed[0], json.loads(thawed[1]))
    assert (200, {"frozen": None, "was_frozen": None}) == (again[0], json.loads(again[1]))


async def test_decide(port: Port) -> None:
    """POST /approve/ID and /refuse/ID, with the admin token, decide, and say about which."""
    approved = await port.ask("/approve/p1", "POST", Authorization=BEARER)
    refused = await port.ask("/refuse/p1", "POST", x_api_key=TOKEN)
    unknown = await port.ask("/approve/p2", "POST", Authorization=BEARER)
    nothing = await port.ask("/approve/", "POST", Authorization=BEARER)

    assert [True, False] == port.view.decided
    assert (200, "p1") == (approved[0], json.loads(approved[1])["approved"]["id"])
    assert (200, "p1") == (refused[0], json.loads(refused[1])["refused"]["id"])
    assert (409, {"error": "it does not wait"}) == (unknown[0], json.loads(unknown[1]))
    assert 404 == nothing[0]
    assert "/approve/PAYMENT" in nothing[1]


async def test_decide_by_a_link(port: Port) -> None:
    """A GET decides nothing, so that no link, image or prefetch can."""
    status, _, _ = await port.ask("/approve/p1", Authorization=BEARER)

    assert (405, []) == (status, port.view.decided)


@pytest.mark.parametrize(
    "path",
    ["/freeze", "/unfreeze", "/freeze?x=1", "/approve/p1", "/refuse/p1", "/top-up/venice"],
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer sk-sidecar-admi"},
        {"Authorization": f"Basic {TOKEN}"},
        {"x_api_key": "no"},
    ],
)
async def test_switch_without_token(port: Port, path: str, headers: dict[str, str]) -> None:
    """Without the admin token nothing is switched, and the answer says where the token is."""
    status, text, _ = await port.ask(path, "POST", **headers)

    assert (401, 0) == (status, port.view.reads)
    assert "admin.token" in json.loads(text)["error"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_switch_methods(port: Port, method: str) -> None:
    """A switch is not thrown by looking at it: only POST, whatever the token."""
    status, _, headers = await port.ask("/freeze", method, Authorization=BEARER)

    assert (405, "POST", 0) == (status, headers["Allow"], port.view.reads)


async def test_switch_from_a_page(port: Port) -> None:
    """A web page cannot throw a switch, even if it knew the token."""
    headers = {"Authorization": BEARER, "Origin": "https://evil.example"}
    status, _, _ = await port.ask("/freeze", "POST", **headers)

    assert (403, 0) == (status, port.view.reads)


async def test_switch_without_ledger(port: Port) -> None:
    """A switch that could not be written says so, and is no success."""
    port.view.broken = "disk full"
    status, text, _ = await port.ask("/freeze", "POST", Authorization=BEARER)

    assert (503, {"error": "disk full"}) == (status, json.loads(text))
