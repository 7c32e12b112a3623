"""The seller: a request for something priced, start to finish.

    no payment          402 with the terms
    unreadable          402, as if nothing had been sent
    verify              402 with the facilitator's reason
    seen before         the undelivered answer again, where the options say so
    handler             makes the answer; one that refuses is not charged
    settle              on the chain that it names, at most once for each authorization
    respond             with the receipt

That is the official sellers' order (x402.md 1.6). A fault, if one was asked for, replaces the last
two steps; everything before them is judged honestly first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from sidecar.clock import Clock
from sidecar.sandbox import decoys, facilitator
from sidecar.sandbox.books import Books, Outcome
from sidecar.sandbox.cashier import Cashier, solana_offer
from sidecar.sandbox.chain import NONCE_USED, Chain, Reverted
from sidecar.sandbox.facilitator import Facilitator, Refused
from sidecar.sandbox.faults import FaultPlan, Moment, UnknownFaultError, Wish, wish_in
from sidecar.sandbox.goods import Make
from sidecar.sandbox.identifiers import Identifiers, identifier_in, is_identifier
from sidecar.sandbox.misconduct import ACTS, HONEST, Act, Settles
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import HEADERS, Malformed, Payment, read_payment
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.replies import CHALLENGE_HEADERS, Replies, Sale, failure, payment_required
from sidecar.sandbox.solana import Ledger
from sidecar.sandbox.solana.ledger import DUPLICATE
from sidecar.sandbox.terms import Offer, Terms

# What an official v2 seller says to a header that it cannot read.
UNREADABLE = "Payment required"


class Seller:
    """Sells goods for one price on the sandbox's chains."""

    def __init__(
        self,
        options: SandboxOptions,
        chain: Chain,
        books: Books,
        faults: FaultPlan,
        clock: Clock,
        solana: Callable[[], Ledger],
    ) -> None:
        self._options = options
        self._cashier = Cashier(chain, solana)
        self._books = books
        self._faults = faults
        self._clock = clock
        self._terms = Terms(options, lambda: solana_offer(solana(), options))
        self._facilitator = Facilitator(
            chain,
            clock,
            validity_max_s=options.validity_max_s,
            solana=solana if options.solana else None,
        )
        self._replies = Replies(options, self._terms, books, clock)
        self._identifiers = Identifiers()
        self._decoys: dict[Purchase, Sequence[Offer]] = {}

    async def sell(self, request: web.Request, make: Make) -> web.StreamResponse:
        """Answer a request for goods that `make` makes out of the request body."""
        body = await request.read()
        purchase = Purchase.of(request.method, request.path_qs, body)
        try:
            wish = wish_in(body, request.query)
        except UnknownFaultError as error:
            return failure(400, str(error))
        headers = request.headers
        sent = [(name, text) for name in HEADERS.values() for text in headers.getall(name, ())]
        if not sent:
            return self._challenge(request, purchase, wish)
        if self._books.full:
            return failure(503, "The books are full: restart the sandbox")
        payment = self._read(sent)
        if isinstance(payment, Malformed):
            record = self._books.present(purchase, None, None)
            self._books.conclude(record, Outcome.REFUSED, reason=UNREADABLE, detail=payment.detail)
            return self._replies.refusal(request, self._worded(UNREADABLE))
        record = self._books.present(
            purchase, payment.authorization, identifier_in(payment.extensions)
        )
        return await self._judge(Sale(request, purchase, payment, make(body), record), wish)

    def _challenge(
        self, request: web.Request, purchase: Purchase, wish: Wish | None
    ) -> web.Response:
        fault = self._faults.take(purchase, wish, Moment.CHALLENGE)
        if fault is None:
            return payment_required(self._replies.challenge(request))
        offers = decoys.offers_of(fault, self._terms.offer)
        if offers is not None:
            while len(self._decoys) >= self._options.decoys_max:
                del self._decoys[next(iter(self._decoys))]
            self._decoys[purchase] = offers
        challenge = self._replies.challenge(request, offers or ())
        header = CHALLENGE_HEADERS[self._options.x402_version]
        return payment_required(decoys.spoiled(fault, challenge, header=header))

    def _read(self, sent: Sequence[tuple[str, str]]) -> Payment | Malformed:
        # An official seller ignores the header of the other version. Each copy is a spendable
        # authorization all the same, and no careful client sends two.
        if len(sent) > 1:
            return Malformed(f"{len(sent)} payment headers")
        ((name, text),) = sent
        if name != HEADERS[self._options.x402_version]:
            return Malformed(f"{name} is not the header of this x402 version")
        return read_payment(text, self._options.x402_version)

    async def _judge(self, sale: Sale, wish: Wish | None) -> web.StreamResponse:
        payment = sale.payment
        if not self._terms.echoed_by(payment.extensions):
            return self._refuse(sale, Refused(facilitator.EXTENSION_MISMATCH, "declared info gone"))
        offers = (*self._terms.offers, *self._decoys.get(sale.purchase, ()))
        verdict = self._facilitator.verify(payment, offers)
        offer: Offer | None = None
        if isinstance(verdict, Refused):
            if verdict.reason not in (NONCE_USED, DUPLICATE) or not self._owes(sale):
                return self._refuse(sale, verdict)
        else:
            offer = verdict.offer
        complaint = self._misidentified(payment)
        if complaint is not None:
            status, sentence = complaint
            self._books.conclude(sale.record, Outcome.REFUSED, reason=sentence)
            return failure(status, sentence)
        if sale.goods.status >= 400:
            self._books.conclude(sale.record, Outcome.UNSETTLED, reason="the handler refused")
            return await self._replies.deliver(sale, {})
        fault = self._faults.take(sale.purchase, wish, Moment.PAYMENT)
        act = HONEST if fault is None else ACTS[fault]
        return await self._perform(sale, act, fault or "", offer)

    async def _perform(
        self, sale: Sale, act: Act, fault: str, offer: Offer | None
    ) -> web.StreamResponse:
        """Settle and answer; what was settled before, and has no offer now, is only answered."""
        if offer is None:
            used = self._cashier.settled(sale.payment)
            assert used is not None
            self._books.conclude(sale.record, Outcome.REPLAYED, fault=fault)
            return await act.answer(self._replies, sale, used)
        if act.settles is Settles.NEVER:
            self._books.conclude(sale.record, Outcome.UNSETTLED, fault=fault)
            return await act.answer(self._replies, sale, "")
        if act.settles is Settles.LATER:
            self._books.paid_for(sale.payment.authorization, sale.purchase)
            delay_s = self._options.pending_s
            pending = self._cashier.submit(sale.payment, offer, delay_s=delay_s)
            self._books.conclude(sale.record, Outcome.PENDING, fault=fault)
            return await act.answer(self._replies, sale, pending)
        if self._options.handler_delay_s:
            await self._clock.sleep(self._options.handler_delay_s)
        if act.settles is Settles.WHEN_GONE:
            await self._replies.until_gone(sale.request)
        self._books.paid_for(sale.payment.authorization, sale.purchase)
        settled = self._cashier.settle(sale.payment, offer)
        if isinstance(settled, Reverted):
            self._books.conclude(sale.record, Outcome.REVERTED, reason=settled.reason, fault=fault)
            return self._replies.unsettled(sale, settled.reason)
        self._books.conclude(sale.record, Outcome.SETTLED, fault=fault)
        return await act.answer(self._replies, sale, settled)

    def _owes(self, sale: Sale) -> bool:
        """Whether this settled authorization still has an answer to get, for this purchase."""
        authorization = sale.payment.authorization
        if self._cashier.settled(sale.payment) is None or not self._options.replays:
            return False
        # One payment never buys two things.
        if self._books.bought_with(authorization) != sale.purchase:
            return False
        return self._options.replays_delivered or self._books.deliveries(authorization) == 0

    def _misidentified(self, payment: Payment) -> tuple[int, str] | None:
        identifier = identifier_in(payment.extensions)
        if identifier is None or not self._options.payment_identifier:
            return None
        if not is_identifier(identifier):
            return 400, "the payment-identifier is not 16 to 128 of [A-Za-z0-9_-]"
        if self._identifiers.conflicts(identifier, payment.payload):
            return 409, "the payment-identifier came with another payload before"
        return None

    def _refuse(self, sale: Sale, refused: Refused) -> web.Response:
        self._books.conclude(
            sale.record, Outcome.REFUSED, reason=refused.reason, detail=refused.detail
        )
        return self._replies.refusal(sale.request, self._worded(refused.reason))

    def _worded(self, reason: str) -> str:
        """The reason as the official seller of this x402 version words it."""
        if self._options.x402_version == 2:
            return reason
        match reason:
            case facilitator.NO_MATCH:
                return "No matching payment requirements found"
            case _ if reason == UNREADABLE:
                return "Invalid payment header format"
            case _:
                return f"Invalid payment: {reason}"
