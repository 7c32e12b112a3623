"""Posts or voids a payment on what its chain proves, and on nothing else.

Without an RPC endpoint nothing can be proven: what is in doubt stays counted until its budget
windows have passed. With several endpoints, all must find the same, or nothing was found.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

from sidecar.chains import is_evm
from sidecar.clock import Clock
from sidecar.errors import SidecarError
from sidecar.http import HttpRequest, HttpResponse, Upstream, run_exchange
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment, PaymentState
from sidecar.payments import evidence
from sidecar.payments.events import (
    ClockSkewMeasured,
    Emit,
    tell,
)
from sidecar.payments.evidence import Dead, Finding, Moved, Unknown
from sidecar.refusal import Denied
from sidecar.rpc import evm
from sidecar.values import dataclass

RPC_WAIT_S = 3.0
RPC_BYTES_MAX = 64 * 1024
# Whoever sends us dust writes memos into our history, each of up to 7 KB as JSON has them: a
# page of nothing else must still be read, or a payment could be held in doubt for ever.
SOLANA_BYTES_MAX = 1024 * 1024
CLOCK_SKEW_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Chain:
    """How to ask one network: its endpoints, and which of its blocks count as final."""

    network: str
    rpc_urls: tuple[str, ...]
    finality: str  # "finalized", or "safe" where the config says so


class Prover:
    """Asks chains, and tells the ledger what they prove."""

    def __init__(
        self,
        ledger: Ledger,
        rpc_upstream: Upstream,
        chains: Mapping[str, Chain],
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._ledger = ledger
        self._upstream = rpc_upstream
        self._chains: Mapping[str, Chain] = {}
        self._clock = clock
        self._emit = emit
        # The skew of each chain, and how far our clock was ahead of its own count at the time.
        self._measured: dict[str, tuple[float, float]] = {}
        self.watch(chains)

    def watch(self, chains: Mapping[str, Chain]) -> None:
        """Ask these chains from now on. What was measured of those that stay still counts."""
        fresh = dict.fromkeys(chains, (0.0, self._lead_s()))
        kept = {name: skew for name, skew in self._measured.items() if name in chains}
        self._chains, self._measured = chains, fresh | kept

    def can_ask(self, network: str) -> bool:
        """Whether an endpoint is configured that may tell what became of a payment there."""
        return network in self._chains

    async def prove(self, payment: Payment) -> Payment:
        """The payment as it stands after a look at its chain: posted, voided, or unchanged."""
        match await self._look(payment):
            case Moved(proof):
                change = await self._ledger.post(payment.id, proof, self._clock.now())
                tell(self._emit, change)
                return change.payment
            case Dead(proof):
                # A posted payment stays posted: its seller served, whatever it did with the money.
                if payment.state is PaymentState.POSTED:
                    return payment
                change = await self._ledger.void(payment.id, proof, self._clock.now())
                tell(self._emit, change)
                return change.payment
            case Unknown():
                return payment

    async def _look(self, payment: Payment) -> Finding:
        chain = self._chains.get(payment.network)
        if chain is None:
            return Unknown("no RPC endpoint is configured for the network")
        findings = [await self._ask(url, payment, chain) for url in chain.rpc_urls]
        first = findings[0]
        if any(type(finding) is not type(first) for finding in findings):
            return Unknown("the RPC endpoints disagree")
        return first

    async def _ask(self, url: str, payment: Payment, chain: Chain) -> Finding:
        try:
            return await run_exchange(
                self._upstream,
                examination(url, payment, chain),
                wait_s=RPC_WAIT_S,
                body_bytes_max=bytes_max(chain.network),
            )
        except SidecarError as fault:
            return Unknown(fault.diagnostics())

    async def measure_skew(self) -> None:
        """Compare our clock with each chain's newest block; a chain that cannot be read is left."""
        for chain in self._chains.values():
            try:
                newest_at = await run_exchange(
                    self._upstream,
                    _newest_block_time(chain.rpc_urls[0], chain.network),
                    wait_s=RPC_WAIT_S,
                    body_bytes_max=RPC_BYTES_MAX,
                )
            except SidecarError:
                continue
            skew_s = self._clock.now().timestamp() - newest_at
            self._measured[chain.network] = (skew_s, self._lead_s())
            self._emit(ClockSkewMeasured(chain.network, skew_s))

    def objection(self, network: str) -> Denied | None:
        """A refusal to sign for this network while our clock and its chain's are apart."""
        if network not in self._chains:
            return None
        measured_s, lead_s = self._measured[network]
        # Set since it was measured, it is as far off as it was set, or as it was set right.
        skew_s = measured_s + self._lead_s() - lead_s
        if abs(skew_s) <= CLOCK_SKEW_S_MAX:
            return None
        return Denied(
            "clock_skew",
            f"our clock and the newest block of {network} are {skew_s:.0f} s apart "
            f"(at most {CLOCK_SKEW_S_MAX:.0f} s); set the clock, or look at the RPC endpoint",
        )

    def _lead_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic_s()


def examination(
    url: str, payment: Payment, chain: Chain
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """How one endpoint is asked about a payment that was authorized."""
    if is_evm(chain.network):
        return evidence.examine(url, payment, chain.finality)
    # Not for those who have no endpoint of a Solana cluster.
    from sidecar.payments import solana_evidence  # noqa: PLC0415 - see above

    return solana_evidence.examine(url, payment, chain.finality)


def bytes_max(network: str) -> int:
    """How long an answer of an endpoint of this network may be."""
    return RPC_BYTES_MAX if is_evm(network) else SOLANA_BYTES_MAX


def _newest_block_time(url: str, network: str) -> Generator[HttpRequest, HttpResponse, int]:
    """When the newest block was made, in seconds since the epoch."""
    if is_evm(network):
        newest = yield from evm.block(url, "latest")
        return newest.timestamp
    # Not for those who have no endpoint of a Solana cluster.
    from sidecar.rpc import solana  # noqa: PLC0415 - see above

    # A finalized block is as old as half of the skew that is allowed.
    tip = yield from solana.tip(url, "confirmed")
    return (yield from solana.block_time(url, tip.slot))
