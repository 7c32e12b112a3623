"""The world of one seed: everything in it, and what happens to it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from random import Random

from sidecar.errors import LedgerError
from sidecar.http import HttpRequest, header_values
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.payments.prepaid import TopUpTerms
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import Malformed, read_payment
from tests.simulation.apps import use
from tests.simulation.checks import Auditor, Left
from tests.simulation.disk import Disk
from tests.simulation.machine import Life, Slot
from tests.simulation.network import Network, TimedReply
from tests.simulation.scenario import PRICE, Call, Trouble, scenario
from tests.simulation.sellers import Endpoint, SimSeller
from tests.simulation.vendors import SimVendor
from tests.simulation.virtual_loop import TrueClock, VirtualLoop, WallClock
from tests.world.fakes import FakeEntropy
from tests.world.seller import RPC_URL
from tests.world.shop import Process, World
from tests.world.vendor import AMOUNT, App, prepaid_app

RPC_URLS = (RPC_URL, f"{RPC_URL}/2")
# Credit that still serves, and is under the low-water mark.
SPARE, LOW_WATER = 3, 5
RESTART_S = (0.0, 0.4, 2.0, 30.0)
# After the last authorization has expired: past every delay and finality.
QUIET_S = 400.0


class SimTown(World):
    """Sidecars, apps, a seller or a vendor, a chain and a disk, all from one seed."""

    def __init__(self, path: Path, seed: int, loop: VirtualLoop) -> None:
        self.random = Random(seed)
        self.loop = loop
        self.scenario = made = scenario(self.random)
        super().__init__(path, str(seed))
        self.true_clock = TrueClock(loop)
        self.wall = WallClock(loop, made.drift)
        self.disk = Disk(self.random)
        options = SandboxOptions(
            price=AMOUNT if made.prepaid else PRICE,
            replays=made.replays,
            finality_s=made.finality_s,
        )
        self.sim = SimSeller(self.true_clock, self.random, made.dishonesty, options)
        self.vendor = SimVendor(self.sim, self.true_clock, made.late_s)
        self.vendor.mute = made.mute
        self.rpc_urls = RPC_URLS[: made.rpcs]
        self.endpoints = {url: Endpoint(self.sim.chain, self.random) for url in self.rpc_urls}
        if made.liar:
            self.endpoints[self.random.choice(RPC_URLS)].lies = True
        self.network = Network(loop, self.random, self._route, self._leaves)
        self.breaches: dict[str, None] = {}
        self.trace: list[str] = []
        self.auditor: Auditor | None = None
        self.slots = [Slot(self, number) for number in range(made.slots)]
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

    def wire(self, ledger: SqliteLedger, life: Life, owner: str) -> Process:
        """A process on this ledger, which lives as long as this life."""
        self.clock = self.wall  # type: ignore[assignment]  # a clock of its own kind
        self.entropy = FakeEntropy(f"{self.path.name} {owner}")
        self.upstream = self.network
        process = self._wire(ledger, life)
        process.budgets, process.breaker = self.scenario.budgets, self.scenario.breaker
        return process

    def app_of(self, process: Process) -> App:
        """The prepaid route of this process."""
        low_water = Decimal(LOW_WATER) if self.scenario.low_water else None
        terms = TopUpTerms(AMOUNT, hourly_max=5, wait_s=20.0, low_water=low_water)
        return prepaid_app(process, process.books, process.upstream, terms, self.scenario.budgets)

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

    async def _route(self, request: HttpRequest) -> TimedReply:
        endpoint = self.endpoints.get(request.url)
        if endpoint is not None:
            return await endpoint.handle(request)
        seller = self.vendor if self.scenario.prepaid else self.sim
        paid = bool(header_values(request.headers, "payment-signature"))
        reply = await seller.handle(request)
        self.note(f"{request.url[-8:]} {'paid' if paid else 'bare'} is answered {reply.status}")
        return reply

    def _leaves(self, request: HttpRequest) -> None:
        headers = header_values(request.headers, "payment-signature")
        if not headers or self.auditor is None:
            return
        payment = read_payment(headers[0], 2)
        assert not isinstance(payment, Malformed)
        found = payment.authorization
        group = "".join(header_values(request.headers, "x-group"))
        is_new = found.nonce not in self.auditor.left
        self.note(f"{found.nonce[2:8]} leaves{' anew' if is_new else ''} for {group!r}")
        self.auditor.leaves(Left(found.nonce, group, found.value, found.valid_before))
        if is_new and self.scenario.prepaid:
            self._tops_up(found.nonce)

    def _tops_up(self, nonce: str) -> None:
        """A top-up is bought: the ones before it are over, and there is little credit left."""
        unsure = self.vendor.unsure(nonce)
        if unsure:
            self.breach(f"top-ups: {nonce} leaves, and nobody saw the credit of {unsure}")
        # A vendor that refuses with credit there is believed, once its last top-up has served.
        believed = self.vendor.has_sulked and (self.vendor.is_used or self.scenario.low_water)
        if self.vendor.credit >= LOW_WATER and not believed:
            self.breach(f"top-ups: {nonce} leaves, and there is {self.vendor.credit} of credit")

    # --- the course of events ---

    async def live(self) -> None:
        """All of it, until nothing is left to happen; then the books are put in order."""
        for slot in self.slots:
            await slot.start(self._deaths.pop())
            slot.work()
        self.auditor = Auditor(self.path, self.sim, self.scenario.budgets, self.breach)
        calls = [self.loop.spawn("", self._use(call)) for call in self.scenario.calls]
        troubles = self.loop.spawn("", self._trouble(self.scenario.troubles))
        await asyncio.wait(calls)
        troubles.cancel()
        self._over = True
        for slot in self.slots:
            slot.kill()
        self._heal()
        await asyncio.sleep(self._lasting_s() + QUIET_S)
        last = self.slots[0]
        process = await last.start()
        for _ in range(2):
            await process.recovery.run_once()
        self.auditor.final(has_rpc=bool(self.rpc_urls) and not self.scenario.liar)
        last.kill()
        self.auditor.close()

    def _lasting_s(self) -> float:
        """How long until all that has left is dead. Our clock was wrong when some were dated."""
        assert self.auditor is not None
        now_s = self.true_clock.now().timestamp()
        ends = [left.valid_before - now_s for left in self.auditor.left.values()]
        return max(0.0, *ends, 0.0)

    async def _use(self, call: Call) -> None:
        auditor = self.auditor
        assert auditor is not None
        await asyncio.sleep(call.starts_s)
        once = call.key is not None
        auditor.calls[call.group] = 1 if once else auditor.calls[call.group] + 1
        await use(call, self.slots[call.slot], self.random)

    async def _trouble(self, troubles: tuple[Trouble, ...]) -> None:
        for trouble in troubles:
            await asyncio.sleep(max(0.0, trouble.at_s - self.loop.time()))
            self.note(f"{trouble.kind} {trouble.number}")
            self._befall(trouble)

    def _befall(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "kill":
                self.random.choice(self.slots).kill()
            case "jump":
                self.wall.ahead_s = trouble.number
            case "rpc":
                for endpoint in self.endpoints.values():
                    endpoint.down = trouble.number > 0
            case "lag":
                for endpoint in self.endpoints.values():
                    endpoint.lags = (0, int(trouble.number))
            case "disk":
                self.disk.failing = trouble.number
            case "slow disk":
                self.disk.slow = trouble.number
            case "sulk":
                self.vendor.sulks = trouble.number > 0
                self.vendor.has_sulked = True
            case _:
                assert trouble.kind == "spend"
                self.vendor.use_up(Decimal(SPARE if trouble.number == 0.5 else 0))

    def _heal(self) -> None:
        self.disk.failing, self.disk.slow = 0.0, 0.0
        self.wall.correct()
        for endpoint in self.endpoints.values():
            endpoint.down, endpoint.lags = False, (0,)
