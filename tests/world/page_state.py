"""States for the status page that no sidecar is in: every text in them is hostile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.world.fakes import NOON

# It would run as markup, as an attribute, and as a link; and it is wider than a phone.
HOSTILE = "<script>globalThis.__ran=1</script><img src=x onerror=globalThis.__ran=1>"
LONG = "x" * 120


def hostile_state(now: datetime = NOON) -> dict[str, Any]:
    """Everything there is to show, in the words of somebody who means no good."""
    words = f"{HOSTILE}{LONG}"
    payment = _payment(words, now)
    return {
        "version": words,
        "now": now.isoformat(),
        "uptime_s": 5,
        "state": "serving",
        "mode": words,
        "frozen": None,
        "budgets": [
            {
                "name": words,
                "limit": "5.00 USDC",
                "spent": "4.20 USDC",
                "reserved": "0.30 USDC",
                "remaining": "0.50 USDC",
                "resets_at": (now + timedelta(hours=7)).isoformat(),
            }
        ],
        "in_doubt": [{**payment, "id": f"doubt {words}", "state": "authorized"}],
        "approvals": [{**payment, "until": (now + timedelta(seconds=90)).isoformat()}],
        "payments": [
            {**payment, "id": f"{state} {words}", "state": state}
            for state in ("reserved", "authorized", "posted", "voided", words)
        ],
        "refusals": [
            {
                "at": now.isoformat(),
                "request_id": words,
                "route": words,
                "caller": words,
                "method": words,
                "path": words,
                "status": 402,
                "decision": words,
                "rule": words,
                "detail": words,
            }
        ],
        "top_ups_stopped": [{"route": words, "account": words}],
        "balances": [
            {
                "kind": kind,
                "name": words,
                "place": words,
                "amount": "12.3456",
                "unit": words,
                "observed_at": now.isoformat(),
                "spent": "1",
                "hours_to_empty": 12.3,
            }
            for kind in ("wallet", "credit")
        ],
        "spending": [
            {
                "span": span,
                "by": by,
                "name": words,
                "starts_at": (now - timedelta(hours=24)).isoformat(),
                "step_s": 3600,
                "total": "4.20 USDC",
                "payments": 42,
                "amounts": ["0.10"] * count,
            }
            for span, count in (("24h", 24), ("30d", 30))
            for by in ("route", "caller")
        ],
    }


def _payment(words: str, now: datetime) -> dict[str, Any]:
    at = (now - timedelta(minutes=5)).isoformat()
    return {
        "id": words,
        "state": "posted",
        "confirmed": True,
        "route": words,
        "caller": words,
        "purpose": "request",
        "scheme": words,
        "network": words,
        "asset": words,
        "pay_to": words,
        "amount": "0.30 USDC",
        "proof": words,
        "transaction": words,
        "reserved_at": at,
        "authorized_at": at,
        "expires_at": at,
        "settled_at": at,
        "delivered_at": None,
        "closed_at": None,
    }
