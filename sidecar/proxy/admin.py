"""The other port: probes, metrics and status; the switch that stops all signing; approvals.

    /livez    the process answers         no IO
    /readyz   it could pay now            200, or 503 and what is wrong
    /metrics  for Prometheus
    /status   for people and programs
    /freeze   POST, with the admin token: no payment is signed any more, until
    /unfreeze POST, with the admin token
    /approve/PAYMENT  POST, with the admin token: what waits for a person is paid
    /refuse/PAYMENT   POST, with the admin token: it is not

A web page can reach this port too, so the door is the data port's (``admission``). What only shows
wants no token; what changes anything wants one that apps do not have.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from aiohttp import web

from sidecar.errors import LedgerError
from sidecar.ledger.model import Asked, Payment
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.answers import Answer
from sidecar.refusal import BudgetUse, Denied

PAYMENTS_SHOWN = 20
ADMIN = Caller("admin")
_METHODS = frozenset({"GET", "HEAD"})
# What comes before the payment's id, and whether it approves.
_DECISIONS = {"/approve/": True, "/refuse/": False}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class AdminView(Protocol):
    """What there is to see, and to switch. LedgerError from all that asks the ledger."""

    async def readiness(self) -> Mapping[str, str | None]:
        """Each check by its name, and what is wrong with it; None where nothing is."""
        ...

    async def budgets(self) -> Sequence[BudgetUse]:
        """Every budget in its current window."""
        ...

    async def in_doubt(self) -> Sequence[Payment]:
        """Every payment in doubt, oldest first."""
        ...

    async def payments(self, limit: int) -> Sequence[Payment]:
        """The newest payments first."""
        ...

    async def frozen_since(self) -> datetime | None:
        """Since when no payment is signed; None while they are."""
        ...

    async def freeze(self) -> datetime:
        """Sign no payment from now on; since when that is so."""
        ...

    async def unfreeze(self) -> datetime | None:
        """Sign payments again; since when they were not, None where they were."""
        ...

    async def asked(self) -> Sequence[Asked]:
        """Every payment that waits for a person, oldest first."""
        ...

    async def decide(self, payment_id: str, *, approve: bool) -> Payment | Denied:
        """A person's word on a payment that waits. Denied: it does not wait."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What JSON can say without the ledger: version, uptime_s, state, wallets, routes."""
        ...

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, for this Accept header.

        Raises nothing: what the ledger cannot say is left out, as that is when the counters
        are wanted most.
        """
        ...


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
        self._switches: Mapping[str, Callable[[], Awaitable[web.Response]]] = {
            "/freeze": self._freeze,
            "/unfreeze": self._unfreeze,
        }

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        headers = tuple(request.headers.items())
        admitted = Gate(self._hosts(), tokens=None).admit(request.method, request.raw_path, headers)
        if isinstance(admitted, Answer):
            return _json(admitted.status, {"error": admitted.message})
        path = request.raw_path.partition("?")[0]
        switch = self._switches.get(path) or self._decision(path)
        if switch is not None:
            return await self._switch(request, switch)
        page = self._pages.get(path)
        if page is None:
            known = (*self._pages, *self._switches, *(f"{path}PAYMENT" for path in _DECISIONS))
            return _json(404, {"error": f"there is {', '.join(known)}"})
        if request.method not in _METHODS:
            return _not_allowed("this only shows; use GET", "GET, HEAD")
        return await page(request.headers.get("Accept", ""))

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
        state = dict(self._view.describe())
        try:
            budgets = await self._view.budgets()
            in_doubt = await self._view.in_doubt()
            payments = await self._view.payments(PAYMENTS_SHOWN)
            state["frozen"] = _moment(await self._view.frozen_since())
            asked = await self._view.asked()
        except LedgerError as fault:
            return _json(503, {**state, "error": fault.diagnostics()})
        state["budgets"] = [show_budget(use) for use in budgets]
        state["in_doubt"] = [show_payment(payment) for payment in in_doubt]
        state["approvals"] = [
            {**show_payment(each.payment), "until": _moment(each.until)} for each in asked
        ]
        state["payments"] = [show_payment(payment) for payment in payments]
        return _json(200, state)


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
