"""x402layer (SingularityLayer): endpoints with credits of their own, bought in packages.

An endpoint is ``/e/{slug}``, and the slug is the account: credits of one are none at another.
Whoever names a wallet spends its credits - there is no signature - so the wallet should be this
vendor's only, and the packages small.

    GET /e/{slug}?action=purchase       402 with the package's terms, then the same with X-PAYMENT
    GET /api/credits/balance?endpoint=  what is left; newer: /e/{slug}?action=balance&wallet=

The vendor writes x402 v1 with words missing; they are filled in here, and then the one reader
of challenges reads them. A ``purchase_url`` is a page for people, and never called.
Source: providers.md 4, and the official scripts (vectors/x402layer-py.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from sidecar.chains import is_evm
from sidecar.errors import LocalProtocolError, RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse, Origin, header_values
from sidecar.money import Usdc
from sidecar.providers.answer import complaint, cost, header, json_object
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
from sidecar.values import dataclass
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import PaymentRequired, PaymentRequirements

# No limit is documented; a purchase is known to have helped once its credits were seen.
BALANCE_SPACING_S = 2.0
# The vendor leaves it out, and its own client signs for an hour: with this, how long a payment
# is valid is the policy's to say.
TIMEOUT_S_UNSTATED = 300

_SLUG = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class X402Layer:
    """The gateway at ``upstream``, or one endpoint of it (``.../e/{slug}``).

    ``signer_address``: the wallet whose credits are used, on ``network`` (CAIP-2).
    """

    upstream: str
    signer_address: str
    network: str

    def __post_init__(self) -> None:
        # A route of an endpoint whose credits could not be bought would only ever be refused.
        slug = _parted(self.upstream)[1]
        if slug and _SLUG.fullmatch(slug) is None:
            raise ValueError(f"not an endpoint's slug: {slug!r}")

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({self._origin})

    @property
    def traits(self) -> Traits:
        return Traits(reads_heads=True, balance_spacing_s=BALANCE_SPACING_S)

    @property
    def accounts(self) -> tuple[str, ...]:
        slug = _parted(self.upstream)[1]
        return (slug,) if slug else ()

    def account_of(self, request: HttpRequest) -> str:
        """The endpoint's slug; empty where the path is no endpoint's, or the slug an odd one."""
        base, slug = _parted(request.url)
        known = base == _parted(self.upstream)[0] and _SLUG.fullmatch(slug) is not None
        return slug if known else ""

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        return Credential((("x-wallet-address", self.signer_address),))

    def is_stale(self, refusal: HttpResponse) -> bool:
        return False

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        document = json_object(refusal)
        if _wants_credits(document):
            slug = self.account_of(request)
            if not slug:
                return PassThrough("this 402 wants credits, and its path is no endpoint's")
            # Credits do not mend an unpaid purchase: the app would be refused again after it.
            if "purchase" in parse_qs(urlsplit(request.url).query).get("action", ()):
                return PassThrough("the sidecar buys credits itself; the app has no need to")
            return TopUp(slug)
        required = self._required(refusal)
        if required is None:
            return PassThrough("this 402 names neither credits nor x402 terms")
        return PayInline(required)

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        endpoint = self._endpoint(account)
        query = urlencode({"endpoint": account})
        response = yield HttpRequest(
            "GET", f"{self._base}/api/credits/balance?{query}", credential.headers
        )
        if response.status in {404, 405}:
            query = urlencode({"action": "balance", "wallet": self.signer_address})
            response = yield HttpRequest("GET", f"{endpoint}?{query}", credential.headers)
        balances = _balances(response, "credits", "balance")
        if response.status != 200 or not balances:
            raise RemoteProtocolError(
                f"x402layer answered a question for the balance with {complaint(response)}"
            )
        return balances

    def observe(self, response: HttpResponse) -> Observation:
        """The cost that a direct payment's receipt names, unverified: it decides nothing."""
        claims = token_claims(header(response.headers, "x-x402-receipt-token"))
        # A tuple, because a claim may be a list, which no set can be asked about.
        if claims.get("currency") not in (None, "USD", "USDC"):
            return Observation()
        return Observation(cost_usd=cost(claims.get("amount")))

    def charge(self, account: str, credential: Credential, amount: Usdc) -> HttpRequest:
        """The purchase of the endpoint's one package; ``amount`` is what it may cost."""
        return HttpRequest("GET", f"{self._endpoint(account)}?action=purchase", credential.headers)

    def terms(self, account: str, refusal: HttpResponse, amount: Usdc) -> PaymentRequired | str:
        """The package's terms, where it costs no more than ``amount``.

        The vendor alone sets the price, so what the operator wrote for one top-up is the most
        that one may cost: the policy's cap is for a route's payments, and may be far above it.
        """
        required = self._required(refusal)
        if required is None:
            raise RemoteProtocolError("x402layer's 402 to a purchase names no x402 terms")

        def too_dear(entry: PaymentRequirements) -> str | None:
            price = Usdc.from_wire(entry.amount)
            if price is None or price <= amount:
                return None
            return f"the package costs {price}, and a top-up at most {amount}"

        return _without(required, too_dear)

    def credited(self, response: HttpResponse) -> tuple[Balance, ...]:
        """Its shape is undocumented; beside a balance, ``credits`` may be those just bought."""
        return _balances(response, "balance", "credits")

    @property
    def _origin(self) -> Origin:
        return Origin.of(self.upstream)

    @property
    def _base(self) -> str:
        """The URL that the vendor's own paths start from; a route may begin at an endpoint."""
        return f"{self._origin}{_parted(self.upstream)[0]}"

    def _endpoint(self, account: str) -> str:
        if _SLUG.fullmatch(account) is None:
            raise LocalProtocolError(f"not an endpoint's slug: {account!r}")
        return f"{self._base}/e/{account}"

    def _required(self, refusal: HttpResponse) -> PaymentRequired | None:
        """The terms of this 402, without the offers that must not be paid."""
        required = read_payment_required(_filled_in(refusal))
        if required is None:
            return None
        # A token may be written with its chain before it: eip155:8453/erc20:0x...
        plain = [replace(entry, asset=entry.asset.rpartition(":")[2]) for entry in required.accepts]
        return _without(replace(required, accepts=tuple(plain)), self._objection)

    def _objection(self, entry: PaymentRequirements) -> str | None:
        if entry.amount == "0":
            return "it is free, and a payment of nothing is not signed"
        payees = (entry.pay_to, self.signer_address)
        if is_evm(self.network):
            payees = (entry.pay_to.lower(), self.signer_address.lower())
        if payees[0] == payees[1]:
            return "its payee is the wallet that pays, which the vendor refuses"
        return None


