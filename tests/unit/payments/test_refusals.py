"""A seller's refusal in a few words."""

from __future__ import annotations

import base64
import json

from sidecar.http import HttpResponse
from sidecar.payments.refusals import REASON_CHARS_MAX, reason_of


def header(name: str, document: object) -> tuple[str, str]:
    return name, base64.b64encode(json.dumps(document).encode()).decode()


def test_receipt_speaks_first() -> None:
    """The receipt's error reason is the reason."""
    failed = {"success": False, "transaction": "", "network": "x", "errorReason": "too late"}

    assert "402: too late" == reason_of(HttpResponse(402, (header("PAYMENT-RESPONSE", failed),)))


def test_challenge_speaks_next() -> None:
    """Without a receipt, a new challenge's error is the reason."""
    body = json.dumps({"x402Version": 1, "error": "nonce used", "accepts": []}).encode()

    assert "402: nonce used" == reason_of(HttpResponse(402, (), body))


def test_status_alone() -> None:
    """A seller that says nothing is quoted by its status."""
    assert "500" == reason_of(HttpResponse(500, (), b"oops"))


def test_garbage_is_named() -> None:
    """A challenge that cannot be read says what is wrong with it."""
    reason = reason_of(HttpResponse(402, (("PAYMENT-REQUIRED", "%%%"),), b"{}"))

    assert reason.startswith("402: ")


def test_bounded_and_printable() -> None:
    """What the seller says is bounded, and no control character of it gets through."""
    body = json.dumps({"x402Version": 1, "error": "a\x1b[31m\n" + "b" * 900, "accepts": []})
    reason = reason_of(HttpResponse(402, (), body.encode()))

    assert reason.isprintable()
    assert REASON_CHARS_MAX + len("402: ") >= len(reason)
