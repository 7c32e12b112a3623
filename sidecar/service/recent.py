"""What happened of late, for those who look: kept in memory, bounded, begun anew at each start.

It hears every event. One that it does not keep costs a look-up, and so does a request that was
served as it should be: under load these are nearly all of them. What it keeps is raw; whoever
shows it redacts it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sidecar.payments.events import (
    ApprovalAsked,
    ApprovalEnded,
    BalanceObserved,
    Event,
    LedgerWriteFailed,
    PaymentConfirmed,
    PaymentDenied,
    PaymentInDoubt,
    PaymentPosted,
    PaymentRehearsed,
    PaymentReserved,
    PaymentUndelivered,
    PaymentVoided,
    RequestServed,
    ToppedUp,
    TopUpsStopped,
    WalletBalanceObserved,
)
from sidecar.payments.served import Together
from sidecar.service.held import Held

REFUSALS_MAX = 50
STOPPED_MAX = 100
# Somebody who watches hears of what happened, but not more often than this.
PACE_S = 1.0
# Other processes change the ledger too, and tell nobody here: so it is looked at now and then.
LOOK_S = 5.0

_CHANGES = (
    PaymentReserved,
    PaymentPosted,
    PaymentConfirmed,
    PaymentVoided,
    PaymentInDoubt,
    PaymentUndelivered,
    PaymentDenied,
    PaymentRehearsed,
    ApprovalAsked,
    ApprovalEnded,
    ToppedUp,
    LedgerWriteFailed,
)


class Recent:
    """The newest refusals and balances, and a bell for those who wait for news."""

    def __init__(
        self, now: Callable[[], datetime], pace_s: float = PACE_S, look_s: float = LOOK_S
    ) -> None:
        self._now = now
        self._pace_s = pace_s
        self._look_s = look_s
        self._refusals: deque[tuple[datetime, RequestServed]] = deque(maxlen=REFUSALS_MAX)
        self._stopped: dict[tuple[str, str], None] = {}
        self.held = Held()
        self._happened = self._waiting = 0
        self._bell = asyncio.Event()
        self._over = asyncio.Event()
        self._keepers: dict[type, Callable[[Any], None]] = {
            RequestServed: self._served,
            BalanceObserved: self._credit,
            WalletBalanceObserved: self._wallet,
            TopUpsStopped: self._stop,
            **dict.fromkeys(_CHANGES, self.ring),
        }

    def observe(self, event: Event) -> None:
        """Keep what is to be shown of an event, and ring where it changes what is shown."""
        # Before anything else, as nearly every event is this one.
        if type(event) is RequestServed and event.decision == "relayed":
            return
        keep = self._keepers.get(type(event))
        if keep is not None:
            keep(event)

    def observe_requests(self, served: Together) -> None:
        """The same, of requests that ended together."""
        for ending, requests in served.items():
            if ending.decision != "relayed":
                for request in requests:
                    self._served(ending.served(request))

    def refusals(self) -> Sequence[tuple[datetime, RequestServed]]:
        """What was not served as its app had asked for, and when; the newest first."""
        return tuple(reversed(self._refusals))

    def stopped(self) -> Sequence[tuple[str, str]]:
        """Each route and account whose top-ups are stopped."""
        return tuple(self._stopped)

    def ring(self, _event: object = None) -> None:
        """Something happened that changes what is shown, and that an event may tell of."""
        self._happened += 1
        if self._waiting:
            self._bell.set()
            self._bell.clear()

    def end(self) -> None:
        """There will be no news: nobody is to wait for any."""
        self._over.set()
        self._bell.set()

    async def news(self, seen: int) -> int:
        """How much has happened; to be called with the last answer, at first with 0.

        It comes back when that is more than ``seen``, but not before the pace allows it, or when
        it is time to look again. Once it is over, at once.
        """
        over = await _within(self._over, self._pace_s)
        if not over and self._happened == seen:
            self._waiting += 1
            try:
                await _within(self._bell, self._look_s)
            finally:
                self._waiting -= 1
        return self._happened

    def _served(self, event: RequestServed) -> None:
        if event.decision != "paid":
            self._refusals.append((self._now(), event))
        self.ring()

    def _credit(self, event: BalanceObserved) -> None:
        self.held.add_credit(event)
        self.ring()

    def _wallet(self, event: WalletBalanceObserved) -> None:
        self.held.add_wallet(event)
        self.ring()

    def _stop(self, event: TopUpsStopped) -> None:
        account = (event.route, event.account)
        self._stopped.pop(account, None)
        if event.stopped:
            self._stopped[account] = None
            # Apps name some vendors' accounts, so there may be any number of names.
            if len(self._stopped) > STOPPED_MAX:
                del self._stopped[next(iter(self._stopped))]
        self.ring()


async def _within(event: asyncio.Event, wait_s: float) -> bool:
    """Whether it was set before so much time had passed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            return await event.wait()
    return False
