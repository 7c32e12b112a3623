"""A vendor that is signed in to, and sells nothing."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sidecar.http import Exchange, HttpRequest, HttpResponse, Origin
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    Remedy,
    Traits,
)


@dataclass
class Member:
    """A vendor that signs in, each time with another token."""

    upstream: str = ""
    signed_in: int = 0
    origins: frozenset[Origin] = frozenset()
    traits: Traits = field(default_factory=Traits)

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        self.signed_in += 1
        headers = (("Authorization", f"Bearer token-{self.signed_in}"),)
        return Credential(headers, datetime.now(UTC) + timedelta(hours=1))

    def is_stale(self, refusal: HttpResponse) -> bool:
        return True

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        return PassThrough("nothing is sold here")

    def balance(self, credential: Credential, account: str) -> Exchange[tuple[Balance, ...]]:
        yield from ()
        return ()

    def observe(self, response: HttpResponse) -> Observation:
        return Observation()
