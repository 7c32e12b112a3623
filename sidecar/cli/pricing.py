"""What a request would cost, by the rules of its route: asked, and neither paid nor signed.

The terms are read, chosen among and held against rules and budgets by the very code that pays.
Nobody here has a key: wallets are their addresses, and the ledger is opened for reading.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeAlias

from sidecar.cli.desk import open_desk
from sidecar.cli.route_secrets import open_for
from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.model import Config, RouteConfig
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse, Upstream, read_whole
from sidecar.ledger.model import Budget, Purchase, TopUpRule
from sidecar.money import Usdc
from sidecar.payments.intents import intent_for
from sidecar.payments.order import Order, PayingRoute
from sidecar.payments.prepaid import account_purchase, is_unproven
from sidecar.policy import Allowed, choose
from sidecar.providers.base import (
    Credential,
    Occasion,
    PassThrough,
    PayInline,
    Prepaid,
    Present,
    Provider,
    TopUp,
)
from sidecar.refusal import Denied
from sidecar.service.vendors import build_provider, place_of, policy
from sidecar.values import dataclass
from sidecar.wallets.watch_only import WatchOnlyWallet
from sidecar.x402.codec import read_payment_required
from sidecar.x402.select import Candidate, candidates
from sidecar.x402.types import PaymentRequired

REFUSAL_BYTES_MAX = 256 * 1024
NONCE_BYTES = 32
# Where a payment would have its id.
QUOTE_ID = "quote_of_no_payment"

Decision: TypeAlias = Literal["free", "payable", "credit", "denied"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to pay that can be read, and the rule of the route's policy against it, if any."""

    candidate: Candidate
    denied: Denied | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a seller asks for, and what would be made of it.

    ``status``: of the answer without a payment; 0 where nothing was asked. ``taken``: the offer
    that would be paid. ``credit``: how much is bought at once where requests are paid from credit.
    """

    status: int
    offers: tuple[Offer, ...] = ()
    unpayable: tuple[str, ...] = ()
    taken: Candidate | None = None
    denied: Denied | None = None
    credit: Usdc | None = None
    notes: tuple[str, ...] = ()

    @property
    def decision(self) -> Decision:
        """What would become of the request."""
        if self.denied is not None:
            return "denied"
        if self.taken is not None:
            return "payable"
        return "free" if self.credit is None else "credit"


class Pricing:
    """Asks for one route; ``budgets``: the route's, and a caller's own beside them."""

    def __init__(
        self,
        config: Config,
        route: RouteConfig,
        caller: str,
        budgets: tuple[Budget, ...],
        upstream: Upstream,
    ) -> None:
        self._route = route
        self._caller = caller
        self._budgets = budgets
        self._upstream = upstream
        self._desk = open_desk(config, os.environ)
        self._now: datetime = SystemClock().now()
        opened = open_for(config, route)
        assert route.wallet is not None
        self._address = opened.wallets[route.wallet].address
        self._provider: Provider = build_provider(route, opened, shadow=True)
        self._paying = PayingRoute(
            name=route.name,
            policy=policy(route),
            signer=WatchOnlyWallet(self._address),
            upstream=upstream,
            breaker=route.breaker,
            response_wait_s=route.response_wait_s,
            chain=upstream,
            place_of=place_of(route, self._provider),
            price_jump_max=route.price_jump_max,
        )

    async def quote(self, request: HttpRequest) -> Quote:
        """Send it without a payment, and see what is asked for it.

        RemoteProtocolError where the answer is no offer, UpstreamError where there is none.
        """
        provider = self._provider
        answer = await ask(self._upstream, request, self._route.response_wait_s)
        seller = provider if isinstance(provider, Prepaid) and self._route.top_up else None
        if answer.status == 401 and seller is not None:
            # Signed in to, it would be served from credit, or want some.
            return await self._credit(seller.account_of(request), answer.status)
        if answer.status != 402:
            return _unpriced(answer.status)
        occasion = Occasion(self._now, SystemEntropy().token(NONCE_BYTES))
        remedy = provider.remedy(request, answer, occasion)
        # Who has no key signs in nowhere.
        assert not isinstance(remedy, Present)
        match remedy:
            case PayInline(required):
                order = self._order(request, Purchase(QUOTE_ID, explicit=False))
                return self._judge(order, required, answer.status)
            case TopUp(account):
                return await self._credit(account, answer.status)
            case PassThrough() if seller is not None:
                return await self._credit(seller.account_of(request), answer.status)
            case PassThrough(reason):
                return Quote(answer.status, denied=Denied("unpayable", reason))

    async def _credit(self, account: str, status: int) -> Quote:
        """What a top-up would cost: where the vendor tells it to whoever asks, by its terms."""
        provider, top_up, most = self._provider, self._route.top_up, self._route.max_payment
        if not isinstance(provider, Prepaid) or top_up is None:
            return Quote(status, denied=Denied("unpayable", "this route never buys credit"))
        assert most is not None
        if not account and account not in provider.accounts:
            reason = "this 402 wants credits, and its path is no endpoint's"
            return Quote(status, denied=Denied("unpayable", reason))
        amount = top_up.amount or most
        purchase = account_purchase(provider, self._address, account)
        newest = self._desk.newest_top_up(purchase)
        if newest is not None and is_unproven(newest):
            reason = f"top-up {newest.id} of {newest.amount} was paid, and has not helped yet"
            return Quote(status, denied=Denied("top_up_unproven", reason), credit=amount)
        charge = provider.charge(account, Credential(()), amount)
        answer = await ask(self._upstream, charge, self._route.response_wait_s)
        note = "requests are paid from credit, which is bought when it runs out: this is one top-up"
        if answer.status != 402:
            untold = "the vendor names its terms to who has signed in, and a quote signs nothing"
            return Quote(status, credit=amount, notes=(note, untold))
        terms = provider.terms(account, answer, amount)
        if isinstance(terms, str):
            return Quote(status, denied=Denied("top_up_terms", terms), credit=amount)
        order = self._order(charge, purchase)
        order.top_up = lambda: TopUpRule(self._now, top_up.max_per_hour)
        quote = self._judge(order, terms, status)
        return replace(quote, credit=amount, notes=(note, *quote.notes))

    def _order(self, request: HttpRequest, purchase: Purchase) -> Order:
        return Order(request, purchase, self._paying, self._caller, self._budgets)

    def _judge(self, order: Order, required: PaymentRequired, status: int) -> Quote:
        """The payer's own choice and rules, up to the reservation that is not made."""
        payable, reasons = candidates(required)
        checked = [(each, self._paying.policy.check(each)) for each in payable]
        quote = Quote(
            status,
            tuple(
                Offer(each, said if isinstance(said, Denied) else None) for each, said in checked
            ),
            reasons,
        )
        chosen = choose((payable, reasons), self._paying.policy)
        if isinstance(chosen, Denied):
            return replace(quote, denied=chosen)
        intent = intent_for(order, required, chosen, QUOTE_ID, self._now, self._now)
        denied = self._desk.refusal(intent, self._now)
        if denied is not None:
            return replace(quote, denied=denied)
        return replace(quote, taken=chosen.candidate, notes=self._notes(chosen))

    def _notes(self, allowed: Allowed) -> tuple[str, ...]:
        approval, odd = self._route.approval, allowed.candidate.note
        notes = [odd] if odd else []
        if approval is not None and allowed.candidate.amount > approval.above:
            notes.append(f"it would wait for a person: this route asks above {approval.above}")
        return tuple(notes)


def quote_stranger(answer: HttpResponse) -> Quote:
    """What a seller asks whom no route leads to: nothing would be paid there."""
    if answer.status != 402:
        return _unpriced(answer.status)
    required = read_payment_required(answer)
    if required is None:
        raise RemoteProtocolError("the seller's 402 names no x402 terms")
    payable, reasons = candidates(required)
    denied = Denied("route", "no route leads there, and what is not written is not paid")
    return Quote(
        answer.status, tuple(Offer(each, denied) for each in payable), reasons, None, denied
    )


async def ask(upstream: Upstream, request: HttpRequest, wait_s: float) -> HttpResponse:
    """The answer to a request that carries no payment; of one that is served, its head alone."""
    reply = await upstream.send(request, wait_s=wait_s)
    if reply.status not in {401, 402}:
        reply.close()
        return HttpResponse(reply.status, reply.headers)
    return await read_whole(reply, REFUSAL_BYTES_MAX)


def _unpriced(status: int) -> Quote:
    if not 200 <= status < 300:
        raise RemoteProtocolError(f"the seller answered {status}, and named no price")
    return Quote(status)
