"""Apps behind a load balancer: a call that fails goes to another replica, until it is answered.

Each call has a body and an Idempotency-Key of its own, so that it is one purchase wherever it
arrives. One in five asks the seller for a fault.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import aiohttp

from sidecar.ledger.model import Payment, PaymentState
from sidecar.sandbox.faults import Fault, Moment
from tests.world.replicas import Replica
from tests.world.running import TOKEN
from tests.world.stores import Store, audited

# Each of these strikes one presentation; afterwards the seller is honest about that purchase.
FAULTS = tuple(fault for fault in Fault if fault.moment is Moment.PAYMENT)
FAULTY = 0.2
PATIENCE_S = 120.0
PAUSE_S = 0.25
REST_S = 150.0
ROWS_MAX = 1_000_000
OPEN = (PaymentState.RESERVED, PaymentState.AUTHORIZED)


@dataclass(frozen=True, slots=True)
class Call:
    """What one app asks for."""

    number: int
    model: str

    @property
    def key(self) -> str:
        return f"key-of-call-{self.number}"

    @property
    def body(self) -> bytes:
        message = {"role": "user", "content": f"call {self.number}"}
        return json.dumps({"model": self.model, "messages": [message]}).encode()

    @property
    def name(self) -> str:
        """What the seller knows it by."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Heard:
    """How a call ended for its app: the last status, 0 for none; and the code of a refusal."""

    call: Call
    status: int
    code: str = ""

    @property
    def served(self) -> bool:
        return self.status == 200


def calls_of(dice: random.Random, number: int) -> list[Call]:
    """So many calls; a fifth of them meets a fault, all faults about as often."""
    faults = (FAULTS[n % len(FAULTS)] for n in count(dice.randrange(len(FAULTS))))
    faulty = {n for n in range(number) if dice.random() < FAULTY}
    return [Call(n, f"fault:{next(faults)}:1" if n in faulty else "m") for n in range(number)]


class Apps:
    """As many apps as there are calls at once, in front of these replicas."""

    def __init__(self, replicas: Sequence[Replica], at_once: int) -> None:
        self._replicas = replicas
        self._at_once = at_once
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Apps:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=60),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def all_of(self, calls: Iterable[Call]) -> list[Heard]:
        """Make these calls, and tell how each ended."""
        slots = asyncio.Semaphore(self._at_once)

        async def one(call: Call) -> Heard:
            async with slots:
                return await self._insist(call)

        return await asyncio.gather(*(one(call) for call in calls))

    async def _insist(self, call: Call) -> Heard:
        heard = Heard(call, 0)
        ends_at = asyncio.get_running_loop().time() + PATIENCE_S
        for turn in count(call.number):
            replica = self._replicas[turn % len(self._replicas)]
            heard, final = await self._try(call, replica)
            if final or asyncio.get_running_loop().time() > ends_at:
                break
            await asyncio.sleep(PAUSE_S)
        return heard

    async def _try(self, call: Call, replica: Replica) -> tuple[Heard, bool]:
        """What it heard there, and whether there is nothing left to try."""
        assert self._session is not None
        url = f"{replica.base_url}/chat/completions"
        try:
            async with self._session.post(
                url, data=call.body, headers={"Idempotency-Key": call.key}
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return Heard(call, 0), False
        if response.status == 200:
            return Heard(call, 200), True
        code = ""
        if response.content_type == "application/json":
            code = str(json.loads(body).get("error", {}).get("code"))
        final = response.headers.get("x-should-retry") == "false"
        return Heard(call, response.status, code), final


async def killing(
    replicas: Sequence[Replica], dice: random.Random, pause_s: tuple[float, float], kills: list[int]
) -> None:
    """Kill one after another, at random, and start each again; until cancelled."""
    while True:
        await asyncio.sleep(dice.uniform(*pause_s))
        number = dice.randrange(len(replicas))
        await replicas[number].kill()
        kills.append(number)
        await asyncio.sleep(dice.uniform(0, 1))
        await replicas[number].start()
        await replicas[number].ready()


async def at_rest(store: Store) -> tuple[Payment, ...]:
    """The rows, once each of them is posted or voided. TimeoutError where one stays open."""
    async with asyncio.timeout(REST_S), audited(store) as ledger:
        while True:
            rows = await ledger.payments(None, ROWS_MAX)
            if not any(row.state in OPEN for row in rows):
                return rows
            await asyncio.sleep(0.5)


def identities(rows: Sequence[Payment], *states: PaymentState) -> set[str]:
    """What was signed for the payments in these states."""
    return {row.authorization.identity for row in rows if row.authorization and row.state in states}
