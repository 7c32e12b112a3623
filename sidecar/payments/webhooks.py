"""Telling a webhook of a payment that waits for a person; its answer may be the decision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from datetime import datetime

from sidecar.clock import Clock
from sidecar.document import read_json
from sidecar.errors import RemoteProtocolError, SidecarError
from sidecar.http import HttpRequest, HttpResponse, Upstream, run_exchange
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment
from sidecar.payments.events import Emit, WebhookFailed
from sidecar.tasks import Supervisor

DELAYS_S = (0.0, 1.0, 5.0)
ANSWER_BYTES_MAX = 64 * 1024
_DECISIONS = {"approve": True, "refuse": False}


class Webhook:
    """One URL that hears of every payment of a route that waits. ``wait_s``: for its answer."""

    def __init__(
        self,
        url: str,
        wait_s: float,
        ledger: Ledger,
        tasks: Supervisor,
        ports: tuple[Upstream, Clock, Emit],
    ) -> None:
        self._url = url
        self._wait_s = wait_s
        self._ledger = ledger
        self._tasks = tasks
        self._upstream, self._clock, self._emit = ports

    def tell(self, payment: Payment, until: datetime) -> asyncio.Task[None]:
        """Start telling; whoever stops waiting cancels it."""
        return self._tasks.spawn("approval webhook", self._told(payment, until))

    async def _told(self, payment: Payment, until: datetime) -> None:
        fault: SidecarError | None = None
        for delay_s in DELAYS_S:
            await self._clock.sleep(delay_s)
            try:
                approve = await run_exchange(
                    self._upstream,
                    ask(self._url, payment, until),
                    # It may hold its answer until a person has decided.
                    wait_s=self._wait_s,
                    body_bytes_max=ANSWER_BYTES_MAX,
                )
                if approve is not None:
                    now = self._clock.now()
                    await self._ledger.decide(payment.id, "webhook", now, approve=approve)
            except SidecarError as raised:
                fault = raised
            else:
                return
        assert fault is not None
        self._emit(WebhookFailed(payment.route, payment.id, fault.diagnostics()))


def ask(
    url: str, payment: Payment, until: datetime
) -> Generator[HttpRequest, HttpResponse, bool | None]:
    """Tell of the payment; True or False where the answer decides, None where it only heard.

    RemoteProtocolError when the answer is not a success.
    """
    shown = {
        "id": payment.id,
        "route": payment.route,
        "caller": payment.caller,
        "purpose": payment.purpose,
        "amount": str(payment.amount),
        "network": payment.network,
        "asset": payment.asset,
        "pay_to": payment.pay_to,
    }
    document = {"event": "approval_asked", "payment": shown, "until": until.isoformat()}
    headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
    response = yield HttpRequest("POST", url, headers, json.dumps(document).encode())
    if not 200 <= response.status < 300:
        raise RemoteProtocolError(f"the webhook answered {response.status}")
    try:
        answer = read_json(response.body)
    except ValueError:
        # Most that only pass it on to people answer with a word, or nothing.
        return None
    decision = answer.get("decision") if isinstance(answer, dict) else None
    return _DECISIONS.get(decision) if isinstance(decision, str) else None
