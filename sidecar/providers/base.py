"""What a provider is: a vendor's rules as values and conversations, never IO.

A provider says how its requests are let in, what a refusal of its means, and what it says about
credit and cost. It cannot pay, reach the ledger or open a connection: ``proxy.upstream`` checks
every request it describes against ``origins``, and only ``payments`` turns a remedy into money.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Protocol, TypeAlias, runtime_checkable

from sidecar.http import Exchange, Headers, HttpRequest, HttpResponse, Origin
from sidecar.money import Usdc
from sidecar.values import dataclass
from sidecar.x402.types import PaymentRequired

# Of a provider's own upstream, which is asked for with each request.
origin_of = cache(Origin.of)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The time and the chance that a provider may use, once."""

    at: datetime
    nonce: bytes  # 32 unpredictable bytes


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers that let a request in, and until when; None: until somebody changes them."""

    headers: Headers = field(repr=False)
    expires_at: datetime | None = None
    single_use: bool = False  # the vendor remembers it: make another for the next request


@dataclass(frozen=True, slots=True)
class PayInline:
    """Pay these terms with the app's own request."""

    required: PaymentRequired


@dataclass(frozen=True, slots=True)
class TopUp:
    """Buy credit, then send the app's request again.

    ``account`` tells apart what one wallet has at one vendor: x402layer's credit belongs to an
    endpoint; elsewhere it is "".
    """

    account: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """Send the request once more with this credential; it may be let in without paying.

    ``otherwise`` is what the refusal means where it is not.
    """

    credential: Credential
    otherwise: PayInline | PassThrough


@dataclass(frozen=True, slots=True)
class PassThrough:
    """No payment mends this refusal; the app gets it, without any payment challenge."""

    reason: str


Remedy: TypeAlias = PayInline | TopUp | Present | PassThrough


@dataclass(frozen=True, slots=True)
class Balance:
    """What a provider says that it holds for us: observed, never ledgered."""

    value: Decimal
    unit: str  # "usd", "diem", "credits"
    can_consume: bool  # whether it lets the next request in


@dataclass(frozen=True, slots=True)
class Observation:
    """What one response says beside its answer. ``estimated``: the cost is our reckoning."""

    balances: tuple[Balance, ...] = ()
    cost_usd: Decimal | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """What a vendor's rules ask of those who send.

    ``reads_bodies``: the cost stands in bodies, so they must come unencoded. ``reads_heads``:
    only the heads of responses say something.
    ``in_flight_max``: the vendor refuses more requests of one wallet at a time; 0: it does not.
    ``balance_spacing_s``: the shortest time between two readings that the vendor allows; 0: it
    has no balance to read.
    """

    reads_bodies: bool = False
    reads_heads: bool = False
    in_flight_max: int = 0
    balance_spacing_s: float = 0.0


class Provider(Protocol):
    """One vendor's rules."""

    @property
    def origins(self) -> frozenset[Origin]:
        """Where its requests may go; a credential is sent nowhere else."""
        ...

    @property
    def traits(self) -> Traits: ...

    def sign_in(self, occasion: Occasion) -> Exchange[Credential]:
        """What lets requests in, after as many steps as the vendor wants."""
        ...

    def is_stale(self, refusal: HttpResponse) -> bool:
        """Whether a new sign-in, once, mends this refusal (a 401)."""
        ...

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        """What to do about this 402 to this request.

        RemoteProtocolError when its challenge is garbage.
        """
        ...

    def balance(self, credential: Credential, account: str) -> Exchange[tuple[Balance, ...]]:
        """What the vendor holds for this account: first the balance that a top-up raises.

        RemoteProtocolError when it does not say.
        """
        ...

    def observe(self, response: HttpResponse) -> Observation:
        """What a response says about balance and cost; nothing where it says nothing.

        The body is an event stream's last 64 KiB, a whole JSON document, or empty where it was
        too large or is of another kind. Never raises: what cannot be read was not said.
        """
        ...


@runtime_checkable
class Prepaid(Provider, Protocol):
    """A vendor that sells credit."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that are known before any request."""
        ...

    def account_of(self, request: HttpRequest) -> str:
        """The account that pays for this request."""
        ...

    def charge(self, account: str, credential: Credential, amount: Usdc) -> HttpRequest:
        """The request that buys credit. Sent bare it is answered with the terms (402)."""
        ...

    def terms(self, account: str, refusal: HttpResponse, amount: Usdc) -> PaymentRequired | str:
        """The terms of a charge of ``amount`` (a vendor with packages: of its package).

        A sentence where the vendor's answer allows none: say, a minimum above the amount.
        RemoteProtocolError when the answer is garbage.
        """
        ...

    def credited(self, response: HttpResponse) -> tuple[Balance, ...]:
        """What the vendor says that it holds now, in its answer to a paid charge.

        First the balance that the top-up raised, as in ``balance``. Never raises.
        """
        ...
