"""The admin port buys credit for whoever shows its token, and says what came of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from aiohttp.test_utils import RawTestServer, TestClient

from sidecar.errors import SidecarError, UpstreamTimeoutError, WalletError
from sidecar.payments.by_hand import Bought, NotForSale, Purchased
from sidecar.payments.order import InDoubt
from sidecar.providers.base import Balance
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admin_office import ViewOffice, show_payment
from sidecar.refusal import Denied
from tests.unit.proxy.test_admin import BEARER, PAYMENT, READY, TOKEN, FixedView


@dataclass
class Seller(FixedView):
    """A view whose vendor may be at fault."""

    fault: SidecarError | None = None

    async def top_up(self, route: str, account: str) -> Purchased:
        if self.fault is not None:
            raise self.fault
        return await FixedView.top_up(self, route, account)


@dataclass
class Shop:
    """The admin port in front of it."""

    client: TestClient[Any, Any]
    view: Seller

    async def buy(self, path: str, method: str = "POST", token: str = BEARER) -> tuple[int, Any]:
        """The status, and the JSON."""
        headers = {"Authorization": token} if token else {}
        async with self.client.request(method, path, headers=headers) as response:
            return response.status, json.loads(await response.text())


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    view = Seller(READY)
    server = RawTestServer(
        AdminHandler(ViewOffice(view), lambda: frozenset({f"127.0.0.1:{server.port}"}), TOKEN)
    )
    client: TestClient[Any, Any] = TestClient(server)
    async with client:
        yield Shop(client, view)


@pytest.mark.parametrize(
    ("purchased", "status", "told"),
    [
        (
            Bought(PAYMENT, (Balance(Decimal("9.50"), "usd", can_consume=True),)),
            200,
            {"bought": show_payment(PAYMENT), "balances": [{"value": "9.50", "unit": "usd"}]},
        ),
        (
            InDoubt(PAYMENT, "no answer", None),
            202,
            {"in_doubt": show_payment(PAYMENT), "error": "top-up p1 is in doubt: no answer"},
        ),
        (Denied("budget", "no room"), 409, {"rule": "budget", "error": "no room"}),
        (NotForSale("no credit there"), 404, {"error": "no credit there"}),
    ],
    ids=["bought", "in-doubt", "denied", "not-for-sale"],
)
async def test_outcomes(shop: Shop, purchased: Purchased, status: int, told: Any) -> None:
    """Each outcome has its status, so that a program need not read sentences."""
    shop.view.purchased = purchased

    assert (status, told) == await shop.buy("/top-up/venice")


async def test_accounts(shop: Shop) -> None:
    """The path names the route, and an account of it where there are several."""
    for path in ("/top-up/venice", "/top-up/layer/weather-data", "/top-up/venice?x=1"):
        await shop.buy(path)

    assert [("venice", ""), ("layer", "weather-data"), ("venice", "")] == shop.view.asked_for


@pytest.mark.parametrize(
    ("fault", "status"),
    [(UpstreamTimeoutError("too slow"), 504), (WalletError("no key"), 500)],
    ids=["upstream", "wallet"],
)
async def test_faults(shop: Shop, fault: SidecarError, status: int) -> None:
    """A fault of the vendor's or ours is told, and is no success."""
    shop.view.fault = fault

    assert (status, {"error": fault.diagnostics()}) == await shop.buy("/top-up/venice")


@pytest.mark.parametrize(
    ("method", "token", "status"),
    [("POST", "", 401), ("POST", "Bearer x", 401), ("GET", BEARER, 405)],
)
async def test_not_asked(shop: Shop, method: str, token: str, status: int) -> None:
    """Without the token, or by a mere link, nothing is bought."""
    answered, _ = await shop.buy("/top-up/venice", method, token)

    assert (status, []) == (answered, shop.view.asked_for)
