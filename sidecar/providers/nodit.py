"""Nodit in credit mode: a signed sign-in buys a JWT, and charges buy credit in USDC.

    /auth                 a sign-in message and its signature -> a JWT, good for about an hour
    /credit/charge        POST an amount: 402 with the terms, then the same with the payment
    /credit/balance       what is left; one credit is one atomic unit of USDC
    /credit/...           the API, which takes from the credit
    /pay-per-use/...      the same API, paid by each request, with no account

Source: providers.md 5, whose table of ambiguities is kept here as data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sidecar.document import shown, told
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse, Origin, header_values
from sidecar.money import ATOMIC_PER_USDC, Usdc
from sidecar.providers.answer import cost, json_object
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Remedy,
    TopUp,
    Traits,
)
from sidecar.providers.claims import token_claims
from sidecar.siwx import SignIn, SignInMessage
from sidecar.siwx.times import iso_seconds
from sidecar.values import dataclass
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import PaymentRequired, PaymentRequirements

CHARGE_MIN = Usdc(10_000)
SIGN_IN_LIFETIME = timedelta(minutes=10)
BALANCE_SPACING_S = 6.0

TOKEN_RENEWED_EARLY_S = 300
TOKEN_LIFETIME_S_MAX = 24 * 3600
# What a token is trusted for when it does not say, or says what cannot be: an expiry that is
# past, or so far ahead that it was not meant in seconds.
TOKEN_LIFETIME_S_UNSTATED = 600
TOKEN_LIFETIME_S_CREDIBLE = 31 * 24 * 3600

# RFC 6750's b64token: nothing in it can break a header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}={0,2}", re.ASCII)
_API = re.compile(r"/(?:credit|pay-per-use)/")
_JSON = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class Nodit:
    """The gateway at ``upstream``, for the wallet that signs in on ``network`` (CAIP-2).

    ``charge_min``: the least that it sells; its older documents name other sums.
    """

    upstream: str
    signer: SignIn
    network: str
    charge_min: Usdc = CHARGE_MIN

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({self._origin})

    @property
    def traits(self) -> Traits:
        return Traits(balance_spacing_s=BALANCE_SPACING_S)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The wallet's one account."""
        return ("",)

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        """One POST /auth. RemoteProtocolError when it gives no token."""
        message = self._message(occasion)
        document = {"message": message.text(), "signature": self.signer.sign_in(message)}
        response = yield HttpRequest("POST", f"{self._base}/auth", (_JSON,), _json(document))
        if response.status not in {200, 201}:
            raise RemoteProtocolError(f"Nodit answered the sign-in with {_complaint(response)}")
        token = json_object(response).get("accessToken")
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise RemoteProtocolError("Nodit answered the sign-in without an access token")
        return Credential(
            (("Authorization", f"Bearer {token}"),), _renewed_at(token_claims(token), occasion.at)
        )

    def is_stale(self, refusal: HttpResponse) -> bool:
        return refusal.status == 401

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        path = urlsplit(request.url).path.removeprefix(_root(self.upstream))
        # Credit does not mend an unpaid charge: the app would be refused again after it.
        if path.rstrip("/") == "/credit/charge":
            return PassThrough("the sidecar charges credit itself; the app has no need to")
        if path.startswith("/credit/"):
            return TopUp()
        if path.startswith("/pay-per-use/"):
            required = read_payment_required(refusal)
            if required is not None:
                return PayInline(required)
        return PassThrough("this 402 of Nodit's names neither credit nor terms")

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        response = yield HttpRequest("GET", f"{self._base}/credit/balance", credential.headers)
        balances = self.credited(response)
        if response.status != 200 or not balances:
            raise RemoteProtocolError(
                f"Nodit answered a question for the balance with {_complaint(response)}"
            )
        return balances

    def observe(self, response: HttpResponse) -> Observation:
        """Nothing: a ``balance`` in an answer of the API is somebody's on some chain."""
        return Observation()

    def account_of(self, request: HttpRequest) -> str:
        return ""

    def charge(self, account: str, credential: Credential, amount: Usdc) -> HttpRequest:
        return HttpRequest(
            "POST",
            self._charge_url,
            (*credential.headers, _JSON),
            _json({"amount": str(amount.atomic)}),
        )

    def terms(self, account: str, refusal: HttpResponse, amount: Usdc) -> PaymentRequired | str:
        if amount < self.charge_min:
            return f"Nodit sells no less than {self.charge_min} of credit"
        required = _challenge(refusal)
        accepts: list[PaymentRequirements] = []
        unreadable = list(required.unreadable)
        for entry in required.accepts:
            if entry.amount == str(amount.atomic):
                accepts.append(entry)
            else:
                unreadable.append(
                    f"{shown(entry.network, 80)}: it asks {shown(entry.amount, 40)} atomic units "
                    f"for a charge of {amount.atomic}"
                )
        return replace(
            required,
            accepts=tuple(accepts),
            resource=self._charge_resource if required.resource is None else required.resource,
            unreadable=tuple(unreadable),
        )

    def credited(self, response: HttpResponse) -> tuple[Balance, ...]:
        credit = cost(json_object(response).get("balance"))
        if credit is None:
            return ()
        return (Balance(credit / ATOMIC_PER_USDC, "usd", can_consume=credit > 0),)

    @property
    def _origin(self) -> Origin:
        return Origin.of(self.upstream)

    @property
    def _base(self) -> str:
        return f"{self._origin}{_root(self.upstream)}"

    @property
    def _charge_url(self) -> str:
        return f"{self._base}/credit/charge"

    @property
    def _charge_resource(self) -> dict[str, str]:
        return {
            "url": self._charge_url,
            "description": "Credit charge",
            "mimeType": "application/json",
        }

    def _message(self, occasion: Occasion) -> SignInMessage:
        domain = self._origin.host_header
        return SignInMessage(
            domain=domain,
            address=self.signer.address,
            uri=str(self._origin),
            network=self.network,
            nonce=occasion.nonce[:16].hex(),
            issued_at=iso_seconds(occasion.at),
            statement=f"Sign in to {domain}",
            expiration_time=iso_seconds(occasion.at + SIGN_IN_LIFETIME),
        )


