"""Nodit by the call: no token, no credit; a price for each request (providers.md 5 (c)).

Every 402 makes an ``acceptId`` of its own, which is good once and for a few minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from aiohttp import web

from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors import nodit_terms
from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import json_answer, refusal
from sidecar.sandbox.vendors.nodit_api import Asked, read_call
from sidecar.sandbox.vendors.nodit_terms import OTHER_HEADERS, PAYMENT_HEADER, Entry
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import Expected
from sidecar.sandbox.vendors.till import Bad, Credited, Failed, InProgress, Sale, Till, TimedOut
from sidecar.values import dataclass

ACCEPT_LIFE = timedelta(seconds=300)
# Clocks differ by a little.
SLACK_S = 5


@dataclass(frozen=True, slots=True)
class _Offered:
    """An entry that was offered for this request, and until when it is good."""

    entry: Entry
    purchase: Purchase
    until: datetime


class NoditPayPerUse:
    """The endpoints."""

    def __init__(self, premises: Premises, books: VendorBooks, till: Till) -> None:
        self._premises = premises
        self._options = premises.options.vendors.nodit
        self._books = books
        self._till = till
        self._offered: dict[str, _Offered] = {}

    async def serve(self, request: web.Request) -> web.Response:
        """The terms; or, paid, the answer."""
        body = await request.read()
        asked = read_call(request.path, body)
        if isinstance(asked, str):
            return self._refuse(request, 400, "INVALID_ARGUMENT", asked)
        if any(name in request.headers for name in OTHER_HEADERS):
            return self._refuse(request, 400, "PAYMENT_HEADER", f"pay with {PAYMENT_HEADER}")
        purchase = Purchase.of(request.method, request.path_qs, body)
        sent = request.headers.getall(PAYMENT_HEADER, [])
        if not sent:
            return self._terms(asked, purchase)
        return await self._take(request, asked, purchase, sent)

    def _terms(self, asked: Asked, purchase: Purchase, error: str | None = None) -> web.Response:
        now = self._premises.clock.now()
        while self._offered and next(iter(self._offered.values())).until <= now:
            del self._offered[next(iter(self._offered))]
        # A batch costs the sum of its calls, and no less than one call may cost.
        amount = max(self._options.price * asked.calls, self._options.pay_per_use_price.atomic)
        accepts = []
        for rail in self._premises.rails:
            identity = self._premises.entropy.token(16).hex()
            extra = {"mode": "ppu", "acceptId": identity}
            timeout_s = self._options.pay_per_use_timeout_s
            entry = nodit_terms.entry(rail, amount, timeout_s, extra)
            self._offered[identity] = _Offered(entry, purchase, now + ACCEPT_LIFE)
            accepts.append(entry)
        return json_answer({}, 402, nodit_terms.challenge(accepts, error))

    async def _take(
        self, request: web.Request, asked: Asked, purchase: Purchase, sent: list[str]
    ) -> web.Response:
        now = self._premises.clock.now()
        good = [
            offered.entry
            for offered in self._offered.values()
            if offered.purchase == purchase and now < offered.until
        ]
        read = nodit_terms.read_payment(sent, good, self._premises.rails)
        if isinstance(read, Malformed):
            self._till.unreadable(purchase, read.detail)
            return self._refused(request, asked, purchase, Bad("INVALID_PAYMENT", read.detail))
        presented, rail = read
        match presented.accepted:
            case {"amount": str(amount), "extra": {"acceptId": str(identity)}}:
                pass
            case _:
                raise AssertionError("an entry that was offered has both")
        most_s = self._options.pay_per_use_timeout_s + SLACK_S
        sale = Sale(
            purchase=purchase,
            expected=Expected(int(amount), int(amount), most_s),
            account_of=self._account_of,
            credit_of=Decimal,
            replays=False,
        )
        # Good once, also for two who come at a time; it is good again if nothing was sold.
        offered = self._offered.pop(identity)
        taking = await self._till.take(rail, presented.tender, sale)
        if isinstance(taking, Bad | Failed):
            self._offered[identity] = offered
        match taking:
            case Credited() as credited:
                account = self._account_of(credited.payer)
                account.charge(credited.credited, request.path)
                receipt = {
                    "success": True,
                    "network": credited.network,
                    "payer": credited.payer,
                    "transaction": credited.transaction,
                }
                return json_answer(asked.answer, headers={"PAYMENT-RESPONSE": encoded(receipt)})
            case Bad() as bad:
                return self._refused(request, asked, purchase, bad)
            case Failed(reason=reason):
                return self._refused(request, asked, purchase, Bad(reason, "not settled"))
            case InProgress():
                return self._refuse(request, 409, "CONFLICT", "it is being settled")
            case TimedOut():
                return self._refuse(request, 504, "TIMEOUT", "it may settle yet")

    def _account_of(self, payer: str) -> Account:
        return self._books.account(payer.lower() if payer.startswith("0x") else payer)

    def _refused(
        self, request: web.Request, asked: Asked, purchase: Purchase, bad: Bad
    ) -> web.Response:
        self._books.refuse(request.path, 402, bad.reason, bad.detail)
        return self._terms(asked, purchase, bad.reason)

    def _refuse(self, request: web.Request, status: int, code: str, sentence: str) -> web.Response:
        document = {"code": code, "message": sentence}
        return refusal(self._books, request, status, document, code=code, detail=sentence)
