"""LibertAI: a price for each request, authorized before it and settled after it (providers.md 3).

GET  /v1/models      free
POST /v1/{path}      JSON with a model: 402 with a quote, then X-PAYMENT with the same bytes

authorized   ANY Authorization header turns the payment off, and is refused
quoted       the most that these bytes can cost; a payment for other bytes buys nothing
verified     a permit at the payer's next nonce, or an EIP-3009 transfer; for exactly the quote.
             What is no good gets the very same 402 again
served       streams pass through; the cookie keeps a client at its server
settled      some time later, off the response: of a permit what was used, of a transfer all of it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from aiohttp import web

from sidecar.document import read_json
from sidecar.money import ATOMIC_PER_USDC
from sidecar.sandbox.books import Outcome
from sidecar.sandbox.goods import CREATED_S
from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.vendors import libertai_terms
from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import json_answer, refusal, send_goods
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.libertai_goods import Inference, infer
from sidecar.sandbox.vendors.libertai_settling import Call, Settling
from sidecar.sandbox.vendors.libertai_terms import Answered, Quote
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import NotReceived

BASE = "/libertai"
PAYMENT_HEADERS = ("X-PAYMENT", "PAYMENT-SIGNATURE")
COOKIE = "preferred_instances"
COOKIE_LIFE_S = 1_800


class Libertai:
    """The vendor under /libertai."""

    name = "libertai"

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._options = premises.options.vendors.libertai
        self._settling = Settling(premises)
        self._quoted: dict[Purchase, Quote] = {}
        self.books = VendorBooks(premises.clock, records_max=premises.options.records_max)

    def account(self, payer: str) -> Account:
        """What this payer has bought. It holds no balance here."""
        return self.books.account(payer.lower())

    @property
    def calls(self) -> Sequence[Call]:
        """Every call that was paid for with something good, in order."""
        return self._settling.calls

    def routes(self) -> Iterable[web.RouteDef]:
        """Everything under /libertai."""
        return (
            web.get(f"{BASE}/v1/models", self._models),
            web.post(f"{BASE}/v1/{{path:.+}}", self._serve),
        )

    async def _models(self, request: web.Request) -> web.Response:
        rows = [
            {"id": name, "object": "model", "created": CREATED_S, "owned_by": "libertai"}
            for name in self._options.models
        ]
        return json_answer({"object": "list", "data": rows})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if "Authorization" in request.headers:
            return self._refuse(request, 401, "Invalid API key")
        document = _object(body)
        if document is None:
            return self._refuse(request, 422, "The body must be JSON with a model")
        name = str(document["model"])
        model = self._options.models.get(name)
        if model is None:
            return self._refuse(request, 404, f"Model '{name[:100]}' not found")
        inference = infer("/v1/" + request.match_info["path"], body, document)
        if inference is None:
            return self._refuse(request, 404, "Not Found")
        if not model.priced:
            return self._refuse(request, 404, f"Model '{name}' is not priced for x402")
        quote = libertai_terms.quote_of(name, model, body, document)
        purchase = Purchase.of(request.method, request.path_qs, body)
        sent = [(one, text) for one in PAYMENT_HEADERS for text in request.headers.getall(one, ())]
        if not sent:
            return self._challenge(request, purchase, quote)
        return await self._judge(request, purchase, quote, inference, sent)

    def _challenge(self, request: web.Request, purchase: Purchase, quote: Quote) -> web.Response:
        while len(self._quoted) >= self._premises.options.decoys_max:
            del self._quoted[next(iter(self._quoted))]
        self._quoted[purchase] = quote
        document, headers = libertai_terms.challenge(
            quote, str(request.url), self._premises.chain.asset, self._options
        )
        return json_answer(document, 402, headers)

    async def _judge(
        self,
        request: web.Request,
        purchase: Purchase,
        quote: Quote,
        inference: Inference,
        sent: list[tuple[str, str]],
    ) -> web.StreamResponse:
        read = self._read(purchase, sent)
        payments = self._premises.payments
        answered = read if isinstance(read, Answered) else None
        authorization = answered.authorization if answered is not None else None
        record = payments.present(purchase, authorization, None)
        refused = (
            NotReceived("unreadable", read.detail)
            if isinstance(read, Malformed)
            else self._settling.verify(read, quote)
        )
        if refused is None and self._premises.conduct.take(self.name, Misdeed.TOP_UP_REFUSED):
            refused = NotReceived("transaction_failed", "refused on demand")
        if answered is None or refused is not None:
            assert refused is not None
            reason, detail = refused.reason, refused.detail
            payments.conclude(record, Outcome.REFUSED, reason=reason, detail=detail)
            self.books.refuse(request.path, 402, reason, detail)
            return self._challenge(request, purchase, quote)
        return await self._sell(request, quote, inference, answered, record)

    def _read(self, purchase: Purchase, sent: list[tuple[str, str]]) -> Answered | Malformed:
        if len(sent) != 1:
            return Malformed(f"{len(sent)} payment headers")
        if purchase not in self._quoted:
            return Malformed("no quote was asked for these bytes")
        ((header, text),) = sent
        return libertai_terms.read_answer(header, text, self._premises.chain.asset.network)

    async def _sell(
        self,
        request: web.Request,
        quote: Quote,
        inference: Inference,
        answered: Answered,
        record: int,
    ) -> web.StreamResponse:
        payments, options = self._premises.payments, self._premises.options
        purchase = Purchase.of(request.method, request.path_qs, await request.read())
        cookie = request.cookies.get(COOKIE, "")
        call = self._settling.open(quote, answered, cookie)
        if not quote.model.served:
            payments.conclude(record, Outcome.UNSETTLED, reason="nothing was served")
            return self._refuse(request, 503, f"All servers unavailable for model {quote.name}")
        if options.handler_delay_s:
            await self._premises.clock.sleep(options.handler_delay_s)
        kept = cookie or self._premises.entropy.token(8).hex()
        headers = {"Set-Cookie": f"{COOKIE}={kept}; Max-Age={COOKIE_LIFE_S}; Path=/; HttpOnly"}
        clock = self._premises.clock
        response = await send_goods(request, inference.goods, headers, clock, options.chunk_delay_s)
        if inference.usage is None:
            payments.conclude(record, Outcome.UNSETTLED, reason="no usage")
            return response
        payments.paid_for(answered.authorization, purchase)
        payments.delivered(answered.authorization)
        self._settling.settle(call, inference.usage)
        outcome = Outcome.UNSETTLED if call.pending is None else Outcome.PENDING
        payments.conclude(record, outcome)
        spent = Decimal(call.amount.atomic) / ATOMIC_PER_USDC
        self.account(call.payer).charge(spent, request.path, model=quote.name)
        return response

    def _refuse(self, request: web.Request, status: int, sentence: str) -> web.Response:
        return refusal(self.books, request, status, {"detail": sentence}, code=sentence)


def _object(body: bytes) -> dict[str, object] | None:
    try:
        document = read_json(body)
    except ValueError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("model"), str):
        return None
    return document