def _root(upstream: str) -> str:
    """The path that Nodit's own paths start from; a route may begin deeper, in one of its APIs."""
    return _API.split(urlsplit(upstream).path.rstrip("/") + "/")[0].rstrip("/")


def _challenge(refusal: HttpResponse) -> PaymentRequired:
    """The terms in the header; RemoteProtocolError where it has none, whatever the body has."""
    header = tuple(
        ("PAYMENT-REQUIRED", value) for value in header_values(refusal.headers, "payment-required")
    )
    # Only the header is documented to carry them, so a body must not be able to stand in for it.
    required = read_payment_required(HttpResponse(refusal.status, header))
    if required is None:
        raise RemoteProtocolError("Nodit's 402 to a charge has no PAYMENT-REQUIRED header")
    if required.x402_version != 2:
        raise RemoteProtocolError("Nodit's 402 to a charge is not in version 2 of x402")
    return required


def _renewed_at(claims: dict[str, Any], at: datetime) -> datetime:
    """When to sign in again: before the token ends, as far as it says when that is."""
    expires = claims.get("exp")
    lifetime_s: float = 0
    if isinstance(expires, int | float):
        lifetime_s = expires - int(at.timestamp())
    if not 0 < lifetime_s <= TOKEN_LIFETIME_S_CREDIBLE:
        return at + timedelta(seconds=TOKEN_LIFETIME_S_UNSTATED)
    # Where five minutes would be more than half of its life, half of it.
    early_s = max(lifetime_s - TOKEN_RENEWED_EARLY_S, lifetime_s / 2)
    return at + timedelta(seconds=min(early_s, TOKEN_LIFETIME_S_MAX))


def _complaint(response: HttpResponse) -> str:
    """The status, and what Nodit says of it, in one line that is safe to print."""
    words = json_object(response).get("message")
    if not isinstance(words, str):
        return str(response.status)
    return f"{response.status}: {told(words, 200)}"


def _json(document: dict[str, str]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
