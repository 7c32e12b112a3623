"""A local Solana on a socket of its own: LiteSVM behind the sandbox's JSON-RPC.

    with SolanaChain() as solana:
        solana.fund(payer, 1_000_000)

It runs in a thread of this process. Everything is asked over its own JSON-RPC, as anybody would.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from sidecar.chains import SOLANA_DEVNET, usdc_on
from sidecar.clock import SystemClock
from sidecar.money import Usdc
from sidecar.sandbox.solana import Ledger, SolanaNode
from sidecar.sandbox.solana.ledger import FEE_PAYER_SEED
from sidecar.sandbox.solana.programs import token_account_of
from tests.world.chain import Rpc
from tests.world.processes import free_port

START_WAIT_S = 10.0
# Near enough to now that a test can wait for it.
FINALITY_BLOCKS = 4


class SolanaChain:
    """The network. ``with`` starts and stops it."""

    network = SOLANA_DEVNET
    mint = usdc_on(SOLANA_DEVNET).address

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/rpc/solana"
        self.rpc = Rpc(self.url)
        self._listens = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listens.wait(START_WAIT_S), "the Solana of the tests does not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_WAIT_S)

    @property
    def fee_payer_key(self) -> str:
        """The secret key of an account that can pay fees, in base58."""
        return str(Keypair.from_seed(FEE_PAYER_SEED))

    def fund(self, owner: str, amount: int) -> None:
        """Give this owner so much more USDC, and a token account if it has none."""
        self.rpc("sandbox_fund", owner, amount)

    def balance_of(self, owner: str) -> int:
        """How much USDC this owner has."""
        found = self.rpc(
            "getTokenAccountBalance", self.token_account(owner), {"commitment": "processed"}
        )
        return int(found["value"]["amount"])

    def token_account(self, owner: str) -> str:
        """Where this owner's USDC is."""
        return str(token_account_of(Pubkey.from_string(owner), Pubkey.from_string(self.mint)))

    def transfers(self, owner: str) -> list[dict[str, Any]]:
        """What names this owner's token account, the newest first, once it is confirmed."""
        found: list[dict[str, Any]] = self.rpc(
            "getSignaturesForAddress", self.token_account(owner), {"commitment": "confirmed"}
        )
        return found

    def advance(self, blocks: int) -> None:
        """Let so many blocks pass at once."""
        self.rpc("sandbox_advanceBlocks", blocks)

    async def _serve(self) -> None:
        # LiteSVM stays in the thread that made it.
        self._loop = asyncio.get_running_loop()
        ledger = Ledger(
            self.network,
            SystemClock(),
            payees=(),
            starting_balance=Usdc(0),
            finality_blocks=FINALITY_BLOCKS,
        )
        app = web.Application()
        app.router.add_post("/rpc/solana", SolanaNode(ledger).serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self._listens.set()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()
