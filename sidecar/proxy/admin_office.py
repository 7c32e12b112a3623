"""What the admin port says and does: pages for those who look, switches for who has the token.

The door is ``admin``'s. Here is what is behind it, as an answer that can be sent from anywhere:
where several workers serve, the port is another process's.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from sidecar.errors import LedgerError, SidecarError
from sidecar.ledger.model import Payment
from sidecar.payments.by_hand import Bought, NotForSale
from sidecar.payments.events import ConfigReloaded
from sidecar.payments.order import InDoubt
from sidecar.proxy.admin_view import AdminView
from sidecar.refusal import BudgetUse, Denied
from sidecar.values import dataclass

PAYMENTS_SHOWN = 20
PAGES = ("/livez", "/readyz", "/metrics", "/status")
SWITCHES = ("/freeze", "/unfreeze", "/reload")
# What comes before the payment's id, and whether it approves.
DECISIONS = {"/approve/": True, "/refuse/": False}
TOP_UP = "/top-up/"
JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, before it is HTTP."""

    status: int
    body: bytes
    content_type: str = JSON


class Office(Protocol):
    """What is behind the door of the admin port."""

    async def page(self, path: str, accept: str) -> Said:
        """One of ``PAGES``, for this Accept header."""
        ...

    async def switch(self, path: str) -> Said:
        """Change what the path says, as ``is_switch`` knows it. LedgerError: it cannot be."""
        ...

    async def describe(self) -> Mapping[str, Any]:
        """Everything there is to see; an ``error`` where the ledger cannot say its part."""
        ...

    async def news(self, seen: int) -> int:
        """See ``AdminView.news``."""
        ...

    def is_stopping(self) -> bool:
        """Whether those who watch are to let go."""
        ...


def is_switch(path: str) -> bool:
    """Whether it changes something."""
    named = any(path.startswith(each) and len(path) > len(each) for each in DECISIONS)
    return path in SWITCHES or named or path.startswith(TOP_UP)


class ViewOffice:
    """The office of one service. See ``Office``."""

    def __init__(self, view: AdminView) -> None:
        self._view = view
        self._pages: Mapping[str, Callable[[str], Awaitable[Said]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/status": self._status,
        }
        self._switches: Mapping[str, Callable[[], Awaitable[Said]]] = {
            "/freeze": self._freeze,
            "/unfreeze": self._unfreeze,
            "/reload": self._reload,
        }

    async def page(self, path: str, accept: str) -> Said:
        return await self._pages[path](accept)

    async def switch(self, path: str) -> Said:
        switch = self._switches.get(path) or self._decision(path) or self._purchase(path)
        assert switch is not None
        return await switch()

    async def news(self, seen: int) -> int:
        return await self._view.news(seen)

    def is_stopping(self) -> bool:
        return self._view.is_stopping()

    async def _freeze(self) -> Said:
        return in_json(200, {"frozen": _moment(await self._view.freeze())})

    async def _unfreeze(self) -> Said:
        was = await self._view.unfreeze()
        return in_json(200, {"frozen": None, "was_frozen": _moment(was)})

    async def _reload(self) -> Said:
        return reloaded(await self._view.reload())

    def _decision(self, path: str) -> Callable[[], Awaitable[Said]] | None:
        """What decides about the payment that the path names; None where it names none."""
        for prefix, approve in DECISIONS.items():
            if path.startswith(prefix) and len(path) > len(prefix):
                return partial(self._decide, path[len(prefix) :], approve)
        return None

    async def _decide(self, payment_id: str, approve: bool) -> Said:
        decided = await self._view.decide(payment_id, approve=approve)
        if isinstance(decided, Denied):
            return in_json(409, {"error": decided.detail})
        return in_json(200, {"approved" if approve else "refused": show_payment(decided)})

    def _purchase(self, path: str) -> Callable[[], Awaitable[Said]] | None:
        """What buys credit for the route that the path names; None where it names none."""
        if not path.startswith(TOP_UP):
            return None
        route, _, account = path[len(TOP_UP) :].partition("/")
        return partial(self._top_up, route, account)

    async def _top_up(self, route: str, account: str) -> Said:
        try:
            purchased = await self._view.top_up(route, account)
        except SidecarError as fault:
            return in_json(fault.status_hint, {"error": fault.diagnostics()})
        match purchased:
            case Bought(payment, balances):
                held = [{"value": str(each.value), "unit": each.unit} for each in balances]
                return in_json(200, {"bought": show_payment(payment), "balances": held})
            case InDoubt(payment, reason, _):
                error = f"top-up {payment.id} is in doubt: {reason}"
                return in_json(202, {"in_doubt": show_payment(payment), "error": error})
            case Denied(rule, detail):
                return in_json(409, {"rule": rule, "error": detail})
            case NotForSale(detail):
                return in_json(404, {"error": detail})

    async def _livez(self, _accept: str) -> Said:
        return Said(200, b"ok", TEXT)

    async def _readyz(self, _accept: str) -> Said:
        checks = await self._view.readiness()
        failed = {name: wrong for name, wrong in checks.items() if wrong is not None}
        return in_json(503 if failed else 200, {"ready": not failed, "failed": failed})

    async def _metrics(self, accept: str) -> Said:
        body, content_type = await self._view.metrics(accept)
        return Said(200, body, content_type)

    async def _status(self, _accept: str) -> Said:
        state = await self.describe()
        return in_json(503 if "error" in state else 200, state)

    async def describe(self) -> Mapping[str, Any]:
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


def reloaded(told: ConfigReloaded) -> Said:
    """What came of reading the config again."""
    if not told.ok:
        return in_json(409, {"error": "nothing was changed", "errors": told.mistakes})
    return in_json(200, {"reloaded": _moment(told.at), "changed": told.changed})


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


def in_json(status: int, value: Mapping[str, Any]) -> Said:
    """A document."""
    return Said(status, (json.dumps(value, indent=2) + "\n").encode())
