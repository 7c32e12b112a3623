"""LibertAI: no account, each request carries its own payment, in the words of thirdweb.

Its 402 says x402 version 2 in the names of version 1, and it reads the payment as plain JSON:
base64 it would verify and then fail to settle. What is paid is a ceiling, the price of the longest
answer; it takes what was used, later, and never says how much. So what a request may cost is the
amount that was authorized, and what it did cost is our reckoning.
Source: providers.md 3.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import field, replace
from decimal import Decimal

from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Remedy,
    Traits,
)
from sidecar.providers.cost import Price, estimate, price_of, read_cost
from sidecar.values import dataclass
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import Dialect

DIALECT = Dialect("X-PAYMENT", "json", flat=True)
TRAITS = Traits(reads_bodies=True)
COST_USD_MIN = Decimal("0.0001")  # nothing costs less


@dataclass(frozen=True, slots=True)
class LibertAI:
    """The origin at ``upstream``; ``prices`` by the model's name, for the reckoning of costs."""

    upstream: str
    prices: Mapping[str, Price] = field(default_factory=dict)

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    @property
    def traits(self) -> Traits:
        return TRAITS

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        # Nothing at all: any Authorization header, even a dummy's, would switch x402 off.
        return Credential(headers=())

    def is_stale(self, refusal: HttpResponse) -> bool:
        return False

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        required = read_payment_required(refusal)
        if required is None:
            return PassThrough("LibertAI's 402 names no x402 terms")
        return PayInline(replace(required, dialect=DIALECT))

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        yield from ()
        return ()

    def observe(self, response: HttpResponse) -> Observation:
        reading = read_cost(response)
        price = price_of(reading.model, self.prices)
        if reading.usage is None or price is None:
            return Observation()
        cost_usd = max(estimate(reading.usage, price), COST_USD_MIN)
        return Observation(cost_usd=cost_usd, estimated=True)
