"""Venice: a signed-in wallet with a prepaid balance, or an API key (providers.md 1 and 2).

payment header      400: credit is bought at /x402/top-up, never with a call
sign-in             judged, and used up; it wins over an API key
neither             402 with the terms, and how to sign in
in flight           five calls of one wallet at a time
balance             402 below the minimum, another 402 below the price
body                a field that Venice does not know is a 400
served              and charged afterwards
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler

from sidecar.sandbox import goods as plain
from sidecar.sandbox.goods import Goods
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors import venice_goods
from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import json_answer, refusal, send_goods
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.venice_admission import VeniceAdmission
from sidecar.sandbox.vendors.venice_api_key import SHORT, KeyHolder, VeniceKeys
from sidecar.sandbox.vendors.venice_reads import VeniceReads
from sidecar.sandbox.vendors.venice_top_up import PAYMENT_HEADERS, VeniceTopUp
from sidecar.sandbox.vendors.venice_words import VeniceWords

BASE = "/venice/api/v1"

Make: TypeAlias = Callable[[bytes, Mapping[str, Decimal]], Goods]
AskKeys: TypeAlias = Callable[[web.Request, KeyHolder], web.Response]


class Venice:
    """The vendor under /venice."""

    name = "venice"

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._options = premises.options.vendors.venice
        self.books = VendorBooks(
            premises.clock,
            records_max=premises.options.records_max,
            starting_balance=self._options.starting_balance_usd,
        )
        self.keys = VeniceKeys(dict(self._options.keys), self.books)
        self._words = VeniceWords(premises)
        self._admission = VeniceAdmission(premises, self.books)
        self._top_up = VeniceTopUp(premises, self.books, self._words)
        self._reads = VeniceReads(premises, self.books, self._admission)

    def account(self, address: str) -> Account:
        """The account of this wallet."""
        return self.books.account(address.lower() if address.startswith("0x") else address)

    def routes(self) -> Iterable[web.RouteDef]:
        """Everything under /venice/api/v1."""
        return (
            web.get(f"{BASE}/models", self._models),
            web.post(f"{BASE}/chat/completions", self._selling(venice_goods.chat_completion)),
            web.post(f"{BASE}/embeddings", self._selling(venice_goods.embeddings)),
            web.post(f"{BASE}/x402/top-up", self._top_up.serve),
            web.get(f"{BASE}/x402/balance/{{wallet}}", self._reads.balance),
            web.get(f"{BASE}/x402/transactions/{{wallet}}", self._reads.transactions),
            web.get(f"{BASE}/billing/balance", self._asking(self.keys.balance)),
            web.get(f"{BASE}/api_keys/rate_limits", self._asking(self.keys.rate_limits)),
        )

    async def _models(self, request: web.Request) -> web.Response:
        return json_answer(plain.models())

    def _asking(self, ask: AskKeys) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            holder = self.keys.admit(request)
            if holder is None:
                return self._discovery(request)
            return holder if isinstance(holder, web.Response) else ask(request, holder)

        return handle

    def _selling(self, make: Make) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._sell(request, make)

        return handle

    async def _sell(self, request: web.Request, make: Make) -> web.StreamResponse:
        body = await request.read()
        if any(name in request.headers for name in PAYMENT_HEADERS):
            code = "PAYMENT_HEADER_NOT_ACCEPTED"
            document = {"error": "Payment headers are not accepted here", "code": code}
            return refusal(self.books, request, 400, document, code=code)
        signed = self._admission.admit(request)
        if isinstance(signed, web.Response):
            return signed
        if signed is not None:
            return await self._sell_to_wallet(request, body, make, signed.account)
        holder = self.keys.admit(request)
        if isinstance(holder, web.Response):
            return holder
        if holder is not None:
            return await self._sell_to_key(request, body, make, holder)
        return self._discovery(request)

    def _discovery(self, request: web.Request) -> web.Response:
        document = self._words.unauthenticated(str(request.url))
        headers = {"PAYMENT-REQUIRED": encoded(document)}
        return refusal(self.books, request, 402, document, code="NO_CREDENTIAL", headers=headers)

    async def _sell_to_wallet(
        self, request: web.Request, body: bytes, make: Make, account: Account
    ) -> web.StreamResponse:
        options = self._options
        if account.in_flight >= options.in_flight_max:
            code = "X402_CONCURRENCY_LIMIT"
            document = {"error": "Too many concurrent requests", "code": code}
            return refusal(account, request, 429, document, code=code)
        diem = self._premises.conduct.take(self.name, Misdeed.DIEM_402)
        if diem is not None or account.balance < options.minimum_balance_usd:
            return self._out_of_credit(request, account)
        if account.balance < options.price_usd:
            return refusal(account, request, 402, {"error": SHORT}, code="SHORT_OF_PRICE")
        with account.call():
            made = await self._made(request, body, make)
            if made.status != 200:
                account.refuse(request.path, made.status, "INVALID_REQUEST")
                return await self._send(request, made, {})
            identity, model = venice_goods.identity_of(made)
            response = await self._send(request, made, self._balance_header(account))
            # After the answer, as Venice does it: no header of the answer could tell of it.
            account.charge(options.price_usd, request.path, identity, model)
        return response

    async def _sell_to_key(
        self, request: web.Request, body: bytes, make: Make, holder: KeyHolder
    ) -> web.StreamResponse:
        price = self._options.price_usd
        headers = holder.headers
        complaint = holder.complaint(price)
        if complaint is not None:
            return refusal(
                holder.account,
                request,
                402,
                {"error": complaint},
                code="INSUFFICIENT_BALANCE",
                headers=headers,
            )
        with holder.account.call():
            made = await self._made(request, body, make)
            if made.status != 200:
                holder.account.refuse(request.path, made.status, "INVALID_REQUEST")
                return await self._send(request, made, headers)
            identity, model = venice_goods.identity_of(made)
            response = await self._send(request, made, headers)
            holder.pay(price)
            holder.account.charge(price, request.path, identity, model)
        return response

    async def _made(self, request: web.Request, body: bytes, make: Make) -> Goods:
        unknown = venice_goods.unknown_fields(request.path, body)
        if unknown:
            return venice_goods.invalid(unknown)
        if self._premises.options.handler_delay_s:
            await self._premises.clock.sleep(self._premises.options.handler_delay_s)
        return make(body, {"usd": self._options.price_usd, "diem": Decimal(0)})

    async def _send(
        self, request: web.Request, made: Goods, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        delay_s = self._premises.options.chunk_delay_s
        return await send_goods(request, made, headers, self._premises.clock, delay_s)

    def _out_of_credit(self, request: web.Request, account: Account) -> web.Response:
        body, header = self._words.out_of_credit(str(request.url), account.balance)
        headers = {"PAYMENT-REQUIRED": header}
        return refusal(account, request, 402, body, code="PAYMENT_REQUIRED", headers=headers)

    def _balance_header(self, account: Account) -> dict[str, str]:
        if not self._options.balance_header:
            return {}
        return {"X-Balance-Remaining": f"{account.balance:.6f}"}
