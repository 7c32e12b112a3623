"""Nodit's POST /auth: a sign-in that is good once, for a token (providers.md 5 (a))."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import web

from sidecar.document import read_json
from sidecar.sandbox.vendors.accounts import VendorBooks
from sidecar.sandbox.vendors.answers import json_answer, refusal
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.sign_in import SignInDesk, SignInRules
from sidecar.sandbox.vendors.siwx import SignInText, Unfit, parse
from sidecar.sandbox.vendors.siwx_proof import moment_of
from sidecar.sandbox.vendors.tokens import Tokens

# The vendor's own name stands in its template, whatever it is called here.
OWN_DOMAIN = "x402.nodit.io"
WINDOW_S = 600
AHEAD_MAX_S = 30
STATEMENT = "Sign in to "


class NoditSignIn:
    """The endpoint."""

    def __init__(self, premises: Premises, books: VendorBooks, tokens: Tokens) -> None:
        rules = SignInRules(
            networks=frozenset({premises.options.network, premises.options.vendors.solana_network}),
            age_max_s=WINDOW_S,
            ahead_max_s=AHEAD_MAX_S,
            nonce_kept_s=WINDOW_S + AHEAD_MAX_S,
            nonce=re.compile(r"[0-9a-f]{32}", re.ASCII),
        )
        self._premises = premises
        self._books = books
        self._tokens = tokens
        self._desk = SignInDesk(rules, premises.clock, premises.domains)

    async def serve(self, request: web.Request) -> web.Response:
        """A token, 400 for what is not a sign-in, 401 for one that is not good."""
        try:
            document = read_json(await request.read())
        except ValueError as error:
            return self._refuse(request, 400, Unfit("INVALID_PAYLOAD", str(error)))
        match document:
            case {"message": str(message), "signature": str(signature)} if len(document) == 2:
                found = parse(message)
            case _:
                found = Unfit("INVALID_PAYLOAD", "send a message and a signature")
        if isinstance(found, Unfit):
            return self._refuse(request, 400, found)
        complaint = self._off_template(found) or self._desk.complaint(found, signature)
        if complaint is None and self._premises.conduct.take("nodit", Misdeed.SIGN_IN_EXPIRED_ONCE):
            complaint = Unfit("EXPIRED", "the sandbox was told to say so")
        if complaint is not None:
            return self._refuse(request, 401, complaint)
        self._books.account(found.wallet).sign_in(found.network, found.nonce, found.uri)
        return json_answer({"accessToken": self._tokens.issue(found.wallet)})

    def _off_template(self, found: SignInText) -> Unfit | None:
        """How the text departs from the template that Nodit publishes."""
        domains = self._premises.domains() | {OWN_DOMAIN}
        if found.statement not in {STATEMENT + domain for domain in domains}:
            return Unfit("INVALID_MESSAGE", f"statement {found.statement!r}")
        if urlsplit(found.uri).netloc not in domains:
            return Unfit("INVALID_MESSAGE", f"URI {found.uri!r}")
        issued, expires = moment_of(found.issued_at), moment_of(found.expiration_time or "")
        if issued is None or expires is None or expires - issued > timedelta(seconds=WINDOW_S):
            return Unfit("INVALID_MESSAGE", f"expires {found.expiration_time}, not in ten minutes")
        return None

    def _refuse(self, request: web.Request, status: int, unfit: Unfit) -> web.Response:
        document = {"code": unfit.code, "message": unfit.detail}
        return refusal(self._books, request, status, document, code=unfit.code, detail=unfit.detail)
