"""Nodit: sign-in for a JWT, prepaid credit, and pay-per-use (providers.md 5).

POST /auth                  a sign-in for a token, which is good for an hour
POST /credit/v1/..., .../json-rpc    the API, with the token; taken from the credit
POST /credit/charge         {"amount"}: 402 with the terms in the header, then the payment
GET  /credit/balance        whole credits: one is one atomic unit of USDC
POST /pay-per-use/...       the same API, paid by the call, with no token
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from aiohttp import web

from sidecar.document import read_json
from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.vendors import nodit_terms
from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import garbage, json_answer, refusal
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.nodit_api import read_call
from sidecar.sandbox.vendors.nodit_pay_per_use import NoditPayPerUse
from sidecar.sandbox.vendors.nodit_sign_in import NoditSignIn
from sidecar.sandbox.vendors.nodit_terms import OTHER_HEADERS, PAYMENT_HEADER, Entry
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import Expected
from sidecar.sandbox.vendors.till import Bad, Credited, Failed, InProgress, Sale, Till, TimedOut
from sidecar.sandbox.vendors.tokens import Tokens

BASE = "/nodit"
DOCUMENTED_CHARGE_URL = "https://x402.nodit.io/credit/charge"
CHARGE_TIMEOUT_S = 3_600
# A signature is good for 300 s, whatever the terms say; clocks differ by a little.
SIGNATURE_LIFE_S = 305

_ATOMIC = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class Nodit:
    """The vendor under /nodit."""

    name = "nodit"

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._options = premises.options.vendors.nodit
        self.books = VendorBooks(
            premises.clock,
            records_max=premises.options.records_max,
            starting_balance=Decimal(self._options.starting_credit),
        )
        self._tokens = Tokens(premises.clock, premises.entropy, life_s=self._options.jwt_life_s)
        self._till = Till(self.name, premises)
        self._sign_in = NoditSignIn(premises, self.books, self._tokens)
        self._pay_per_use = NoditPayPerUse(premises, self.books, self._till)

    def account(self, address: str) -> Account:
        """The account of this wallet."""
        return self.books.account(address.lower() if address.startswith("0x") else address)

    def routes(self) -> Iterable[web.RouteDef]:
        """Everything under /nodit."""
        web3, node = "v1/{chain}/{network}/{category}/{operation}", "{chain}/{network}/json-rpc"
        return (
            web.post(f"{BASE}/auth", self._sign_in.serve),
            web.post(f"{BASE}/credit/charge", self._charge),
            web.get(f"{BASE}/credit/balance", self._balance),
            web.post(f"{BASE}/credit/{web3}", self._call),
            web.post(f"{BASE}/credit/{node}", self._call),
            web.post(f"{BASE}/pay-per-use/{web3}", self._pay_per_use.serve),
            web.post(f"{BASE}/pay-per-use/{node}", self._pay_per_use.serve),
            web.get(f"{BASE}/healthcheck", self._healthcheck),
        )

    async def _healthcheck(self, request: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _balance(self, request: web.Request) -> web.Response:
        account = self._owner(request)
        if isinstance(account, web.Response):
            return account
        if self._premises.conduct.take(self.name, Misdeed.BALANCE_UNREADABLE):
            return garbage()
        return json_answer({"balance": int(account.balance)})

    # --- the API ---

    async def _call(self, request: web.Request) -> web.Response:
        account = self._owner(request)
        if isinstance(account, web.Response):
            return account
        if any(name in request.headers for name in (PAYMENT_HEADER, *OTHER_HEADERS)):
            return _refuse(account, request, 400, "PAYMENT_HEADER", "pay at /credit/charge")
        asked = read_call(request.path, await request.read())
        if isinstance(asked, str):
            return _refuse(account, request, 400, "INVALID_ARGUMENT", asked)
        price = self._options.price * asked.calls
        diem = self._premises.conduct.take(self.name, Misdeed.DIEM_402)
        if diem is not None or account.balance < price:
            headers = nodit_terms.challenge(self._entries(self._options.charge_min.atomic), None)
            code, sentence = "INSUFFICIENT_CREDIT", "The credit does not cover this call"
            return _refuse(account, request, 402, code, sentence, headers)
        with account.call():
            account.charge(Decimal(price), request.path)
            if self._premises.options.handler_delay_s:
                await self._premises.clock.sleep(self._premises.options.handler_delay_s)
        return json_answer(asked.answer)

    def _owner(self, request: web.Request) -> Account | web.Response:
        """The account of the token, or the 401."""
        sent = request.headers.getall("Authorization", [])
        scheme, _, token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        wallet = self._tokens.subject(token) if scheme == "Bearer" else None
        if wallet is None:
            return _refuse(self.books, request, 401, "UNAUTHORIZED", "no token that is good now")
        if self._premises.conduct.take(self.name, Misdeed.JWT_REVOKED_ONCE):
            self._tokens.revoke(token)
            account = self.books.account(wallet)
            return _refuse(account, request, 401, "UNAUTHORIZED", "the token was revoked")
        return self.books.account(wallet)

    # --- charging ---

    def _entries(self, amount: int) -> list[Entry]:
        return [
            nodit_terms.entry(
                rail, amount, CHARGE_TIMEOUT_S if rail.fee_payer is None else None, {}
            )
            for rail in self._premises.rails
        ]

    async def _charge(self, request: web.Request) -> web.Response:
        account = self._owner(request)
        if isinstance(account, web.Response):
            return account
        body = await request.read()
        amount = _amount_in(body)
        if amount is None:
            sentence = 'send {"amount": "<atomic units>"}'
            return _refuse(account, request, 400, "INVALID_ARGUMENT", sentence)
        if amount < self._options.charge_min.atomic:
            sentence = f"at least {self._options.charge_min}"
            return _refuse(account, request, 400, "AMOUNT_TOO_LOW", sentence)
        if any(name in request.headers for name in OTHER_HEADERS):
            return _refuse(account, request, 400, "PAYMENT_HEADER", f"pay with {PAYMENT_HEADER}")
        sent = request.headers.getall(PAYMENT_HEADER, [])
        if not sent:
            return json_answer({}, 402, nodit_terms.challenge(self._entries(amount), None))
        return await self._take(request, account, amount, sent)

    async def _take(
        self, request: web.Request, account: Account, amount: int, sent: list[str]
    ) -> web.Response:
        accepts = self._entries(amount)
        purchase = Purchase.of(request.method, request.path_qs, await request.read())
        read = nodit_terms.read_payment(sent, accepts, self._premises.rails)
        if not isinstance(read, Malformed):
            urls = frozenset({str(request.url), DOCUMENTED_CHARGE_URL})
            complaint = nodit_terms.off_resource(read[0].resource, urls)
            read = read if complaint is None else Malformed(complaint)
        if isinstance(read, Malformed):
            self._till.unreadable(purchase, read.detail)
            return _refuse(account, request, 400, "INVALID_PAYMENT", read.detail)
        presented, rail = read
        sale = Sale(
            purchase=purchase,
            expected=Expected(amount, amount, SIGNATURE_LIFE_S),
            account_of=lambda payer: account,
            credit_of=Decimal,
            replays=self._options.replays,
        )
        match await self._till.take(rail, presented.tender, sale):
            case Credited(transaction=transaction):
                said = {"txHash": transaction}
                return json_answer({"balance": int(account.balance), "paymentResponse": said})
            case Bad(reason=reason, detail=detail):
                return self._refuse_payment(request, account, accepts, reason, detail)
            case Failed(reason=reason):
                return self._refuse_payment(request, account, accepts, reason, "")
            case InProgress():
                return _refuse(account, request, 409, "CONFLICT", "it is being settled")
            case TimedOut():
                return _refuse(account, request, 504, "TIMEOUT", "it may settle yet")

    def _refuse_payment(
        self,
        request: web.Request,
        account: Account,
        accepts: list[Entry],
        reason: str,
        detail: str,
    ) -> web.Response:
        headers = nodit_terms.challenge(accepts, reason)
        return refusal(account, request, 402, {}, code=reason, detail=detail, headers=headers)


def _amount_in(body: bytes) -> int | None:
    """The atomic amount that a charge names, alone, as a string."""
    try:
        document = read_json(body)
    except ValueError:
        return None
    match document:
        case {"amount": str(amount)} if len(document) == 1 and _ATOMIC.fullmatch(amount):
            return int(amount)
        case _:
            return None


def _refuse(
    holder: Account | VendorBooks,
    request: web.Request,
    status: int,
    code: str,
    sentence: str,
    headers: dict[str, str] | None = None,
) -> web.Response:
    document = {"code": code, "message": sentence}
    return refusal(holder, request, status, document, code=code, detail=sentence, headers=headers)
