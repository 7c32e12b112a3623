"""The sandbox as a running server: one port for the seller, its chain and its office."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import format_datetime
from functools import cached_property

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.chains import usdc_on
from sidecar.clock import Clock, Entropy
from sidecar.sandbox.addresses import checksummed
from sidecar.sandbox.books import Books
from sidecar.sandbox.chain import Chain
from sidecar.sandbox.faults import FaultPlan
from sidecar.sandbox.goods import Make
from sidecar.sandbox.node import Node
from sidecar.sandbox.office import Office, start_text
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.replies import failure
from sidecar.sandbox.samples import Samples
from sidecar.sandbox.seller import Seller
from sidecar.sandbox.shelf import PRICED
from sidecar.sandbox.solana import Ledger, SolanaNode
from sidecar.sandbox.vendors.conduct import Conduct
from sidecar.sandbox.vendors.market import Market
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import EvmRail, SvmRail

# Payments that echo large challenges do not fit into the usual 8,190 bytes.
HEADER_BYTES_MAX = 131_072
BACKLOG = 1_024
# One every 400 ms.
SOLANA_BLOCKS_IN_TWO_S = 5


class Sandbox:
    """A seller with its own chain. `chain`, `books` and `faults` may be used at any time."""

    def __init__(self, options: SandboxOptions, clock: Clock, entropy: Entropy) -> None:
        self.options = options
        self._clock = clock
        self._entropy = entropy
        self._runner: web.AppRunner | None = None
        self._origin = ""
        self.chain = Chain(
            usdc_on(self.options.network),
            clock,
            starting_balance=self.options.starting_balance,
            payee=self.options.pay_to,
            finality_s=self.options.finality_s,
        )
        self.books = Books(self.chain, clock, records_max=self.options.records_max)
        self.faults = FaultPlan()
        self.vendors = Market(
            Premises(
                options=options,
                chain=self.chain,
                payments=self.books,
                clock=clock,
                entropy=entropy,
                conduct=Conduct(),
                authority=lambda: self.url.removeprefix("http://"),
                rails=(
                    EvmRail(self.chain, clock, options.pay_to),
                    SvmRail(
                        lambda: self.solana,
                        options.vendors.solana_network,
                        options.vendors.solana_pay_to,
                    ),
                ),
            )
        )

    @cached_property
    def solana(self) -> Ledger:
        """The Solana of this sandbox. Made when it is first asked for: few rehearsals need it."""
        ledger = Ledger(
            self.options.vendors.solana_network,
            self._clock,
            payees=(self.options.vendors.solana_pay_to,),
            starting_balance=self.options.starting_balance,
            finality_blocks=self.options.finality_s * SOLANA_BLOCKS_IN_TWO_S // 2,
        )
        self.books.watch(ledger)
        return ledger

    @property
    def url(self) -> str:
        """The origin, without a slash at the end."""
        assert self._origin, "not started"
        return self._origin

    @property
    def rpc_url(self) -> str:
        """The chain's JSON-RPC endpoint."""
        return self.url + "/rpc"

    @property
    def solana_rpc_url(self) -> str:
        """Solana's JSON-RPC endpoint."""
        return self.url + "/rpc/solana"

    @property
    def pay_to(self) -> str:
        """Who is paid, in EIP-55 spelling whatever the terms say."""
        return checksummed(self.options.pay_to)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Port 0 takes any that is free."""
        assert self._runner is None, "already started"
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            shutdown_timeout=self.options.stop_grace_s,
        )
        await runner.setup()
        self._runner = runner
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        except OSError:
            await self.stop()
            raise
        bound = runner.addresses[0]
        shown = f"[{host}]" if ":" in host else host
        self._origin = f"http://{shown}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening, and end what still hangs. Books and chain stay readable."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=self.options.body_bytes_max)
        office = Office(self.books, self.faults)
        app.middlewares.append(_watching(office, self.books, self.vendors))
        app.on_response_prepare.append(self._sign_response)
        seller = Seller(
            self.options, self.chain, self.books, self.faults, self._clock, lambda: self.solana
        )
        for (method, path), make in PRICED.items():
            app.router.add_route(method, path, _priced(seller, make))
        node = Node(self.chain, logs_range_max=self.options.logs_range_max)
        samples = Samples(self.options)
        app.router.add_post("/rpc", node.serve)
        app.router.add_post("/rpc/solana", self._serve_solana)
        app.router.add_get("/v1/models", samples.models)
        app.router.add_post("/v1/messages/count_tokens", samples.count_tokens)
        app.router.add_post("/v1/files", samples.keep_file)
        app.router.add_get("/v1/bytes/{size:[0-9]{1,15}}", samples.download)
        app.router.add_route("POST", "/v1/upload", samples.upload)
        app.router.add_route("PUT", "/v1/upload", samples.upload)
        app.router.add_get("/sandbox/books", office.books)
        app.router.add_get("/sandbox/faults", office.list_faults)
        app.router.add_post("/sandbox/faults", office.add_fault)
        app.router.add_delete("/sandbox/faults", office.clear_faults)
        app.router.add_route("*", "/sandbox/trap", office.trap)
        app.router.add_routes(self.vendors.routes())
        app.router.add_get("/", self._greet)
        return app

    async def _serve_solana(self, request: web.Request) -> web.Response:
        return await SolanaNode(self.solana).serve(request)

    async def _greet(self, request: web.Request) -> web.Response:
        return web.Response(text=start_text(self))

    async def _sign_response(self, request: web.Request, response: web.StreamResponse) -> None:
        # The sandbox's own time, so that a skewed clock is seen where clients look for one.
        response.headers["Date"] = format_datetime(self._clock.now(), usegmt=True)
        response.headers["X-Request-Id"] = "req_" + self._entropy.token(12).hex()


async def serve(
    options: SandboxOptions,
    host: str,
    port: int,
    clock: Clock,
    entropy: Entropy,
    announce: Callable[[str], None] = print,
) -> None:
    """Run a sandbox until cancelled. `announce` is given the start text once it listens."""
    sandbox = Sandbox(options, clock, entropy)
    await sandbox.start(host, port)
    try:
        announce(start_text(sandbox))
        await asyncio.Event().wait()
    finally:
        await sandbox.stop()


def _priced(seller: Seller, make: Make) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await seller.sell(request, make)

    return handle


def _watching(office: Office, books: Books, vendors: Market) -> Middleware:
    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        vendor = vendors.at(request.path)
        if vendor is not None and (books.full or vendor.books.full):
            return failure(503, "The books are full: restart the sandbox")
        # A vendor judges the payments it is sent by itself.
        if vendor is None and (request.method, request.path) not in PRICED:
            office.note_stray(request)
        return await handler(request)

    return watch
