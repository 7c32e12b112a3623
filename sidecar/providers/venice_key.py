"""Venice with an API key: the key is injected, balances and costs are read, nothing is paid.

Only an admin's key is told the balance; any other one is told what its own limit leaves of it.
An API key's credit cannot be bought with a payment, so every 402 is the app's to see.
Source: providers.md 2.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import field
from typing import Any

from sidecar.errors import RemoteProtocolError
from sidecar.http import Header, HttpRequest, HttpResponse, Origin
from sidecar.providers.answer import complaint, cost, header, json_object, number
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    Remedy,
    Traits,
)
from sidecar.providers.cost import read_cost
from sidecar.values import dataclass

TRAITS = Traits(reads_bodies=True, balance_spacing_s=10.0)

# The vendor's names, which differ from place to place in case and underscores.
_UNITS = {
    "usd": "usd",
    "diem": "diem",
    "bundledcredits": "bundled",
    "earnedcredits": "earned",
}
_READABLE: tuple[Header, ...] = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
)


@dataclass(frozen=True, slots=True)
class VeniceKey:
    """Venice at ``upstream``, and the key that it knows us by."""

    upstream: str
    key: str = field(repr=False)

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    @property
    def traits(self) -> Traits:
        return TRAITS

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        return Credential((("Authorization", f"Bearer {self.key}"),))

    def is_stale(self, refusal: HttpResponse) -> bool:
        return False

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        said = complaint(refusal)
        if "spend limit" in said:
            return PassThrough(f"the API key's own spend limit at Venice is reached ({said})")
        if "Insufficient" in said:
            return PassThrough(f"the Venice account of the API key is out of credit ({said})")
        if "Authentication required" in said:
            return PassThrough("Venice did not read the API key, and asks for a wallet instead")
        return PassThrough(f"Venice answers {said}, and an API key cannot pay")

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        headers = (*_READABLE, *credential.headers)
        response = yield HttpRequest("GET", f"{self._api}/billing/balance", headers)
        document = json_object(response)
        permitted = document.get("canConsume")
        if _is_for_admins(response):
            response = yield HttpRequest("GET", f"{self._api}/api_keys/rate_limits", headers)
            data = json_object(response).get("data")
            document = data if isinstance(data, dict) else {}
            permitted = document.get("accessPermitted")
        if response.status != 200:
            raise RemoteProtocolError(f"Venice does not tell the balance: {complaint(response)}")
        return _balances(document.get("balances"), permitted)

    def observe(self, response: HttpResponse) -> Observation:
        said_usd = read_cost(response).cost_usd
        if said_usd is None:
            # What /crypto/rpc says instead.
            said_usd = cost(header(response.headers, "x-venice-rpc-cost-usd"))
        balances = []
        for unit in ("usd", "diem"):
            # As it was before the request.
            value = number(header(response.headers, f"x-venice-balance-{unit}"))
            if value is not None:
                balances.append(Balance(value, unit, value > 0))
        return Observation(tuple(balances), said_usd)

    @property
    def _api(self) -> str:
        base = self.upstream.rstrip("/")
        return base if base.endswith("/v1") else f"{base}/v1"


def _is_for_admins(response: HttpResponse) -> bool:
    """Whether the key is good, and only not good enough to be told the account's balance."""
    if response.status == 401:
        # A bad key gets this status too, with other words.
        return "admin" in complaint(response).lower()
    return response.status in {403, 404}


def _balances(said: Any, permitted: Any) -> tuple[Balance, ...]:
    """The balances of the units that we know, in our order."""
    if not isinstance(said, dict):
        raise RemoteProtocolError("Venice does not tell the balance: its answer has none")
    by_unit: dict[str, Balance] = {}
    for name, amount in said.items():
        unit = _UNITS.get(name.lower().replace("_", ""))
        if unit is None:
            continue
        # Null is none of it, and not that it is unknown.
        value = number(0 if amount is None else amount)
        if value is None:
            raise RemoteProtocolError(f"Venice tells a balance of {unit} that is not a number")
        can_consume = permitted if isinstance(permitted, bool) else value > 0
        by_unit[unit] = Balance(value, unit, can_consume)
    return tuple(by_unit[unit] for unit in _UNITS.values() if unit in by_unit)
