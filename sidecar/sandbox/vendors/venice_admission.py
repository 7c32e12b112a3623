"""Who may call Venice as a wallet: the sign-in header, read, judged, used up."""

from __future__ import annotations

from aiohttp import web

from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import refusal
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.sign_in import SignInDesk, SignInRules
from sidecar.sandbox.vendors.siwx import SignInText, Unfit
from sidecar.sandbox.vendors.venice_sign_in import HEADERS, read_header
from sidecar.values import dataclass

AGE_MAX_S = 300
AHEAD_MAX_S = 30
NONCE_KEPT_S = 330


@dataclass(frozen=True, slots=True)
class Signed:
    """A request that was signed by this wallet."""

    found: SignInText
    account: Account


class VeniceAdmission:
    """Reads sign-ins for all of Venice's endpoints: a nonce used at one is used at all."""

    def __init__(self, premises: Premises, books: VendorBooks) -> None:
        networks = {premises.options.network, premises.options.vendors.solana_network}
        rules = SignInRules(
            networks=frozenset(networks),
            age_max_s=AGE_MAX_S,
            ahead_max_s=AHEAD_MAX_S,
            nonce_kept_s=NONCE_KEPT_S,
            base64_signatures=True,
        )
        self._desk = SignInDesk(rules, premises.clock, premises.domains)
        self._conduct = premises.conduct
        self._books = books

    def admit(self, request: web.Request) -> Signed | web.Response | None:
        """Who signed this request; the 401 for a bad sign-in; None when there is none."""
        sent = [value for name in HEADERS for value in request.headers.getall(name, ())]
        if not sent:
            return None
        judged = self._judge(sent)
        if isinstance(judged, Signed):
            return judged
        code = f"X402_SIGN_IN_{judged.code}"
        if "/x402/" in request.path:
            # The reads of accounts say less than the rest of the API.
            document = {"error": "Invalid Sign-in-with-x signature"}
        else:
            document = {"error": f"Invalid sign-in: {judged.detail}", "code": code}
        return refusal(self._books, request, 401, document, code=code, detail=judged.detail)

    def _judge(self, sent: list[str]) -> Signed | Unfit:
        if len(sent) > 1:
            return Unfit("INVALID_PAYLOAD", f"{len(sent)} sign-in headers")
        presented = read_header(sent[0])
        if isinstance(presented, Unfit):
            return presented
        found = presented.found
        complaint = self._desk.complaint(found, presented.signature)
        if complaint is not None:
            return complaint
        if self._conduct.take("venice", Misdeed.SIGN_IN_EXPIRED_ONCE):
            return Unfit("EXPIRED", "the sandbox was told to say so")
        account = self._books.account(found.wallet)
        account.sign_in(found.network, found.nonce, found.uri)
        return Signed(found, account)
