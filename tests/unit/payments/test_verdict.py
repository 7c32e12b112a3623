"""What a seller's answer to a paid request means: the table of ``verdict``, row by row."""

from __future__ import annotations

import base64
import json

import pytest

from sidecar.http import Headers
from sidecar.ledger.model import Proof
from sidecar.payments.verdict import Answered, Kept, Refused, Served, judge


def receipt(success: bool, name: str = "PAYMENT-RESPONSE") -> Headers:
    text = json.dumps({"success": success, "transaction": "0xabc", "network": "eip155:8453"})
    return ((name, base64.b64encode(text.encode()).decode()),)


@pytest.mark.parametrize("name", ["PAYMENT-RESPONSE", "X-PAYMENT-RESPONSE"])
def test_receipt(name: str) -> None:
    """A 2xx with a receipt, v2 or v1, is served and posted on it."""
    assert Served(Proof("receipt", "0xabc")) == judge(200, receipt(True, name))


@pytest.mark.parametrize("headers", [(), (("PAYMENT-RESPONSE", "%%%"),)])
def test_no_receipt(headers: Headers) -> None:
    """A 2xx whose receipt is missing or garbage is posted unconfirmed."""
    assert Served(Proof("served")) == judge(201, headers)
    assert not Proof("served").confirmed


def test_receipt_of_failure() -> None:
    """A 2xx with a receipt of failure serves the app and proves nothing."""
    assert Served(None) == judge(200, receipt(False))


@pytest.mark.parametrize("status", [302, 400, 402, 500])
def test_kept(status: int) -> None:
    """Any other answer with a receipt of success means that the money is gone."""
    assert Kept(Proof("upfront", "0xabc")) == judge(status, receipt(True))


@pytest.mark.parametrize("status", [402, 408, 409, 425, 429, 500, 502, 503, 504])
def test_refused(status: int) -> None:
    """These leave everything open, with a receipt of failure or without any."""
    assert Refused(None) == judge(status, ())
    assert Refused(None) == judge(status, receipt(False))


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422])
def test_answered(status: int) -> None:
    """These are the seller's answer to what the app asked."""
    assert Answered() == judge(status, ())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("7",), 7.0),
        (("0",), 0.0),
        (("9" * 40,), 999_999_999.0),
        (("Wed, 21 Oct 2026 07:28:00 GMT",), None),
        (("-1",), None),
        (("1.5",), None),
        (("٣",), None),
        (("1", "2"), None),
        ((), None),
    ],
)
def test_retry_after(values: tuple[str, ...], expected: float | None) -> None:
    """Retry-After counts when it is one whole number of seconds."""
    headers = tuple(("Retry-After", value) for value in values)

    assert Refused(expected) == judge(503, headers)
