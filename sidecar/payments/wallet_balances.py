"""What our wallets hold on their chains, read on an interval.

Where no endpoint can say, the last answer stays, and ages.

Source: operations.md, Metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import TypeAlias

from sidecar.chains import usdc_on
from sidecar.clock import Clock
from sidecar.errors import RemoteProtocolError, SidecarError
from sidecar.http import Upstream, run_exchange
from sidecar.money import Usdc
from sidecar.payments.events import Emit, WalletBalanceObserved
from sidecar.rpc import evm
from sidecar.rpc.jsonrpc import Asks
from sidecar.values import dataclass

STEP_WAIT_S = 3.0
READING_BYTES_MAX = 64 * 1024
# Public endpoints count requests by the second.
STAGGER_S = 0.5

# Asks one endpoint of one network what an address holds.
Question: TypeAlias = Callable[[str], Asks[Usdc]]


@dataclass(frozen=True, slots=True)
class Purse:
    """One wallet's money on one network."""

    wallet: str
    address: str  # who holds it: on Solana the wallet's token account for USDC
    network: str


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """What a wallet held on a network when its chain was last asked."""

    wallet: str
    network: str
    amount: Usdc
    observed_at: datetime


class WalletBalances:
    """Reads purses. ``questions``: for each network, one for each of its endpoints."""

    def __init__(
        self,
        rpc_upstream: Upstream,
        questions: Mapping[str, Collection[Question]],
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._upstream = rpc_upstream
        self._questions = questions
        self._clock = clock
        self._emit = emit
        self._known: dict[tuple[str, str], WalletBalance] = {}

    def known(self) -> tuple[WalletBalance, ...]:
        """The last balance of every purse that was ever read."""
        return tuple(self._known.values())

    async def read(self, purse: Purse) -> WalletBalance | None:
        """Ask the endpoints in their order; None, and nothing changes, when none can say."""
        for question in self._questions.get(purse.network, ()):
            try:
                amount = await run_exchange(
                    self._upstream,
                    question(purse.address),
                    wait_s=STEP_WAIT_S,
                    body_bytes_max=READING_BYTES_MAX,
                )
            except SidecarError:
                continue
            held = WalletBalance(purse.wallet, purse.network, amount, self._clock.now())
            self._known[purse.wallet, purse.network] = held
            self._emit(
                WalletBalanceObserved(held.wallet, held.network, held.amount, held.observed_at)
            )
            return held
        return None

    async def run(self, purses: Collection[Purse], interval_s: float) -> None:
        """Read every purse, one after another, on an interval, until cancelled."""
        while True:
            for purse in purses:
                await self.read(purse)
                await self._clock.sleep(STAGGER_S)
            await self._clock.sleep(interval_s)


def evm_question(url: str, network: str) -> Question:
    """How an EVM endpoint is asked for USDC."""
    return partial(_ask_evm, url, network)


def solana_question(url: str, network: str) -> Question:
    """How a Solana endpoint is asked what a token account for USDC holds."""
    return partial(_ask_solana, url, network)


def _ask_evm(url: str, network: str, address: str) -> Asks[Usdc]:
    asset = usdc_on(network)
    # An endpoint of another chain would answer, too, and say nothing that is true.
    if (yield from evm.chain_id(url)) != asset.chain_id:
        raise RemoteProtocolError(f"the endpoint is not of {network}")
    return (yield from evm.balance_of(url, asset.address, address))


def _ask_solana(url: str, network: str, token_account: str) -> Asks[Usdc]:
    # Not for those who have no endpoint of a Solana cluster.
    from sidecar.rpc import solana  # noqa: PLC0415 - see above

    asset = usdc_on(network)
    if (yield from solana.network(url)) != network:
        raise RemoteProtocolError(f"the endpoint is not of {network}")
    return (yield from solana.token_balance(url, token_account, asset.decimals))
