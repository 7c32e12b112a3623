"""Any plain x402 origin: no account, each request carries its own payment."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.providers.base import Credential, PassThrough, PayInline, Remedy
from sidecar.x402.codec import read_payment_required


@dataclass(frozen=True, slots=True)
class PayPerRequest:
    """The x402 origin at ``upstream``."""

    upstream: str

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    def sign_in(self) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        return Credential(headers=())

    def remedy(self, refusal: HttpResponse) -> Remedy:
        required = read_payment_required(refusal)
        if required is None:
            return PassThrough("the seller's 402 names no x402 terms")
        return PayInline(required)
