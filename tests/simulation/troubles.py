"""What goes wrong in a world, and when; and how it is put right in the end."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from sidecar.errors import LedgerError
from tests.simulation.scenario import Trouble

if TYPE_CHECKING:
    from tests.simulation.town import SimTown

# Credit that still serves, and is under the low-water mark.
SPARE = 3


class Troubles:
    """Befalls a town."""

    def __init__(self, town: SimTown) -> None:
        self._town = town
        self.has_misrouted = False
        self._misroutes = 0
        self.furthest_s = 0.0  # how far ahead any clock ever was

    async def befall(self) -> None:
        """All of them, each at its moment."""
        town = self._town
        for trouble in town.scenario.troubles:
            await asyncio.sleep(max(0.0, trouble.at_s - town.loop.time()))
            town.note(f"{trouble.kind} {trouble.number}")
            if trouble.kind == "freeze":
                town.loop.spawn("", self._switch(is_frozen=trouble.number > 0))
            elif not self._befall_chain(trouble):
                self._befall(trouble)

    def _befall(self, trouble: Trouble) -> None:
        town = self._town
        match trouble.kind:
            case "kill":
                town.random.choice(town.slots).kill()
            case "jump":
                self._jump(trouble.number)
            case "disk":
                town.disk.failing = trouble.number
            case "slow disk":
                town.disk.slow = trouble.number
            case "sulk":
                town.vendor.sulks = trouble.number > 0
                town.vendor.has_sulked = True
            case _:
                assert trouble.kind == "spend"
                town.vendor.use_up(Decimal(SPARE if trouble.number == 0.5 else 0))

    def _befall_chain(self, trouble: Trouble) -> bool:
        """Whether this was a trouble of the chain or its endpoints."""
        grounds, happens = self._town.grounds, trouble.number > 0
        endpoints = grounds.endpoints.values()
        match trouble.kind:
            case "rpc":
                for endpoint in endpoints:
                    endpoint.down = happens
            case "lag":
                for endpoint in endpoints:
                    endpoint.lags = (0, int(trouble.number)) if happens else (0,)
            case "misroute":
                self.has_misrouted = True
                # Two that overlap end with the last of them.
                self._misroutes += 1 if happens else -1
                for endpoint in endpoints:
                    endpoint.misrouted = self._misroutes > 0
            case "halt":
                assert grounds.cluster is not None
                (grounds.cluster.halt if happens else grounds.cluster.resume)()
            case "dust":
                assert grounds.cluster is not None
                grounds.cluster.dust(int(trouble.number))
            case _:
                return False
        return True

    def _jump(self, ahead_s: float) -> None:
        self._town.wall.ahead_s = ahead_s
        self.furthest_s = max(self.furthest_s, ahead_s)

    async def _switch(self, *, is_frozen: bool) -> None:
        """The operator freezes or unfreezes, where there is a process to be asked."""
        for slot in self._town.slots:
            ledger = slot.ledger
            if ledger is None:
                continue
            try:
                if is_frozen:
                    await ledger.freeze(self._town.wall.now())
                else:
                    await ledger.unfreeze()
            except LedgerError as fault:
                # The folder is another one each time that the seed is lived.
                told = str(fault).replace(str(self._town.path.parent), "")
                self._town.note(f"the switch fails: {told}")
            return

    def heal(self) -> None:
        """Everything is as it should be again."""
        town = self._town
        town.disk.failing, town.disk.slow = 0.0, 0.0
        town.wall.correct()
        for endpoint in town.grounds.endpoints.values():
            endpoint.down, endpoint.lags, endpoint.misrouted = False, (0,), False
            endpoint.forgets_s = 0
        if town.grounds.cluster is not None:
            town.grounds.cluster.resume()
