"""Posting and voiding on what Solana proves; and the clock that it shows to be wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sidecar.chains import SOLANA
from sidecar.http import Headers, HttpRequest, Reply
from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.payments.events import ClockSkewMeasured, Event
from sidecar.payments.prover import RPC_BYTES_MAX, Chain, Prover
from tests.world.exchanges import answered
from tests.world.fakes import NOON, FakeClock
from tests.world.intents import intent
from tests.world.solana_cluster import SolanaCluster
from tests.world.solana_payment import FINAL_S, URL, VALID_S, Paid

OTHER_URL = "https://other.example/rpc"


@dataclass
class Said:
    """A reply that is here already."""

    body: bytes
    status: int = 200
    headers: Headers = ()
    is_here: bool = True

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def close(self) -> None:
        pass


@dataclass
class Endpoints:
    """The upstream side: a cluster behind each URL."""

    clusters: Mapping[str, SolanaCluster]

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        return Said(self.clusters[request.url](request).body)


@dataclass
class Scene:
    """A payment in doubt, and who looks after it."""

    ledger: SqliteLedger
    paid: Paid = field(default_factory=Paid)
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)

    async def in_doubt(self) -> Payment:
        authorization = self.paid.payment.authorization
        assert authorization is not None
        await self.ledger.reserve(replace(intent("pay_1"), network=SOLANA), NOON)
        await self.ledger.authorize("pay_1", authorization, NOON)
        await self.ledger.release("pay_1")
        (doubtful,) = await self.ledger.in_doubt()
        return doubtful

    def prover(self, *others: SolanaCluster) -> Prover:
        clusters = dict(zip((URL, OTHER_URL), (self.paid.cluster, *others), strict=False))
        chains = {SOLANA: Chain(SOLANA, tuple(clusters), "finalized")}
        return Prover(self.ledger, Endpoints(clusters), chains, self.clock, self.events.append)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    ledger = await SqliteLedger.open(tmp_path / "ledger.db", "process-1")
    try:
        yield Scene(ledger)
    finally:
        await ledger.close()


async def test_posts(scene: Scene) -> None:
    """A payment that moved is posted with its transaction, as written down and read again."""
    doubtful = await scene.in_doubt()
    transaction = scene.paid.settle()
    scene.paid.cluster.wait(FINAL_S)
    posted = await scene.prover().prove(doubtful)

    assert (PaymentState.POSTED, Proof("chain", transaction)) == (posted.state, posted.proof)


async def test_voids(scene: Scene) -> None:
    """A payment whose blockhash has expired unused is voided, and not a block before."""
    doubtful = await scene.in_doubt()
    scene.paid.cluster.wait(VALID_S + FINAL_S)
    held = await scene.prover().prove(doubtful)
    scene.paid.cluster.wait(1)
    voided = await scene.prover().prove(doubtful)

    assert [PaymentState.AUTHORIZED, PaymentState.VOIDED] == [held.state, voided.state]


async def test_fault(scene: Scene) -> None:
    """An odd answer proves nothing."""
    doubtful = await scene.in_doubt()
    scene.paid.cluster.wait(1_000)
    scene.paid.cluster.changed["getSignaturesForAddress"] = answered(None)

    assert doubtful == await scene.prover().prove(doubtful)


async def test_two_that_disagree(scene: Scene) -> None:
    """One endpoint that has not seen the end is enough to hold the payment."""
    doubtful = await scene.in_doubt()
    scene.paid.cluster.wait(1_000)

    assert doubtful == await scene.prover(Paid().cluster).prove(doubtful)


async def test_large_history(scene: Scene) -> None:
    """A history full of long memos is still read."""
    doubtful = await scene.in_doubt()
    for number in range(90):
        scene.paid.cluster.land(b"\x80%d" % number, "m" * 1_000)
    scene.paid.cluster.wait(1_000)
    page = scene.paid.cluster.history(scene.paid.cluster.height, {"limit": 100})

    assert len(answered(page).body) > RPC_BYTES_MAX
    assert PaymentState.VOIDED is (await scene.prover().prove(doubtful)).state


@pytest.mark.parametrize(("ahead_s", "refuses"), [(0, False), (29, False), (32, True), (-32, True)])
async def test_skew(scene: Scene, ahead_s: float, refuses: bool) -> None:
    """A clock more than 30 s from the newest block's, either way, signs nothing for it."""
    scene.clock.advance(ahead_s)
    prover = scene.prover()
    await prover.measure_skew()
    (measured,) = scene.events

    assert isinstance(measured, ClockSkewMeasured)
    assert abs(measured.skew_s - ahead_s) <= 1
    assert refuses == (prover.objection(SOLANA) is not None)


async def test_unreadable_cluster_has_no_skew(scene: Scene) -> None:
    """A cluster that cannot be read says nothing about our clock."""
    scene.paid.cluster.changed["getBlockTime"] = answered(None)
    prover = scene.prover()
    await prover.measure_skew()

    assert ([], None) == (scene.events, prover.objection(SOLANA))
