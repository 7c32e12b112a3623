"""Venice's POST /x402/top-up: USDC in, credit for whoever signed the payment (providers.md 1 (c)).

no payment header    402 with the terms, in the header and the body
a payment            in either of two shapes, under one of three names; the signed value is
                     anything from the minimum to the maximum, whatever the terms name
"""

from __future__ import annotations

from decimal import Decimal

from aiohttp import web

from sidecar.chains import V1_NETWORKS
from sidecar.money import ATOMIC_PER_USDC
from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import PerMinute, json_answer, refusal
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import EvmTender, Expected, Rail
from sidecar.sandbox.vendors.tender import Presented, is_same, read_tender
from sidecar.sandbox.vendors.till import Bad, Credited, Failed, InProgress, Sale, Till, TimedOut
from sidecar.sandbox.vendors.venice_words import VeniceWords, usd

PAYMENT_HEADERS = ("PAYMENT-SIGNATURE", "X-402-Payment", "X-PAYMENT")


class VeniceTopUp:
    """The endpoint."""

    def __init__(self, premises: Premises, books: VendorBooks, words: VeniceWords) -> None:
        self._premises = premises
        self._options = premises.options.vendors.venice
        self._books = books
        self._words = words
        self._till = Till("venice", premises)
        self._rate = PerMinute(premises.clock, self._options.top_ups_per_minute)

    async def serve(self, request: web.Request) -> web.Response:
        """Tell the terms, or take a payment."""
        body = await request.read()
        if not self._rate.allows(request.remote or ""):
            return self._refuse(request, 429, "RATE_LIMIT_EXCEEDED", "too many top-ups")
        if self._premises.conduct.take("venice", Misdeed.TOP_UP_NOT_CONFIGURED):
            return self._refuse(request, 503, "X402_NOT_CONFIGURED", "not for sale now")
        sent = [text for name in PAYMENT_HEADERS for text in request.headers.getall(name, ())]
        if body:
            return self._refuse(request, 400, "INVALID_REQUEST", "a top-up has no body")
        if not sent:
            terms = self._words.terms()
            return json_answer(terms, 402, {"PAYMENT-REQUIRED": encoded(terms)})
        purchase = Purchase.of(request.method, request.path_qs, body)
        read = self._read(sent)
        if isinstance(read, Malformed):
            self._till.unreadable(purchase, read.detail)
            return self._refuse(request, 400, "INVALID_PAYMENT_FORMAT", read.detail)
        rail = self._rail(read)
        complaint = _no_rail(read) if rail is None else self._off_terms(read, rail)
        if rail is None or complaint is not None:
            assert complaint is not None
            code, detail = complaint
            self._till.unreadable(purchase, detail)
            return self._refuse(request, 400, code, detail)
        return await self._take(request, purchase, rail, read)

    def _read(self, sent: list[str]) -> Presented | Malformed:
        if len(sent) > 1:
            return Malformed(f"{len(sent)} payment headers")
        read = read_tender(sent[0])
        if isinstance(read, Malformed):
            return read
        taken = (
            self._options.flat_payments
            if read.accepted is None
            else self._options.canonical_payments
        )
        return read if taken else Malformed("a shape that is not read here")

    def _rail(self, read: Presented) -> Rail | None:
        """The rail whose network, in either of its names, the payment names."""
        named = V1_NETWORKS.get(str(read.network), read.network)
        rails = self._premises.rails
        return next((rail for rail in rails if rail.network == named), None)

    def _off_terms(self, read: Presented, rail: Rail) -> tuple[str, str] | None:
        """What is wrong with the payment before its signature is looked at."""
        if read.scheme != "exact":
            return "UNSUPPORTED_SCHEME", f"scheme {read.scheme!r}"
        evm = isinstance(read.tender, EvmTender)
        if evm != (rail.fee_payer is None):
            return "INVALID_PAYMENT", "the payload is not one of this network"
        return self._off_entry(read, rail) or self._off_amount(read, rail)

    def _off_entry(self, read: Presented, rail: Rail) -> tuple[str, str] | None:
        if read.accepted is None:
            return None
        offered, accepted = self._words.accept(rail), read.accepted
        if str(accepted.get("asset")).lower() != str(offered["asset"]).lower():
            return "UNSUPPORTED_TOKEN", f"asset {accepted.get('asset')!r}"
        if accepted.get("payTo") != offered["payTo"]:
            return "INVALID_PAYMENT_RECIPIENT", f"payTo {accepted.get('payTo')!r}"
        if not is_same(accepted, offered):
            return "INVALID_PAYMENT", "accepted is not the entry that was offered"
        return None

    def _off_amount(self, read: Presented, rail: Rail) -> tuple[str, str] | None:
        options = self._options
        # What a Solana transaction pays, and to whom, only its rail can read.
        if not isinstance(read.tender, EvmTender):
            return None
        authorization = read.tender.authorization
        if authorization.to.lower() != rail.pay_to.lower():
            return "INVALID_PAYMENT_RECIPIENT", f"to {authorization.to}, not {rail.pay_to}"
        if authorization.value < options.top_up_min.atomic:
            return "AMOUNT_TOO_LOW", f"{authorization.value}, at least {options.top_up_min}"
        if authorization.value > options.top_up_max.atomic:
            return "AMOUNT_TOO_HIGH", f"{authorization.value}, at most {options.top_up_max}"
        return None

    async def _take(
        self, request: web.Request, purchase: Purchase, rail: Rail, read: Presented
    ) -> web.Response:
        options = self._options
        sale = Sale(
            purchase=purchase,
            expected=Expected(
                options.top_up_min.atomic,
                options.top_up_max.atomic,
                self._premises.options.validity_max_s,
            ),
            account_of=self._account_of,
            credit_of=lambda atomic: Decimal(atomic) / ATOMIC_PER_USDC,
            replays=options.replays,
        )
        match await self._till.take(rail, read.tender, sale):
            case Credited() as credited:
                return self._credited(credited)
            case Bad(reason=reason, detail=detail):
                said = f"{reason}: {detail}"
                return self._refuse(request, 400, "PAYMENT_VERIFICATION_FAILED", said)
            case Failed(reason=reason):
                return self._refuse(request, 402, "SETTLEMENT_FAILED", reason)
            case InProgress():
                return self._refuse(request, 409, "PAYMENT_IN_PROGRESS", "it is being settled")
            case TimedOut():
                return self._refuse(request, 504, "SETTLEMENT_TIMEOUT", "it may settle yet")

    def _account_of(self, payer: str) -> Account:
        return self._books.account(payer.lower() if payer.startswith("0x") else payer)

    def _credited(self, credited: Credited) -> web.Response:
        account = self._account_of(credited.payer)
        document = {
            "success": True,
            "data": {
                "walletAddress": account.holder,
                "amountCredited": usd(credited.amount),
                "newBalance": account.balance,
                "paymentId": f"x402-{credited.transaction[-16:]}",
            },
        }
        receipt = {
            "success": True,
            "network": credited.network,
            "payer": credited.payer,
            "transaction": credited.transaction,
        }
        return json_answer(document, headers={"PAYMENT-RESPONSE": encoded(receipt)})

    def _refuse(self, request: web.Request, status: int, code: str, detail: str) -> web.Response:
        document = {"error": code, "message": detail}
        return refusal(self._books, request, status, document, code=code, detail=detail)


def _no_rail(read: Presented) -> tuple[str, str]:
    return "UNSUPPORTED_NETWORK", f"network {read.network!r}"
