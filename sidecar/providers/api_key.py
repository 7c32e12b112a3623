"""Any OpenAI-compatible origin with an API key: the key is injected, and nothing is ever paid.

What its responses cost is what they say, else their tokens at the prices of the config.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import field

from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    Remedy,
    Traits,
)
from sidecar.providers.cost import Price, estimate, price_of, read_cost
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The origin at ``upstream``, and the key that it knows us by."""

    upstream: str
    key: str = field(repr=False)
    header: str = "authorization"
    prices: Mapping[str, Price] = field(default_factory=dict)  # by the model's name

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    @property
    def traits(self) -> Traits:
        # Bodies are left as they are, unless somebody wants to know what they cost.
        return Traits(reads_bodies=bool(self.prices))

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        if self.header == "authorization":
            return Credential((("Authorization", f"Bearer {self.key}"),))
        return Credential(((self.header, self.key),))

    def is_stale(self, refusal: HttpResponse) -> bool:
        return False

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        return PassThrough("the account behind the API key is out of credit")

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        yield from ()
        return ()

    def observe(self, response: HttpResponse) -> Observation:
        reading = read_cost(response)
        if reading.cost_usd is not None:
            return Observation(cost_usd=reading.cost_usd)
        price = price_of(reading.model, self.prices)
        if reading.usage is None or price is None:
            return Observation()
        return Observation(cost_usd=estimate(reading.usage, price), estimated=True)
