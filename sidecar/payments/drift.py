"""How far the ledger and the chains are apart, looked at on an interval, a few blocks at a time.

Each look goes on where the last one ended, up to the newest final block, and asks every endpoint;
where one fails, or two do not tell the same, nothing is known, and the last answer ages. What is
added up is what left a wallet and no payment explains, and what is posted and never left. It
begins with the process, an interval back; `sidecar reconcile` looks at any time.

The chain is read first: what left it then was written down before.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sidecar.chains import is_evm, usdc_on
from sidecar.clock import Clock
from sidecar.errors import SidecarError
from sidecar.http import HttpRequest, HttpResponse, Upstream, run_exchange
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment, PaymentState
from sidecar.money import ZERO, Usdc
from sidecar.payments.events import DriftMeasured, Emit
from sidecar.payments.outflows import (
    SPANS_MAX,
    Mark,
    Outflow,
    commitment_of,
    evm_mark,
    evm_outflows_in,
    final_mark,
    mark_near,
    solana_outflows_in,
)
from sidecar.payments.prover import RPC_WAIT_S, SOLANA_BYTES_MAX, Chain
from sidecar.payments.reconciliation import explain, is_signed, total
from sidecar.values import dataclass

# A wallet that pays all the time: the answer for one span must fit into what is read.
SPAN_BLOCKS = 256
PAYMENTS_MAX = 20_000
# A payment that is made settles within this time, or never.
SETTLING = timedelta(minutes=20)
# Between our clock and the chain's; signing stops when they are 30 s apart.
SKEW = timedelta(minutes=1)
STAGGER_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spender:
    """One wallet on one network."""

    wallet: str
    network: str
    address: str  # by which payments know who pays
    account: str  # that holds its USDC: on EVM the address itself


@dataclass(slots=True)
class _Watched:
    """How far a spender's chain was read, and what was found."""

    until: Mark
    whole_since: datetime  # a payment of before may have left before the first look
    explained: frozenset[str] = frozenset()  # lately: payments by their ids
    foreign: Usdc = ZERO
    missing: Usdc = ZERO


class DriftWatch:
    """Compares what leaves our wallets with the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        rpc_upstream: Upstream,
        chains: Mapping[str, Chain],
        clock: Clock,
        emit: Emit,
        interval_s: float,
    ) -> None:
        self._ledger = ledger
        self._upstream = rpc_upstream
        self._chains = chains
        self._clock = clock
        self._emit = emit
        self._interval_s = interval_s
        self._watched: dict[Spender, _Watched] = {}

    def watch(self, chains: Mapping[str, Chain], interval_s: float) -> None:
        """Ask these chains from now on, this often; what was found of a spender stays."""
        self._chains, self._interval_s = chains, interval_s

    async def run(self, spenders: Collection[Spender]) -> None:
        """Look at every spender on an interval until cancelled; one that is behind sooner."""
        while True:
            behind = False
            for spender in spenders:
                behind = await self.look(spender) or behind
                await self._clock.sleep(STAGGER_S)
            await self._clock.sleep(STAGGER_S if behind else self._interval_s)

    async def look(self, spender: Spender) -> bool:
        """Read on, and tell of the drift. Whether there is more that could be read at once."""
        try:
            return await self._look(spender)
        except SidecarError:
            return False

    async def _look(self, spender: Spender) -> bool:
        chain, asset = self._chains[spender.network], usdc_on(spender.network)
        marks = [await self._hold(final_mark(url, asset, chain.finality)) for url in chain.rpc_urls]
        final = min(marks, key=lambda mark: mark.number)
        watched = self._watched.get(spender)
        if watched is None:
            since = int(self._clock.now().timestamp() - self._interval_s)
            start = await self._hold(mark_near(chain.rpc_urls[0], asset, since, final))
            watched = _Watched(start, _moment(start) + SKEW)
        until = await self._reach(chain.rpc_urls[0], spender, watched.until, final)
        told = [
            sorted(await self._hold(_outflows(url, spender, watched.until, until, chain)))
            for url in chain.rpc_urls
        ]
        payments = await self._ledger.payments(_moment(watched.until) - SETTLING, PAYMENTS_MAX)
        if any(each != told[0] for each in told) or len(payments) == PAYMENTS_MAX:
            return False
        _add(watched, [each for each in payments if _is_of(spender, each)], told[0], until)
        self._watched[spender] = watched
        self._emit(
            DriftMeasured(
                spender.wallet,
                spender.network,
                watched.foreign,
                watched.missing,
                self._clock.now(),
            )
        )
        return until.number < final.number

    async def _reach(self, url: str, spender: Spender, after: Mark, final: Mark) -> Mark:
        """How far one look may go."""
        furthest = after.number + SPANS_MAX * SPAN_BLOCKS
        if not is_evm(spender.network) or final.number <= furthest:
            return final
        return await self._hold(evm_mark(url, furthest))

    async def _hold(self, exchange: Generator[HttpRequest, HttpResponse, T]) -> T:
        return await run_exchange(
            self._upstream, exchange, wait_s=RPC_WAIT_S, body_bytes_max=SOLANA_BYTES_MAX
        )


def _outflows(
    url: str, spender: Spender, after: Mark, until: Mark, chain: Chain
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    asset = usdc_on(spender.network)
    if is_evm(spender.network):
        first, last = after.number + 1, until.number
        return evm_outflows_in(url, asset, spender.address, first, last, SPAN_BLOCKS)
    commitment = commitment_of(chain.finality)
    return solana_outflows_in(
        url, asset, spender.address, spender.account, after, until, commitment
    )


def _add(watched: _Watched, payments: list[Payment], outflows: list[Outflow], until: Mark) -> None:
    """Put what was read since the last look to what is known."""
    fresh = [each for each in payments if is_signed(each) and each.id not in watched.explained]
    foreign, unexplained = explain(fresh, outflows)
    ends_at = _moment(until) - SETTLING
    # Those of before were asked about by the last look.
    begins_at = max(watched.whole_since, _moment(watched.until) - SETTLING)
    missing = [
        payment.amount
        for payment in unexplained
        if payment.state is PaymentState.POSTED
        # What a Permit allows may be drawn at any time, or never.
        and payment.scheme != "upto"
        and begins_at <= payment.reserved_at < ends_at
    ]
    still_open = {payment.id for payment in unexplained}
    watched.explained = frozenset(each.id for each in payments if each.id not in still_open)
    watched.foreign += total(outflow.amount for outflow in foreign)
    watched.missing += total(missing)
    watched.until = until


def _is_of(spender: Spender, payment: Payment) -> bool:
    if payment.authorization is None or payment.network != spender.network:
        return False
    fields = payment.authorization.fields
    return fields.get("payer", fields.get("from", "")) == spender.address


def _moment(mark: Mark) -> datetime:
    return datetime.fromtimestamp(mark.at, UTC)
