"""What the processes of a world stand on: its chain and endpoints, and their wallets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from decimal import Decimal
from random import Random

from sidecar.chains import SOLANA_DEVNET
from sidecar.payments.order import PayingRoute
from sidecar.payments.prepaid import TopUpTerms
from sidecar.policy import Policy
from sidecar.sandbox.options import SandboxOptions
from sidecar.wallets import PaymentSigner
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.solana import SolanaWallet
from tests.simulation.endpoints import Endpoint, EvmEndpoint, SolanaEndpoint
from tests.simulation.rails import ChainClock, EvmRail, Rail
from tests.simulation.scenario import PRICE, Scenario
from tests.simulation.solana import Cluster, SolanaRail
from tests.simulation.virtual_loop import TrueClock
from tests.world.seller import RPC_URL
from tests.world.shop import KEY, NETWORK, Process
from tests.world.vendor import AMOUNT, App, prepaid_app

RPC_URLS = (RPC_URL, f"{RPC_URL}/2")
LOW_WATER = 5
SEED = hashlib.sha256(b"a test's Solana key").digest()
# Solana's blocks: as many as are made in the seconds that the scenario has.
BLOCKS_IN_SECOND = 2.5


class Grounds:
    """One chain, whichever it is, and the endpoints that tell of it."""

    def __init__(
        self, made: Scenario, clock: TrueClock, random: Random, options: SandboxOptions
    ) -> None:
        self._made = made
        urls = RPC_URLS[: made.rpcs]
        chain_clock = ChainClock(clock, made.chain_ahead_s)
        self.cluster: Cluster | None = None
        self.rail: Rail
        self.endpoints: dict[str, Endpoint]
        if made.solana:
            cluster = Cluster(chain_clock, int(made.finality_s * BLOCKS_IN_SECOND))
            self.cluster, self.network = cluster, SOLANA_DEVNET
            self.rail = SolanaRail(cluster, PRICE, dictates=made.dictates_memo, dates=made.dates)
            self.endpoints = {
                url: SolanaEndpoint(random, cluster=cluster, keeps_memos=made.keeps_memos)
                for url in urls
            }
        else:
            rail = EvmRail(chain_clock, options)
            self.rail, self.network = rail, NETWORK
            self.endpoints = {url: EvmEndpoint(random, chain=rail.chain) for url in urls}
        for endpoint in self.endpoints.values():
            endpoint.forgets_s = made.forgets_s
        if made.liar:
            self.endpoints[random.choice(RPC_URLS)].lies = True

    def wallet(self) -> PaymentSigner:
        """A new process's own: what it remembers dies with it."""
        if self.cluster is None:
            return EvmWallet(KEY)
        urls = tuple(self.endpoints)
        asks = {} if self._made.dates or not urls else {self.network: urls[0]}
        return SolanaWallet(SEED, asks)


@dataclass
class SimProcess(Process):
    """A process with a wallet of its own."""

    paying: PayingRoute | None = None

    def route(self) -> PayingRoute:
        assert self.paying is not None
        return self.paying


def with_wallet(process: Process, grounds: Grounds) -> SimProcess:
    """The same process, paying on this chain."""
    wired = SimProcess(**{field.name: getattr(process, field.name) for field in fields(process)})
    wired.paying = PayingRoute(
        "seller",
        Policy(process.max_payment, frozenset({grounds.network}), frozenset()),
        grounds.wallet(),
        process.upstream,
        process.breaker,
        response_wait_s=10.0,
        chain=process.upstream,
    )
    return wired


def app_of(process: Process, made: Scenario) -> App:
    """The prepaid route of this process."""
    low_water = Decimal(LOW_WATER) if made.low_water else None
    terms = TopUpTerms(AMOUNT, hourly_max=5, wait_s=20.0, low_water=low_water)
    return prepaid_app(process, process.books, process.upstream, terms, made.budgets)
