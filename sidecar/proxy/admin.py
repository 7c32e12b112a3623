"""The other port: probes, metrics and status; the switch that stops all signing; approvals.

    /livez    the process answers         no IO
    /readyz   it could pay now            200, or 503 and what is wrong
    /metrics  for Prometheus
    /         the status page, which listens to
    /events   what /status says, again whenever it changed
    /status   for programs
    /freeze   POST, with the admin token: no payment is signed any more, until
    /unfreeze POST, with the admin token
    /reload   POST, with the admin token: the config is read again
    /approve/PAYMENT  POST, with the admin token: what waits for a person is paid
    /refuse/PAYMENT   POST, with the admin token: it is not
    /top-up/ROUTE     POST, with the admin token: credit is bought; /ACCOUNT where it has several

A web page can reach this port too, so the door is the data port's (``admission``). What only shows
wants no token; what changes anything wants one that apps do not have.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web

from sidecar.errors import LedgerError, SidecarError
from sidecar.ledger.model import Payment
from sidecar.payments.by_hand import Bought, NotForSale
from sidecar.payments.order import InDoubt
from sidecar.proxy.admin_view import AdminView
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.answers import Answer
from sidecar.proxy.feed import LISTENERS_MAX, Feed
from sidecar.proxy.status_page import FILES, page_file
from sidecar.refusal import BudgetUse, Denied

PAYMENTS_SHOWN = 20
EVENTS = "/events"
_CROWDED = f"{LISTENERS_MAX} pages are open already; close one"
ADMIN = Caller("admin")
_METHODS = frozenset({"GET", "HEAD"})
# What comes before the payment's id, and whether it approves.
_DECISIONS = {"/approve/": True, "/refuse/": False}
_TOP_UP = "/top-up/"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class AdminHandler:
    """Answers on the admin port. ``hosts``: the names, with port, that it may be called by.

    ``token``: what lets a request change something.
    """

    def __init__(self, view: AdminView, hosts: Callable[[], frozenset[str]], token: str) -> None:
        self._view = view
        self._hosts = hosts
        self._tokens = {token: ADMIN}
        self._pages: Mapping[str, Callable[[str], Awaitable[web.Response]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/status": self._status,
        }
        self._feed = Feed(view, self._describe)
        self._switches: Mapping[str, Callable[[], Awaitable[web.Response]]] = {
            "/freeze": self._freeze,
            "/unfreeze": self._unfreeze,
            "/reload": self._reload,
        }

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        headers = tuple(request.headers.items())
        admitted = Gate(self._hosts(), tokens=None).admit(request.method, request.raw_path, headers)
        if isinstance(admitted, Answer):
            return _json(admitted.status, {"error": admitted.message})
        path = request.raw_path.partition("?")[0]
        switch = self._switches.get(path) or self._decision(path) or self._purchase(path)
        if switch is not None:
            return await self._switch(request, switch)
        page = self._pages.get(path)
        if page is None and path != EVENTS and path not in FILES:
            decisions = (f"{path}PAYMENT" for path in _DECISIONS)
            known = ("/", EVENTS, *self._pages, *self._switches, *decisions, f"{_TOP_UP}ROUTE")
            return _json(404, {"error": f"there is {', '.join(known)}"})
        if request.method not in _METHODS:
            return _not_allowed("this only shows; use GET", "GET, HEAD")
        if page is not None:
            return await page(request.headers.get("Accept", ""))
        if path in FILES:
            return await page_file(path)
        listened = await self._feed.listen(request)
        return _json(503, {"error": _CROWDED}) if listened is None else listened

    async def _switch(
        self, request: web.BaseRequest, switch: Callable[[], Awaitable[web.Response]]
    ) -> web.Response:
        if request.method != "POST":
            return _not_allowed("this changes something; use POST", "POST")
        headers = tuple(request.headers.items())
        admitted = Gate(self._hosts(), self._tokens).admit("POST", request.raw_path, headers)
        if isinstance(admitted, Answer):
            error = "this wants the token in admin.token of the state folder, as a bearer token"
            return _json(admitted.status, {"error": error})
        try:
            return await switch()
        except LedgerError as fault:
            return _json(503, {"error": fault.diagnostics()})

    async def _freeze(self) -> web.Response:
        return _json(200, {"frozen": _moment(await self._view.freeze())})

    async def _unfreeze(self) -> web.Response:
        was = await self._view.unfreeze()
        return _json(200, {"frozen": None, "was_frozen": _moment(was)})

    async def _reload(self) -> web.Response:
        told = await self._view.reload()
        if not told.ok:
            return _json(409, {"error": "nothing was changed", "errors": told.mistakes})
        return _json(200, {"reloaded": _moment(told.at), "changed": told.changed})

    def _decision(self, path: str) -> Callable[[], Awaitable[web.Response]] | None:
        """What decides about the payment that the path names; None where it names none."""
        for prefix, approve in _DECISIONS.items():
            if path.startswith(prefix) and len(path) > len(prefix):
                return partial(self._decide, path[len(prefix) :], approve)
        return None

    async def _decide(self, payment_id: str, approve: bool) -> web.Response:
        decided = await self._view.decide(payment_id, approve=approve)
        if isinstance(decided, Denied):
            return _json(409, {"error": decided.detail})
        return _json(200, {"approved" if approve else "refused": show_payment(decided)})

    def _purchase(self, path: str) -> Callable[[], Awaitable[web.Response]] | None:
        """What buys credit for the route that the path names; None where it names none."""
        if not path.startswith(_TOP_UP):
            return None
        route, _, account = path[len(_TOP_UP) :].partition("/")
        return partial(self._top_up, route, account)

    async def _top_up(self, route: str, account: str) -> web.Response:
        try:
            purchased = await self._view.top_up(route, account)
        except SidecarError as fault:
            return _json(fault.status_hint, {"error": fault.diagnostics()})
        match purchased:
            case Bought(payment, balances):
                held = [{"value": str(each.value), "unit": each.unit} for each in balances]
                return _json(200, {"bought": show_payment(payment), "balances": held})
            case InDoubt(payment, reason, _):
                error = f"top-up {payment.id} is in doubt: {reason}"
                return _json(202, {"in_doubt": show_payment(payment), "error": error})
            case Denied(rule, detail):
                return _json(409, {"rule": rule, "error": detail})
            case NotForSale(detail):
                return _json(404, {"error": detail})

    async def _livez(self, _accept: str) -> web.Response:
        return web.Response(text="ok", headers=_HEADERS)

    async def _readyz(self, _accept: str) -> web.Response:
        checks = await self._view.readiness()
        failed = {name: wrong for name, wrong in checks.items() if wrong is not None}
        return _json(503 if failed else 200, {"ready": not failed, "failed": failed})

    async def _metrics(self, accept: str) -> web.Response:
        body, content_type = await self._view.metrics(accept)
        return web.Response(body=body, headers={**_HEADERS, "Content-Type": content_type})

    async def _status(self, _accept: str) -> web.Response:
        state = await self._describe()
        return _json(503 if "error" in state else 200, state)

    async def _describe(self) -> Mapping[str, Any]:
        """Everything there is to see; an ``error`` where the ledger cannot say its part."""
        state = dict(self._view.describe())
        try:
            budgets = await self._view.budgets()
            in_doubt = await self._view.in_doubt()
            payments = await self._view.payments(PAYMENTS_SHOWN)
            state["frozen"] = _moment(await self._view.frozen_since())
            asked = await self._view.asked()
            money = await self._view.money()
        except LedgerError as fault:
            return {**state, **self._view.observed(), "error": fault.diagnostics()}
        state["budgets"] = [show_budget(use) for use in budgets]
        state["in_doubt"] = [show_payment(payment) for payment in in_doubt]
        state["approvals"] = [
            {**show_payment(each.payment), "until": _moment(each.until)} for each in asked
        ]
        state["payments"] = [show_payment(payment) for payment in payments]
        return {**state, **self._view.observed(), **money}


def show_budget(use: BudgetUse) -> dict[str, Any]:
    """A budget as JSON; amounts as people write them."""
    return {
        "name": use.name,
        "limit": str(use.limit),
        "spent": str(use.spent),
        "reserved": str(use.reserved),
        "remaining": str(use.remaining),
        "resets_at": _moment(use.resets_at),
    }


def show_payment(payment: Payment) -> dict[str, Any]:
    """A payment as JSON, without what only the seller needs to know."""
    proof, authorization = payment.proof, payment.authorization
    return {
        "id": payment.id,
        "state": payment.state.value,
        "confirmed": payment.confirmed,
        "route": payment.route,
        "caller": payment.caller,
        "purpose": payment.purpose,
        "scheme": payment.scheme,
        "network": payment.network,
        "asset": payment.asset,
        "pay_to": payment.pay_to,
        "amount": str(payment.amount),
        "proof": proof.kind if proof else None,
        "transaction": proof.transaction if proof and proof.transaction else None,
        "reserved_at": _moment(payment.reserved_at),
        "authorized_at": _moment(payment.authorized_at),
        "expires_at": _moment(authorization.expires_at if authorization else None),
        "settled_at": _moment(payment.settled_at),
        "delivered_at": _moment(payment.delivered_at),
        "closed_at": _moment(payment.closed_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _not_allowed(error: str, allowed: str) -> web.Response:
    response = _json(405, {"error": error})
    response.headers["Allow"] = allowed
    return response


def _json(status: int, value: Mapping[str, Any]) -> web.Response:
    text = json.dumps(value, indent=2) + "\n"
    return web.Response(status=status, text=text, content_type="application/json", headers=_HEADERS)
