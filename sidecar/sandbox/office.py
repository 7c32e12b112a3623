"""The seller's office, under /sandbox: the books, the faults, and the trap.

GET    /sandbox/books    what was presented, settled and delivered
GET    /sandbox/faults   every fault and what it does
POST   /sandbox/faults   {"fault": name, "times": n} for the next challenges or presentations
DELETE /sandbox/faults   behave again
any    /sandbox/trap     where the `redirect` fault points

The vendors have theirs under /sandbox/vendors: see ``vendors/office.py``.
"""

from __future__ import annotations

import json
from typing import Protocol

from aiohttp import web

from sidecar.sandbox.books import Books, Outcome
from sidecar.sandbox.faults import TIMES_MAX, Fault, FaultPlan, UnknownFaultError, Wish
from sidecar.sandbox.identifiers import identifier_in
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import HEADERS, Payment, read_payment
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.replies import failure


class Described(Protocol):
    """What the start text tells of a running sandbox."""

    @property
    def url(self) -> str: ...
    @property
    def rpc_url(self) -> str: ...
    @property
    def solana_rpc_url(self) -> str: ...
    @property
    def pay_to(self) -> str: ...
    @property
    def options(self) -> SandboxOptions: ...


class Office:
    """The endpoints that watch the seller and tell it how to misbehave."""

    def __init__(self, books: Books, faults: FaultPlan) -> None:
        self._books = books
        self._faults = faults

    async def books(self, request: web.Request) -> web.Response:
        """All the books, as JSON."""
        return web.json_response(self._books.to_json())

    async def list_faults(self, request: web.Request) -> web.Response:
        """Every fault by name."""
        return web.json_response(
            {fault.value: {"does": fault.meaning, "strikes": fault.moment.value} for fault in Fault}
        )

    async def add_fault(self, request: web.Request) -> web.Response:
        """Choose a fault for whatever comes next."""
        try:
            document = json.loads(await request.read())
        except (ValueError, RecursionError):
            return failure(400, "the body is not JSON")
        match document:
            case {"fault": str(name), "times": int(times)} if 0 < times <= TIMES_MAX:
                wanted: int | None = times
            case {"fault": str(name)} if "times" not in document:
                wanted = None
            case _:
                return failure(400, 'send {"fault": "<name>", "times": <1 or more>}')
        try:
            wish = Wish.of(name, wanted)
        except UnknownFaultError as error:
            return failure(400, str(error))
        self._faults.add(wish.fault, wish.times)
        return web.json_response({"fault": wish.fault.value, "times": wish.times})

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Behave again."""
        self._faults.clear()
        return web.json_response({})

    async def trap(self, request: web.Request) -> web.Response:
        """Where a client that follows redirects ends up; `note_stray` has seen its headers."""
        return web.json_response({"trapped": True})

    def note_stray(self, request: web.Request) -> None:
        """Write down a payment that was sent to something that costs nothing."""
        for version, name in HEADERS.items():
            for text in request.headers.getall(name, ()):
                if self._books.full:
                    return
                payment = read_payment(text, version)
                purchase = Purchase.of(request.method, request.path_qs, b"")
                record = (
                    self._books.present(
                        purchase, payment.authorization, identifier_in(payment.extensions)
                    )
                    if isinstance(payment, Payment)
                    else self._books.present(purchase, None, None)
                )
                self._books.conclude(record, Outcome.STRAY)


def start_text(sandbox: Described) -> str:
    """What a person who has just started the sandbox wants to know."""
    options = sandbox.options
    return f"""\
Sandbox seller: {sandbox.url}   (no real money: the chain is made up)
  price      {options.price} a call, x402 v{options.x402_version}, network {options.network}
  pay_to     {sandbox.pay_to}
  rpc        {sandbox.rpc_url}
             {sandbox.solana_rpc_url}   ({options.vendors.solana_network})
  balance    {options.starting_balance} for every payer
  priced     POST /v1/chat/completions, /v1/responses, /v1/messages, /v1/embeddings, /v1/paid
  free       GET /v1/models, /v1/bytes/<n>; POST /v1/messages/count_tokens, /v1/files, /v1/upload
  books      GET {sandbox.url}/sandbox/books
  faults     GET {sandbox.url}/sandbox/faults lists them. To choose one:
               in the request     "model": "fault:settle_then_500:1", or ?fault=settle_then_500:1
               for the next call  POST /sandbox/faults {{"fault": "settle_then_500", "times": 1}}
  vendors    the same sandbox plays four vendors; a route has one of these as its upstream
               Venice     {sandbox.url}/venice/api
               Nodit      {sandbox.url}/nodit
               x402layer  {sandbox.url}/x402layer/e/weather-data
               LibertAI   {sandbox.url}/libertai
               books      GET {sandbox.url}/sandbox/vendors
               faults     GET {sandbox.url}/sandbox/vendors/faults lists them; then
                          POST /sandbox/vendors/venice/faults {{"fault": "top_up_refused"}}
"""
