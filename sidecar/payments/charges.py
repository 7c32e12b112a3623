"""A vendor's charge: asked for its terms without a payment, and its refusals in words."""

from __future__ import annotations

from sidecar.errors import RemoteProtocolError, UpstreamError
from sidecar.http import HttpRequest, HttpResponse, Reply, read_whole
from sidecar.payments.prepaid import Need, PrepaidRoute, later
from sidecar.payments.refusals import reason_of
from sidecar.refusal import Denied
from sidecar.x402.types import PaymentRequired

CHARGE_WAIT_S = 30.0
CHARGE_BYTES_MAX = 256 * 1024


async def ask_terms(need: Need) -> tuple[HttpRequest, PaymentRequired] | Denied:
    """The charge, and what the vendor wants to be paid for it. Denied where it names no terms.

    Raises UpstreamError and RemoteProtocolError, and what a sign-in raises.
    """
    charge, refusal = await _ask(need)
    if refusal.status == 429 or refusal.status >= 500:
        return later(f"the vendor answered {reason_of(refusal)}")
    if refusal.status != 402:
        return Denied("top_up_terms", f"the vendor named no terms: {reason_of(refusal)}")
    terms = need.route.provider.terms(need.account, refusal, need.route.terms.amount)
    return Denied("top_up_terms", terms) if isinstance(terms, str) else (charge, terms)


async def _ask(need: Need) -> tuple[HttpRequest, HttpResponse]:
    """The charge, and the answer to it without a payment."""
    route, amount = need.route, need.route.terms.amount
    credential = await route.credentials.get()
    charge = route.provider.charge(need.account, credential, amount)
    response = await _send(route, charge)
    if response.status == 401 and route.provider.is_stale(response):
        credential = await route.credentials.renew(credential, response)
        charge = route.provider.charge(need.account, credential, amount)
        response = await _send(route, charge)
    return charge, response


async def _send(route: PrepaidRoute, charge: HttpRequest) -> HttpResponse:
    reply = await route.paying.upstream.send(charge, wait_s=CHARGE_WAIT_S)
    return await read_whole(reply, CHARGE_BYTES_MAX)


async def answer_in(reply: Reply) -> HttpResponse:
    """The answer to a charge that was paid; where its body breaks off, its head alone."""
    try:
        return await read_whole(reply, CHARGE_BYTES_MAX)
    except (UpstreamError, RemoteProtocolError):
        return HttpResponse(reply.status, reply.headers)


async def reason_in(reply: Reply) -> str:
    """Why a charge was refused; where its body breaks off, that."""
    try:
        return reason_of(await read_whole(reply, CHARGE_BYTES_MAX))
    except (UpstreamError, RemoteProtocolError) as fault:
        return fault.diagnostics()
