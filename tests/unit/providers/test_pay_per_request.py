"""Any plain x402 origin."""

from __future__ import annotations

import json

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpResponse, Origin
from sidecar.providers.base import Credential, PassThrough, PayInline
from sidecar.providers.pay_per_request import PayPerRequest

SELLER = PayPerRequest("https://seller.example/base")


def test_origins() -> None:
    """Its requests go to its upstream's origin alone."""
    assert frozenset({Origin("https", "seller.example", 443)}) == SELLER.origins


def test_sign_in() -> None:
    """Signing in takes no step and gives no credential."""
    with pytest.raises(StopIteration) as done:
        next(SELLER.sign_in())

    assert Credential(()) == done.value.value


def test_terms_are_paid_inline() -> None:
    """A 402 with x402 terms is paid with the app's own request."""
    body = json.dumps({"x402Version": 1, "accepts": [], "error": "pay"}).encode()
    remedy = SELLER.remedy(HttpResponse(402, (), body))

    assert isinstance(remedy, PayInline)
    assert "pay" == remedy.required.error


def test_no_terms_pass() -> None:
    """A 402 without x402 terms is the app's to see."""
    assert isinstance(SELLER.remedy(HttpResponse(402, (), b"{}")), PassThrough)


def test_garbage() -> None:
    """A challenge that is garbage is the seller's fault, and said so."""
    with pytest.raises(RemoteProtocolError):
        SELLER.remedy(HttpResponse(402, (("PAYMENT-REQUIRED", "%%%"),), b"{}"))
