"""Payment headers: none from apps, none to them."""

from __future__ import annotations

import pytest

from sidecar.x402.headers import (
    REQUEST_PAYMENT_HEADERS,
    RESPONSE_PAYMENT_HEADERS,
    without_challenge,
)


@pytest.mark.parametrize(
    "name",
    [
        "payment-signature",
        "payment_signature",
        "x-payment",
        "x-402-payment",
        "x_402_payment",
        "sign-in-with-x",
        "sign_in_with_x",
        "sign-in_with-x",
        "x-sign-in-with-x",
        "x-wallet-address",
        "agentkit",
    ],
)
def test_request_names(name: str) -> None:
    """An app's payment headers are known under every mix of dashes and underscores."""
    assert name in REQUEST_PAYMENT_HEADERS


@pytest.mark.parametrize("name", ["payment-response", "x-payment-response"])
def test_receipt_passes(name: str) -> None:
    """The receipt is no secret, and no challenge."""
    assert name not in RESPONSE_PAYMENT_HEADERS


@pytest.mark.parametrize(
    "header",
    [
        ("PAYMENT-REQUIRED", "e30="),
        ("Payment_Required", "e30="),
        ("X-Payment-Required", "e30="),
        ("Payment-Signature", "e30="),
        ("X-PAYMENT", "e30="),
        ("SIGN-IN-WITH-X", "e30="),
        ("WWW-Authenticate", "X-PAYMENT"),
        ("WWW-Authenticate", 'x-payment realm="a"'),
        ("WWW-Authenticate", 'Bearer realm="a", X-Payment'),
    ],
)
def test_challenge_is_removed(header: tuple[str, str]) -> None:
    """Whatever could be paid, or was our own payment, does not reach the app."""
    assert (("Date", "now"),) == without_challenge((header, ("Date", "now")))


@pytest.mark.parametrize(
    "header",
    [
        ("PAYMENT-RESPONSE", "e30="),
        ("WWW-Authenticate", 'Bearer realm="x-payment-portal"'),
        ("WWW-Authenticate", "Payment id=1"),
        ("Content-Type", "x-payment"),
    ],
)
def test_others_pass(header: tuple[str, str]) -> None:
    """Receipts, other challenges and other headers reach the app."""
    assert (header,) == without_challenge((header,))
