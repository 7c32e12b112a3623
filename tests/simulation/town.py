"""The world of one seed: everything in it, and what happens to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from sidecar.errors import LedgerError
from sidecar.http import HttpRequest, Reply, header_values
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.sandbox.options import SandboxOptions
from tests.simulation.apps import use
from tests.simulation.checks import Auditor, Left
from tests.simulation.disk import Disk
from tests.simulation.machine import Life, Slot
from tests.simulation.network import Network
from tests.simulation.rails import read_slip
from tests.simulation.scenario import PRICE, Call, scenario
from tests.simulation.sellers import SimSeller
from tests.simulation.themes import themed
from tests.simulation.troubles import Troubles
from tests.simulation.vendors import SimVendor
from tests.simulation.virtual_loop import TrueClock, VirtualLoop, WallClock
from tests.simulation.wiring import LOW_WATER, Grounds, app_of, with_wallet
from tests.world.fakes import FakeEntropy
from tests.world.shop import Process, World
from tests.world.vendor import AMOUNT, App

RESTART_S = (0.0, 0.4, 2.0, 30.0)
# After the last authorization has expired: past every delay and finality.
QUIET_S = 400.0
# A blockhash that is not of our own fetching is taken for alive so long.
SELLERS_BLOCKHASH_S = 600.0


class SimTown(World):
    """Sidecars, apps, a seller or a vendor, a chain and a disk, all from one seed."""

    def __init__(self, path: Path, seed: int, loop: VirtualLoop) -> None:
        self.random = Random(seed)
        self.loop = loop
        self.scenario = made = themed(scenario(self.random), self.random)
        super().__init__(path, str(seed))
        self.true_clock = TrueClock(loop)
        # One machine, one clock: what is on one ledger is on one machine.
        self.wall = WallClock(loop, made.drift, made.ahead_s)
        self.disk = Disk(self.random)
        self.disk.unsure = made.unsure_disk
        options = SandboxOptions(
            price=AMOUNT if made.prepaid else PRICE,
            replays=made.replays,
            finality_s=made.finality_s,
        )
        self.grounds = Grounds(made, self.true_clock, self.random, options)
        self.rpc_urls = tuple(self.grounds.endpoints)
        self.sim = SimSeller(
            self.grounds.rail,
            self.random,
            options,
            made,
        )
        self.vendor = SimVendor(
            self.sim, self.true_clock, self.random, made.late_s, dawdles=made.dawdles
        )
        self.vendor.mute = made.mute
        self.wire_network = Network(loop, self.random, self._route, self._leaves, self._returns)
        self.breaches: dict[str, None] = {}
        self.trace: list[str] = []
        self.auditor: Auditor | None = None
        self.slots = [Slot(self, number) for number in range(made.slots)]
        self.troubles = Troubles(self)
        self._deaths = list(made.dies_at)
        self._over = False

    def note(self, what: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{self.loop.time():10.3f}  {what}")

    def breach(self, what: str) -> None:
        """An invariant does not hold."""
        if what not in self.breaches:
            self.breaches[what] = None
            self.note(f"BREACH {what}")

    # --- what the machines are given ---

    def wire(self, ledger: SqliteLedger, life: Life, slot: Slot) -> Process:
        """A process on this ledger, which lives as long as this life."""
        self.clock = self.wall  # type: ignore[assignment]  # a clock of its own kind
        self.entropy = FakeEntropy(f"{self.path.name} {slot.owner}")
        self.upstream = self.wire_network
        self.network = self.grounds.network
        process = self._wire(ledger, life)
        process.budgets, process.breaker = self.scenario.budgets, self.scenario.breaker
        return with_wallet(process, self.grounds)

    def app_of(self, process: Process) -> App:
        """The prepaid route of this process."""
        return app_of(process, self.scenario)

    def is_alive(self, owner: str) -> bool:
        """Whether this process is still there."""
        return any(slot.owner == owner and slot.process is not None for slot in self.slots)

    def purchases_more(self, group: str) -> None:
        """A retry that nobody can tell from a purchase of its own."""
        assert self.auditor is not None
        self.auditor.calls[group] += 1
        self.note(f"{group!r} may be another purchase now")

    def on_commit(self) -> None:
        """Something may have changed on the disk."""
        if self.auditor is not None:
            self.auditor.committed()

    def on_death(self, slot: Slot) -> None:
        """A process has ended; somebody starts it again."""
        if not self._over:
            self.loop.spawn("", self._restart(slot))

    async def _restart(self, slot: Slot) -> None:
        await asyncio.sleep(self.random.choice(RESTART_S))
        if slot.process is not None or self._over:
            return
        try:
            await slot.start(self._deaths.pop() if self._deaths else 0)
        except LedgerError as fault:
            self.breach(f"the ledger does not open again: {fault}")
            return
        slot.work()

    # --- the wire ---

    async def _route(self, request: HttpRequest) -> Reply:
        endpoint = self.grounds.endpoints.get(request.url)
        if endpoint is not None:
            return await endpoint.handle(request)
        seller = self.vendor if self.scenario.prepaid else self.sim
        paid = bool(header_values(request.headers, "payment-signature"))
        reply = await seller.handle(request)
        self.note(f"{request.url[-8:]} {'paid' if paid else 'bare'} is answered {reply.status}")
        return reply

    def _leaves(self, request: HttpRequest, owner: str) -> None:
        headers = header_values(request.headers, "payment-signature")
        if not headers or self.auditor is None:
            return
        slip = read_slip(headers[0])
        group = "".join(header_values(request.headers, "x-group"))
        is_new = slip.identity not in self.auditor.left
        told = "leaves anew" if is_new else "leaves"
        self.note(f"{slip.identity[2:8]} {told} for {group!r} from {owner}")
        self.auditor.leaves(Left(slip, group), owner, self.is_alive)
        if is_new and self.scenario.prepaid:
            self._tops_up(slip.identity)

    def _returns(self, request: HttpRequest, owner: str) -> None:
        for header in header_values(request.headers, "payment-signature"):
            if self.auditor is not None:
                self.auditor.answered(read_slip(header).identity, owner)

    def _tops_up(self, identity: str) -> None:
        """A top-up is bought: the ones before it are over, and there is little credit left."""
        unsure = self.vendor.unsure(identity)
        if unsure:
            self.breach(f"top-ups: {identity} leaves, and nobody saw the credit of {unsure}")
        # A vendor that refuses with credit there is believed, once its last top-up has served.
        believed = self.vendor.has_sulked and (self.vendor.is_used or self.scenario.low_water)
        if self.vendor.credit < LOW_WATER or believed:
            return
        self.breach(f"top-ups: {identity} leaves, and there is {self.vendor.credit} of credit")

    # --- the course of events ---

    async def live(self) -> None:
        """All of it, until nothing is left to happen; then the books are put in order."""
        for slot in self.slots:
            await slot.start(self._deaths.pop())
            slot.work()
        self.auditor = Auditor(
            self.path, self.sim, self.scenario.budgets, self.loop.time, self.breach
        )
        calls = [self.loop.spawn("", self._use(call)) for call in self.scenario.calls]
        troubles = self.loop.spawn("", self.troubles.befall())
        await asyncio.wait(calls)
        troubles.cancel()
        self._over = True
        for slot in self.slots:
            slot.kill()
        self.troubles.heal()
        await asyncio.sleep(self._lasting_s() + QUIET_S)
        last = self.slots[0]
        process = await last.start()
        for _ in range(2):
            await process.recovery.run_once()
        self.auditor.final(
            has_rpc=bool(self.rpc_urls) and not self.scenario.liar,
            misrouted=self.troubles.has_misrouted,
        )
        last.kill()
        self.auditor.close()

    def _lasting_s(self) -> float:
        """How long until all that has left is dead. Our clock was wrong when some were dated."""
        assert self.auditor is not None
        ends = [self.grounds.rail.lasts_s(left.slip) for left in self.auditor.left.values()]
        return max(0.0, *ends, self.troubles.furthest_s + SELLERS_BLOCKHASH_S, 0.0)

    async def _use(self, call: Call) -> None:
        auditor = self.auditor
        assert auditor is not None
        await asyncio.sleep(call.starts_s)
        once = call.key is not None
        auditor.calls[call.group] = 1 if once else auditor.calls[call.group] + 1
        await use(call, self.slots, self.random)