def _parted(url: str) -> tuple[str, str]:
    """The URL's path before ``/e/``, and what stands where an endpoint's slug does."""
    before, _, after = f"{urlsplit(url).path.rstrip('/')}/".partition("/e/")
    return before.rstrip("/"), after.partition("/")[0]


def _without(
    required: PaymentRequired, objection: Callable[[PaymentRequirements], str | None]
) -> PaymentRequired:
    """These terms without the entries that there is an objection to, which is kept."""
    objections = [objection(entry) for entry in required.accepts]
    entries = zip(required.accepts, objections, strict=True)
    return replace(
        required,
        accepts=tuple(entry for entry, reason in entries if reason is None),
        unreadable=(*required.unreadable, *filter(None, objections)),
    )


def _wants_credits(document: dict[str, Any]) -> bool:
    if any(document.get(key) for key in ("credit_package", "purchase_url", "purchaseUrl")):
        return True
    error = document.get("error")
    return isinstance(error, str) and "insufficient credits" in error.lower()


def _filled_in(refusal: HttpResponse) -> HttpResponse:
    """The same refusal, with what this vendor leaves out of a v1 body written into it."""
    document = json_object(refusal)
    version = document.get("x402Version", 1)
    offers = document.get("accepts")
    # What is complete stays as it came: a header's terms, and v2, whose entries are echoed whole.
    if (
        header_values(refusal.headers, "payment-required")
        or version != 1
        or not isinstance(offers, list)
    ):
        return refusal
    filled = {
        "x402Version": version,
        "accepts": [_with_defaults(offer) for offer in offers],
        "error": document.get("error"),
    }
    body = json.dumps(filled, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpResponse(refusal.status, (), body)


def _with_defaults(offer: Any) -> Any:
    if not isinstance(offer, dict):
        return offer
    said = {key: value for key, value in offer.items() if value is not None}
    return {"scheme": "exact", "maxTimeoutSeconds": TIMEOUT_S_UNSTATED, **said}


def _balances(response: HttpResponse, *names: str) -> tuple[Balance, ...]:
    """The credits in the first of these fields that is there."""
    document = json_object(response)
    said = next((document[name] for name in names if document.get(name) is not None), None)
    left = cost(said)
    return () if left is None else (Balance(left, "credits", can_consume=left > 0),)
