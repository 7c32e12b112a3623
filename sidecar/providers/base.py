"""What a provider is: a vendor's rules as values and conversations, never IO.

A provider says how its requests are let in and what a refusal of its means. It cannot pay,
reach the ledger or open a connection: ``proxy.upstream`` checks every request it describes
against ``origins``, and only ``payments`` turns a remedy into money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from sidecar.http import Exchange, Headers, HttpResponse, Origin
from sidecar.x402.types import PaymentRequired


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers that let a request in, and until when; None: until somebody changes them."""

    headers: Headers
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PayInline:
    """Pay these terms with the app's own request."""

    required: PaymentRequired


@dataclass(frozen=True, slots=True)
class PassThrough:
    """No payment mends this refusal; the app gets it, without any payment challenge."""

    reason: str


Remedy: TypeAlias = PayInline | PassThrough


class Provider(Protocol):
    """One vendor's rules."""

    @property
    def origins(self) -> frozenset[Origin]:
        """Where its requests may go; a credential is sent nowhere else."""
        ...

    def sign_in(self) -> Exchange[Credential]:
        """What lets requests in, after as many steps as the vendor wants."""
        ...

    def remedy(self, refusal: HttpResponse) -> Remedy:
        """What to do about this 402. RemoteProtocolError when its challenge is garbage."""
        ...
