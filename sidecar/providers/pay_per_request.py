"""Any plain x402 origin: no account, each request carries its own payment.

Some sell to members too: whoever has paid before, or is known, signs in instead of paying. Where
such a seller asks, the route's wallet signs in first, and pays only if that did not let it in.
Source: x402.md 5.1, providers.md 7.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

from sidecar.errors import SignerRefusedError
from sidecar.http import HttpRequest, HttpResponse, Origin, header_values
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Present,
    Remedy,
    Traits,
    origin_of,
)
from sidecar.siwx import SignIn
from sidecar.siwx.challenge import fresh_until, read_challenge
from sidecar.siwx.envelope import HEADER, read_structured_header, structured_header
from sidecar.values import dataclass
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import PaymentRequired

# A sign-in on its way must not expire there.
EXPIRY_MARGIN = timedelta(seconds=30)

_TRAITS = Traits()
_NOT_A_MEMBER = "the seller does not let this route's wallet in"


@dataclass(frozen=True, slots=True)
class PayPerRequest:
    """The x402 origin at ``upstream``.

    It is signed in to with ``signer``, on one of ``networks`` (CAIP-2); without a signer, never.
    """

    upstream: str
    signer: SignIn | None = None
    networks: tuple[str, ...] = ()

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(self.upstream)})

    @property
    def traits(self) -> Traits:
        return _TRAITS

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        return Credential(headers=())

    def is_stale(self, refusal: HttpResponse) -> bool:
        return False

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        required = read_payment_required(refusal)
        if required is None:
            return PassThrough("the seller's 402 names no x402 terms")
        # Offers that cannot be read are the payer's to refuse: it says what is wrong with each.
        is_priced = bool(required.accepts or required.unreadable)
        offer = self._offer(request, required, occasion)
        if isinstance(offer, Credential):
            otherwise = PayInline(required) if is_priced else PassThrough(_NOT_A_MEMBER)
            return Present(offer, otherwise)
        if is_priced:
            return PayInline(required)
        return PassThrough(f"the seller's 402 names no price, and {offer}")

    def _offer(
        self, request: HttpRequest, required: PaymentRequired, occasion: Occasion
    ) -> Credential | str:
        """The sign-in that the seller asks for, or why it does not get one."""
        if self.signer is None:
            return "this route signs in nowhere"
        message = read_challenge(
            required.extensions,
            address=self.signer.address,
            origin=origin_of(self.upstream),
            networks=self.networks,
            at=occasion.at,
        )
        if isinstance(message, str):
            return message
        if message.nonce in _nonces(request):
            return _NOT_A_MEMBER
        try:
            value = structured_header(message, self.signer.sign_in(message))
        except SignerRefusedError as fault:
            # Whoever pays need not be a member.
            return fault.diagnostics()
        return Credential(((HEADER, value),), fresh_until(message) - EXPIRY_MARGIN)

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        yield from ()
        return ()

    def observe(self, response: HttpResponse) -> Observation:
        return Observation()


def _nonces(request: HttpRequest) -> frozenset[str]:
    """The nonces of the sign-ins that this request carried."""
    nonces = set()
    for value in header_values(request.headers, HEADER):
        try:
            message, _ = read_structured_header(value)
        except ValueError:
            continue
        nonces.add(message.nonce)
    return frozenset(nonces)
