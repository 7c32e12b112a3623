"""Any OpenAI-compatible origin with an API key: the key is injected, and nothing is ever paid."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.providers.base import Credential, PassThrough, Remedy


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The origin at ``upstream``, and the key that it knows us by."""

    upstream: str
    key: str = field(repr=False)
    header: str = "authorization"

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    def sign_in(self) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        if self.header == "authorization":
            return Credential((("Authorization", f"Bearer {self.key}"),))
        return Credential(((self.header, self.key),))

    def remedy(self, refusal: HttpResponse) -> Remedy:
        return PassThrough("the account behind the API key is out of credit")
