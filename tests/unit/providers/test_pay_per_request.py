"""Any plain x402 origin."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.errors import RemoteProtocolError, SignerRefusedError
from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.providers.base import (
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Present,
    Provider,
    Remedy,
    Traits,
)
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.siwx import SignInMessage
from sidecar.siwx.envelope import read_structured_header
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.codec import read_payment_required

AT = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
OCCASION = Occasion(AT, bytes(32))
REQUEST = HttpRequest("GET", "https://seller.example/base/members")
WALLET = EvmWallet(
    bytes.fromhex("23743fd5295575c10513b10004d6fbdc35365878a5cd99b396629fb5b0e65fd1")
)

STRANGER = PayPerRequest("https://seller.example/base", networks=("eip155:8453",))
MEMBER = PayPerRequest("https://seller.example/base", WALLET, ("eip155:8453",))

OFFER = {
    "scheme": "exact",
    "network": "eip155:8453",
    "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    "amount": "10000",
    "payTo": "0x2670B922ef37C7Df47158725C0CC407b5382293F",
}
INFO = {
    "domain": "seller.example",
    "uri": "https://seller.example/base/members",
    "version": "1",
    "nonce": "0123456789abcdef",
    "issuedAt": "2026-01-02T03:04:05Z",
}
CHAINS = [{"chainId": "eip155:8453", "type": "eip191"}]


def refusal(*accepts: object, **changed: Any) -> HttpResponse:
    """A 402 with these offers, which asks for a sign-in whose info has these fields changed."""
    extension = {"info": INFO | changed, "supportedChains": CHAINS}
    return priced(*accepts, extensions={"sign-in-with-x": extension})


def priced(*accepts: object, **fields: Any) -> HttpResponse:
    """A 402 with these offers, and no extension."""
    challenge = {"x402Version": 2, "accepts": accepts, **fields}
    return HttpResponse(402, (), json.dumps(challenge).encode())


def paid(response: HttpResponse) -> PayInline:
    """To pay what this 402 asks."""
    required = read_payment_required(response)
    assert required is not None
    return PayInline(required)


def value_of(exchange: Any) -> Any:
    """What a conversation without a step returns."""
    with pytest.raises(StopIteration) as done:
        next(exchange)
    return done.value.value


def presented(remedy: Remedy) -> Credential:
    """The credential that is to be presented."""
    assert isinstance(remedy, Present)
    return remedy.credential


def test_is_provider() -> None:
    """It is what the proxy asks for, and asks for nothing special itself."""
    provider: Provider = STRANGER

    assert Traits() == provider.traits
    assert frozenset({Origin("https", "seller.example", 443)}) == provider.origins


def test_sign_in() -> None:
    """Signing in takes no step and gives no credential, and no 401 is mended by another."""
    assert Credential(()) == value_of(MEMBER.sign_in(OCCASION))
    assert not MEMBER.is_stale(HttpResponse(401))


def test_no_account() -> None:
    """There is no credit, and no response says anything of it."""
    assert () == value_of(MEMBER.balance(Credential(()), ""))
    assert Observation() == MEMBER.observe(HttpResponse(200, (), b'{"cost": 1}'))


@pytest.mark.parametrize("seller", [STRANGER, MEMBER])
def test_terms_are_paid_inline(seller: PayPerRequest) -> None:
    """A 402 with x402 terms is paid with the app's own request."""
    assert paid(priced(OFFER)) == seller.remedy(REQUEST, priced(OFFER), OCCASION)


@pytest.mark.parametrize("seller", [STRANGER, MEMBER])
def test_unreadable_offers(seller: PayPerRequest) -> None:
    """Offers that cannot be read go to the payer, who says what is wrong with them."""
    remedy = seller.remedy(REQUEST, priced("garbage"), OCCASION)

    assert isinstance(remedy, PayInline)
    assert ("accepts[0]: it is not an object",) == remedy.required.unreadable


@pytest.mark.parametrize("seller", [STRANGER, MEMBER])
def test_no_terms_pass(seller: PayPerRequest) -> None:
    """A 402 without x402 terms is the app's to see."""
    expected = PassThrough("the seller's 402 names no x402 terms")
    assert expected == seller.remedy(REQUEST, HttpResponse(402, (), b"{}"), OCCASION)


def test_nothing_to_do() -> None:
    """A 402 that names no price and offers no sign-in is the app's to see."""
    expected = PassThrough("the seller's 402 names no price, and the seller offers no sign-in")
    assert expected == MEMBER.remedy(REQUEST, priced(), OCCASION)


@pytest.mark.parametrize("seller", [STRANGER, MEMBER])
def test_garbage(seller: PayPerRequest) -> None:
    """A challenge that is garbage is the seller's fault, and said so."""
    garbage = HttpResponse(402, (("PAYMENT-REQUIRED", "%%%"),), b"{}")
    with pytest.raises(RemoteProtocolError):
        seller.remedy(REQUEST, garbage, OCCASION)


