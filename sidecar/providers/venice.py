"""Venice with a wallet: each request signed in, paid from credit that is bought beforehand.

A sign-in is remembered by Venice and good for one request, so none is ever kept. Its 402 to a
request is never paid with that request: credit is bought at a place of its own, where the amount
is ours to choose. The same terms stand in that place's header and body.
A wallet that is linked to staked DIEM spends that first, and no USDC brings it back: where a
refusal tells that this is what ran out, nothing is bought.
Source: providers.md 1.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sidecar.chains import NETWORK_NAMES, V1_NETWORKS
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.money import Usdc
from sidecar.providers.answer import complaint, cost, header, json_object, number
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    Remedy,
    TopUp,
    Traits,
    origin_of,
)
from sidecar.providers.cost import read_cost
from sidecar.siwx import SignIn, SignInMessage
from sidecar.siwx.envelope import HEADER, message_header
from sidecar.siwx.times import iso_milliseconds
from sidecar.values import dataclass
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import Dialect, PaymentRequired, PaymentRequirements

STATEMENT = "Sign in to Venice AI"
SIGN_IN_VALIDITY = timedelta(minutes=5)  # of its age; a later expiry does not lengthen it
NONCE_BYTES = 8
TOP_UP_MAX = Usdc.parse("10000.00 USDC")
# A wallet that holds less is let in nowhere.
FLOOR_USD = Decimal("0.10")
TRAITS = Traits(reads_bodies=True, in_flight_max=5, balance_spacing_s=2.5)
# The payload beside its scheme and network as in v1, though its version is 2: so the vendor's
# own client writes it.
DIALECT = Dialect("PAYMENT-SIGNATURE", "base64", flat=True)

_STALE = frozenset(
    {
        "X402_SIGN_IN_EXPIRED",
        "X402_SIGN_IN_FUTURE_TIMESTAMP",
        "X402_SIGN_IN_NONCE_REUSED",
    }
)
_SHORT_OF_QUOTE = "Insufficient USD or Diem balance"
_ALIASES = {network: name for name, network in V1_NETWORKS.items()}


@dataclass(frozen=True, slots=True)
class Venice:
    """Venice at ``upstream``, for the wallet of ``signer``, paid on ``network`` (CAIP-2)."""

    upstream: str
    signer: SignIn
    network: str

    def __post_init__(self) -> None:
        # ValueError now, rather than at the first request, where no sign-in could say this.
        self._message(Occasion(datetime(1970, 1, 1, tzinfo=UTC), bytes(NONCE_BYTES)))

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    @property
    def traits(self) -> Traits:
        return TRAITS

    @property
    def accounts(self) -> tuple[str, ...]:
        return ("",)

    def account_of(self, request: HttpRequest) -> str:
        return ""

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        message = self._message(occasion)
        value = message_header(message, self.signer.sign_in(message))
        return Credential(((HEADER, value),), occasion.at + SIGN_IN_VALIDITY, single_use=True)

    def is_stale(self, refusal: HttpResponse) -> bool:
        code = json_object(refusal).get("code")
        return isinstance(code, str) and code in _STALE

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        document = json_object(refusal)
        error = document.get("error")
        if document.get("code") == "PAYMENT_REQUIRED":
            return _out_of_credit(document)
        # Said of a request whose price was told beforehand, and is more than there is.
        if isinstance(error, str) and error.startswith(_SHORT_OF_QUOTE):
            return TopUp()
        if error == "Authentication required":
            return PassThrough("Venice did not read our sign-in, and no credit mends that")
        return PassThrough(f"Venice answers {complaint(refusal)}; credit is not what it asks for")

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        response = yield HttpRequest(
            "GET",
            # As the wallet writes it, which is what signed in.
            f"{self._api}/x402/balance/{self.signer.address}",
            (
                ("Accept", "application/json"),
                ("Accept-Encoding", "identity"),
                *credential.headers,
            ),
        )
        if response.status != 200:
            raise RemoteProtocolError(f"Venice does not tell the balance: {complaint(response)}")
        data = _data(response)
        usd = number(data.get("balanceUsd"))
        if usd is None:
            raise RemoteProtocolError("Venice does not tell the balance: its answer has none")
        said = data.get("canConsume")
        # Said of the wallet: whatever it spends first.
        can_consume = said if isinstance(said, bool) else usd >= FLOOR_USD
        diem = number(data.get("diemBalanceUsd"))
        if diem is None:
            return (Balance(usd, "usd", can_consume),)
        return Balance(usd, "usd", can_consume), Balance(diem, "diem", can_consume)

    def observe(self, response: HttpResponse) -> Observation:
        said_usd = read_cost(response).cost_usd
        if said_usd is None:
            # What /crypto/rpc says instead.
            said_usd = cost(header(response.headers, "x-venice-rpc-cost-usd"))
        # Documented, and seldom sent.
        remaining = number(header(response.headers, "x-balance-remaining"))
        return Observation(_usd(remaining), said_usd)

    def charge(self, account: str, credential: Credential, amount: Usdc) -> HttpRequest:
        # The credit goes to whoever signed the payment, and the payment says how much.
        return HttpRequest("POST", f"{self._api}/x402/top-up")

    def terms(self, account: str, refusal: HttpResponse, amount: Usdc) -> PaymentRequired | str:
        if amount > TOP_UP_MAX:
            return f"Venice sells at most {TOP_UP_MAX} at a time, and the top-up is of {amount}"
        required = read_payment_required(refusal)
        if required is None:
            raise RemoteProtocolError("a 402 of Venice's top-up that names no terms")
        offers: list[PaymentRequirements] = []
        reasons = list(required.unreadable)
        for offer in required.accepts:
            # Paid from elsewhere, the credit would be another wallet's.
            if offer.network != self.network:
                continue
            chosen = _of_amount(offer, amount)
            if isinstance(chosen, str):
                reasons.append(chosen)
            else:
                offers.append(chosen)
        if not offers:
            why = "; ".join(reasons) or f"it does not sell on {NETWORK_NAMES[self.network]}"
            return f"Venice sells us no credit: {why}"
        return PaymentRequired(2, tuple(offers), unreadable=tuple(reasons), dialect=DIALECT)

    def credited(self, response: HttpResponse) -> tuple[Balance, ...]:
        return _usd(number(_data(response).get("newBalance")))

    @property
    def _api(self) -> str:
        base = self.upstream.rstrip("/")
        return base if base.endswith("/v1") else f"{base}/v1"

    def _message(self, occasion: Occasion) -> SignInMessage:
        return SignInMessage(
            domain=origin_of(self.upstream).host_header,
            address=self.signer.address,
            # Any would do: Venice holds it against nothing.
            uri=f"{self._api}/chat/completions",
            network=self.network,
            nonce=occasion.nonce[:NONCE_BYTES].hex(),
            issued_at=iso_milliseconds(occasion.at),
            statement=STATEMENT,
            expiration_time=iso_milliseconds(occasion.at + SIGN_IN_VALIDITY),
        )


def _data(response: HttpResponse) -> dict[str, Any]:
    data = json_object(response).get("data")
    return data if isinstance(data, dict) else {}


def _out_of_credit(document: dict[str, Any]) -> Remedy:
    """What the refusal of a wallet that signed in means: its own words decide."""
    held, floor = (
        number(document.get("currentBalanceUsd")),
        number(document.get("minimumBalanceUsd")),
    )
    if held is not None and floor is not None and held >= floor:
        return PassThrough(
            f"Venice holds {held} USD for this wallet, asks for {floor}, and refuses all the "
            "same: what it wants is no USDC"
        )
    for word in (document.get("reason"), document.get("consumptionCurrency")):
        if isinstance(word, str) and "diem" in word.lower():
            return PassThrough("the wallet's DIEM is used up, which no USDC brings back")
    return TopUp()


def _of_amount(offer: PaymentRequirements, amount: Usdc) -> PaymentRequirements | str:
    """The vendor's offer, which names a minimum, made one of ``amount``; or why it cannot be."""
    minimum = Usdc.from_wire(offer.amount)
    if minimum is None:
        return "its minimum is not an amount"
    if minimum > amount:
        return f"its minimum is {minimum}, and the top-up is of {amount}"
    return replace(
        offer,
        amount=str(amount.atomic),
        original={**offer.original, "network": _ALIASES.get(offer.network, offer.network)},
    )


def _usd(value: Decimal | None) -> tuple[Balance, ...]:
    return () if value is None else (Balance(value, "usd", value >= FLOOR_USD),)
