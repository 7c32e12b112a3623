"""x402layer: endpoints behind a gateway, each with credits of its own (providers.md 4).

/e/{slug}[/...]                          a call: takes credits of whom x-wallet-address names
/e/{slug}?action=purchase                402 with the package's terms, then X-Payment buys it
GET /e/{slug}?action=balance&wallet=     what is left; before: GET /api/credits/balance?endpoint=
a direct endpoint                        402, then X-Payment buys this one call

There is no signature: whoever names a wallet spends its credits. A payment is settled on the
sandbox's chains and credited once, to its payer, who must be the wallet that is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal

from aiohttp import web

from sidecar.sandbox.addresses import is_address
from sidecar.sandbox.chain import EXPIRED, NONCE_USED
from sidecar.sandbox.facilitator import BAD_SIGNATURE
from sidecar.sandbox.goods import Goods
from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.shelf import PRICED
from sidecar.sandbox.solana import base58, rules
from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import garbage, json_answer, refusal, send_goods
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import Expected, Rail, Tender
from sidecar.sandbox.vendors.till import Bad, Credited, Failed, InProgress, Sale, Till, TimedOut
from sidecar.sandbox.vendors.x402layer_options import BalanceForm
from sidecar.sandbox.vendors.x402layer_receipts import receipt_token
from sidecar.sandbox.vendors.x402layer_terms import TIMEOUT_S, Shop, payer_of, shops

BASE = "/x402layer"
PAYMENT_HEADER = "X-Payment"
OTHER_HEADERS = ("PAYMENT-SIGNATURE", "X-402-Payment")
WALLET_HEADER = "x-wallet-address"
RECEIPT_HEADER = "X-X402-Receipt-Token"
# Clocks differ by a little.
SLACK_S = 5

# As the gateway words it; for the rest it has one sentence.
_WORDS = {
    NONCE_USED: (400, "Nonce already used"),
    EXPIRED: (400, "validBefore expired"),
    BAD_SIGNATURE: (401, "Invalid signature"),
    rules.BAD_SIGNATURE: (401, "Invalid signature"),
}
_REST = (400, "Failed to verify payment: Bad Request")


class X402Layer:
    """The vendor under /x402layer."""

    name = "x402layer"

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        options = premises.options.vendors.x402layer
        self._shops = shops(premises, options.endpoints)
        self._till = Till(self.name, premises)
        self.books = VendorBooks(
            premises.clock,
            records_max=premises.options.records_max,
            starting_balance=Decimal(options.starting_credits),
        )

    def account(self, slug: str, wallet: str) -> Account:
        """What this wallet has at this endpoint."""
        return self.books.account(f"{slug}:{_folded(wallet)}")

    def routes(self) -> Iterable[web.RouteDef]:
        """Everything under /x402layer."""
        return (
            web.get(f"{BASE}/api/credits/balance", self._old_balance),
            web.route("*", f"{BASE}/e/{{slug}}", self._serve),
            web.route("*", f"{BASE}/e/{{slug}}/{{tail:.*}}", self._serve),
        )

    # --- balance ---

    async def _old_balance(self, request: web.Request) -> web.Response:
        slug = request.query.get("endpoint", "")
        shop = self._shops.get(slug)
        if shop is None or not shop.tells_balance(BalanceForm.OLD):
            return self._refuse(request, 404, "Not found")
        wallet = _wallet_in(request.headers.getall(WALLET_HEADER, []))
        if wallet is None:
            return self._refuse(request, 400, f"{WALLET_HEADER} must name one wallet")
        if self._premises.conduct.take(self.name, Misdeed.BALANCE_UNREADABLE):
            return garbage()
        balance = int(self.account(slug, wallet).balance)
        return json_answer({"credits": balance, "endpoint": slug})

    def _balance(self, request: web.Request, shop: Shop) -> web.Response:
        if request.method != "GET":
            return self._refuse(request, 405, "Method not allowed")
        if not shop.tells_balance(BalanceForm.NEW):
            return self._refuse(request, 404, "Not found")
        wallet = _wallet_in(request.query.getall("wallet", []))
        if wallet is None:
            return self._refuse(request, 400, "wallet must name one wallet")
        if self._premises.conduct.take(self.name, Misdeed.BALANCE_UNREADABLE):
            return garbage()
        return json_answer({"balance": int(self.account(shop.slug, wallet).balance)})

    # --- calls ---

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        shop = self._shops.get(request.match_info["slug"])
        if shop is None:
            return self._refuse(request, 404, "Endpoint not found")
        body = await request.read()
        action = request.query.get("action", "")
        if action == "balance":
            return self._balance(request, shop)
        if any(name in request.headers for name in OTHER_HEADERS):
            return self._refuse(request, 400, f"pay with {PAYMENT_HEADER}")
        named = request.headers.getall(WALLET_HEADER, [])
        wallet = _wallet_in(named)
        if named and wallet is None:
            return self._refuse(request, 400, f"{WALLET_HEADER} must name one wallet")
        sent = request.headers.getall(PAYMENT_HEADER, [])
        if shop.endpoint.direct or action == "purchase":
            if not sent:
                return self._challenge(request, shop, wallet)
            return await self._take(request, shop, wallet, sent)
        if sent:
            return self._refuse(request, 400, "Credits are bought at ?action=purchase")
        return await self._consume(request, shop, wallet, body)

    async def _consume(
        self, request: web.Request, shop: Shop, wallet: str | None, body: bytes
    ) -> web.StreamResponse:
        price = shop.endpoint.credits_per_call
        account = self.account(shop.slug, wallet) if wallet is not None else None
        out_of_order = self._premises.conduct.take(self.name, Misdeed.DIEM_402)
        if account is None or account.balance < price or out_of_order is not None:
            holder = account if account is not None else self.books
            holder.refuse(request.path, 402, "Insufficient credits")
            return self._challenge(request, shop, wallet)
        goods = _goods(request, shop, body)
        with account.call():
            if goods.status < 400:
                account.charge(Decimal(price), request.path)
            return await self._send(request, goods, {})

    def _challenge(
        self, request: web.Request, shop: Shop, wallet: str | None, error: str | None = None
    ) -> web.Response:
        balance = 0 if wallet is None else int(self.account(shop.slug, wallet).balance)
        return json_answer(shop.challenge(str(request.url), balance, error), 402)

    async def _send(
        self, request: web.Request, goods: Goods, headers: dict[str, str]
    ) -> web.StreamResponse:
        options = self._premises.options
        if options.handler_delay_s:
            await self._premises.clock.sleep(options.handler_delay_s)
        clock = self._premises.clock
        return await send_goods(request, goods, headers, clock, options.chunk_delay_s)

    # --- payments ---

    async def _take(
        self, request: web.Request, shop: Shop, wallet: str | None, sent: list[str]
    ) -> web.StreamResponse:
        body = await request.read()
        purchase = Purchase.of(request.method, request.path_qs, body)
        read = shop.read(sent)
        complaint = read.detail if isinstance(read, Malformed) else _off_payer(*read, wallet)
        if isinstance(read, Malformed) or complaint is not None:
            self._till.unreadable(purchase, complaint or "")
            return self._refuse(request, 400, complaint or "")
        rail, tender = read
        goods = _goods(request, shop, body)
        if shop.endpoint.direct and goods.status >= 400:
            # What the origin refuses costs nothing.
            return await self._send(request, goods, {})
        size = Decimal(0 if shop.endpoint.direct else shop.endpoint.package_size)
        amount = shop.endpoint.price.atomic
        sale = Sale(
            purchase=purchase,
            expected=Expected(amount, amount, TIMEOUT_S + SLACK_S),
            account_of=lambda payer: self.account(shop.slug, payer),
            credit_of=lambda _: size,
            replays=False,
        )
        taking = await self._till.take(rail, tender, sale)
        match taking:
            case Credited():
                return await self._sold(request, shop, goods, taking)
            case Bad(reason=reason, detail=detail):
                status, sentence = _WORDS.get(reason, _REST)
                return self._refuse(request, status, sentence, f"{reason}: {detail}")
            case Failed(reason=reason):
                self.books.refuse(request.path, 402, reason)
                return self._challenge(request, shop, wallet, "Payment settlement failed")
            case InProgress():
                return self._refuse(request, 409, "Payment is being settled")
            case TimedOut():
                return self._refuse(request, 504, "Payment settlement timed out")

    async def _sold(
        self, request: web.Request, shop: Shop, goods: Goods, credited: Credited
    ) -> web.StreamResponse:
        account = self.account(shop.slug, credited.payer)
        if not shop.endpoint.direct:
            return json_answer(
                {
                    "success": True,
                    "credits_added": int(credited.credited),
                    "balance": int(account.balance),
                    "tx_hash": credited.transaction,
                }
            )
        account.charge(Decimal(0), request.path)
        token = receipt_token(
            shop.slug,
            amount=credited.amount,
            payer=credited.payer,
            transaction=credited.transaction,
            network=credited.network,
            at=self._premises.clock.now(),
        )
        return await self._send(request, goods, {RECEIPT_HEADER: token})

    def _refuse(
        self, request: web.Request, status: int, sentence: str, detail: str = ""
    ) -> web.Response:
        document = {"error": sentence}
        return refusal(self.books, request, status, document, code=sentence, detail=detail)


def _off_payer(rail: Rail, tender: Tender, wallet: str | None) -> str | None:
    """What is wrong with who pays; None when nothing is, or when it cannot be read."""
    payer = payer_of(tender)
    if payer is None:
        return None
    if payer == _folded(rail.pay_to):
        return "Self-payment is not allowed"
    if wallet is not None and _folded(wallet) != payer:
        # The credits would go to somebody who has not paid.
        return f"paid by {payer}, and {WALLET_HEADER} names {wallet}"
    return None


def _folded(wallet: str) -> str:
    return wallet.lower() if is_address(wallet) else wallet


def _wallet_in(named: list[str]) -> str | None:
    """The one wallet that is named."""
    if len(named) != 1:
        return None
    (wallet,) = named
    if is_address(wallet):
        return wallet
    try:
        return wallet if len(base58.decoded(wallet[:64])) == 32 else None
    except ValueError:
        return None


def _goods(request: web.Request, shop: Shop, body: bytes) -> Goods:
    """What the origin behind the endpoint answers: goods that it knows, or what it was sent."""
    tail = "/" + request.match_info.get("tail", "")
    make = PRICED.get((request.method, tail))
    if make is not None:
        return make(body)
    heard = {
        "ok": True,
        "endpoint": shop.slug,
        "method": request.method,
        "path": tail,
        "query": [[key, value] for key, value in request.query.items() if key != "action"],
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return Goods((json.dumps(heard).encode(),))