def test_present() -> None:
    """Where the seller knows its members, our wallet's sign-in goes first, and paying second."""
    remedy = MEMBER.remedy(REQUEST, refusal(OFFER), OCCASION)

    ((name, value),) = presented(remedy).headers
    message, signature = read_structured_header(value)
    assert isinstance(remedy, Present)
    assert paid(refusal(OFFER)) == remedy.otherwise
    assert "SIGN-IN-WITH-X" == name
    assert WALLET.address == message.address
    assert "https://seller.example/base/members" == message.uri
    assert WALLET.sign_in(message) == signature


class Strict:
    """A wallet whose keeper signs in nowhere."""

    address = WALLET.address

    def sign_in(self, message: SignInMessage) -> str:
        raise SignerRefusedError(f"the signer refuses (domain: {message.domain})")


def test_keeper_refuses() -> None:
    """Where the key's keeper does not sign in, the route pays; else it says why it did not."""
    strict = replace(MEMBER, signer=Strict())

    assert paid(refusal(OFFER)) == strict.remedy(REQUEST, refusal(OFFER), OCCASION)
    said = strict.remedy(REQUEST, refusal(), OCCASION)
    assert isinstance(said, PassThrough)
    assert "the signer refuses (domain: seller.example)" in said.reason


def test_members_only() -> None:
    """Where nothing is for sale, a sign-in that does not let us in leaves the app its 402."""
    remedy = MEMBER.remedy(REQUEST, refusal(), OCCASION)

    assert isinstance(remedy, Present)
    expected = PassThrough("the seller does not let this route's wallet in")
    assert expected == remedy.otherwise


@pytest.mark.parametrize(
    ("expiration_time", "expires_after"),
    [(None, 299), ("2026-01-02T04:04:05Z", 299), ("2026-01-02T03:06:06Z", 120)],
)
def test_expiry(expiration_time: str | None, expires_after: int) -> None:
    """A sign-in is used until half a minute before servers take it no more."""
    response = refusal(OFFER, expirationTime=expiration_time)
    credential = presented(MEMBER.remedy(REQUEST, response, OCCASION))

    assert AT + timedelta(seconds=expires_after - 30) == credential.expires_at
    assert not credential.single_use


def test_stranger_pays() -> None:
    """A route without a signer pays, on whatever network, and passes on what only members get."""
    expected = PassThrough("the seller's 402 names no price, and this route signs in nowhere")
    assert paid(refusal(OFFER)) == STRANGER.remedy(REQUEST, refusal(OFFER), OCCASION)
    assert expected == STRANGER.remedy(REQUEST, refusal(), OCCASION)


def test_relayed_challenge() -> None:
    """A challenge for another seller is never signed: paid where there is a price, else passed."""
    relayed = {"domain": "victim.example", "uri": "https://victim.example/"}

    expected = PassThrough(
        "the seller's 402 names no price, and the seller's sign-in is for victim.example, "
        "and this is seller.example"
    )
    assert paid(refusal(OFFER, **relayed)) == MEMBER.remedy(
        REQUEST, refusal(OFFER, **relayed), OCCASION
    )
    assert expected == MEMBER.remedy(REQUEST, refusal(**relayed), OCCASION)


def test_expired_challenge() -> None:
    """A challenge that has expired by our own clock is not signed."""
    late = Occasion(AT + timedelta(minutes=5), bytes(32))

    assert paid(refusal(OFFER)) == MEMBER.remedy(REQUEST, refusal(OFFER), late)


def test_not_presented_twice() -> None:
    """A request refused with the sign-in that its 402 asks for does not get another."""
    credential = presented(MEMBER.remedy(REQUEST, refusal(OFFER), OCCASION))
    again = REQUEST.with_headers(*credential.headers)

    expected = PassThrough(
        "the seller's 402 names no price, and the seller does not let this route's wallet in"
    )
    # The same nonce is the same challenge, whatever else the seller wrote anew.
    same = {"issuedAt": "2026-01-02T03:04:06Z"}
    assert paid(refusal(OFFER, **same)) == MEMBER.remedy(again, refusal(OFFER, **same), OCCASION)
    assert expected == MEMBER.remedy(again, refusal(**same), OCCASION)


@pytest.mark.parametrize("value", [None, "%%%", base64.b64encode(b"{}").decode()])
def test_other_sign_in_refused(value: str | None) -> None:
    """A request refused with an older sign-in, or with something else, gets the one asked for."""
    if value is None:
        old = refusal(OFFER, nonce="fedcba9876543210")
        ((_, value),) = presented(MEMBER.remedy(REQUEST, old, OCCASION)).headers
    again = REQUEST.with_headers(("sign-in-with-x", value))

    assert isinstance(MEMBER.remedy(again, refusal(OFFER), OCCASION), Present)
