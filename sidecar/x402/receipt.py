"""Reads what a seller says about a payment: its receipt, or its reason to refuse.

Neither is proof. Source: x402.md 1.4, 1.6 and A.4.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

from sidecar.chains import caip2
from sidecar.document import Unreadable, read_json, shown, told
from sidecar.http import Headers, header_values
from sidecar.x402.coding import HEADER_CHARS_MAX, decode_base64
from sidecar.x402.types import SettlementResponse

REASON_CHARS_MAX = 300
TRANSACTION_CHARS_MAX = 128

Refusal: TypeAlias = Literal["paid", "pending", "ours", "funds", "unknown", "theirs"]

# The first that matches counts. The SDKs do not agree on the words, so these look for parts of
# them; spaces and case are evened out before.
_REFUSALS: tuple[tuple[Refusal, re.Pattern[str]], ...] = (
    ("paid", re.compile(r"nonce_already_used|duplicate_settlement")),
    ("pending", re.compile(r"settlement_pending")),
    (
        "ours",
        re.compile(
            r"signature|value_mismatch|valid_?(before|after)|recipient|memo(?!ry)|domain"
            r"|token_(name|version)"
        ),
    ),
    ("funds", re.compile(r"insufficient")),
    # Seen for authorizations that had been used, too.
    ("unknown", re.compile(r"transaction_failed|simulation_failed|authorization_is_used")),
)


def read_settlement(headers: Headers) -> SettlementResponse | None:
    """The receipt in PAYMENT-RESPONSE or X-PAYMENT-RESPONSE; None where it says nothing sure."""
    for name in ("payment-response", "x-payment-response"):
        values = header_values(headers, name)
        if len(values) == 1 and len(values[0]) <= HEADER_CHARS_MAX:
            try:
                return _settlement(read_json(decode_base64(values[0])))
            except ValueError:
                continue
    return None


def classify_refusal(error_text: str) -> Refusal:
    """What a refusal of a paid request is about.

    paid: this very authorization was used before; pending: it is on its way; ours: a bug or a
    clock of ours; funds: the wallet is too low; unknown: it may have been used; theirs: the rest.
    """
    words = re.sub(r"[\s_-]+", "_", error_text.lower())
    for refusal, pattern in _REFUSALS:
        if pattern.search(words) is not None:
            return refusal
    return "theirs"


def _settlement(receipt: Any) -> SettlementResponse:
    if not isinstance(receipt, dict) or not isinstance(receipt.get("success"), bool):
        raise Unreadable("it does not say whether it succeeded")
    reason = receipt.get("errorReason") or receipt.get("errorMessage") or ""
    network = receipt.get("network") or ""
    return SettlementResponse(
        receipt["success"],
        _transaction(receipt.get("transaction")),
        (isinstance(network, str) and caip2(network)) or shown(network, 100),
        told(reason, REASON_CHARS_MAX) if reason else "",
    )


def _transaction(value: Any) -> str:
    # A part of a transaction's id is no id, so one that looks wrong is left out whole.
    if not isinstance(value, str) or len(value) > TRANSACTION_CHARS_MAX:
        return ""
    return value if value.isascii() and value.isalnum() else ""
