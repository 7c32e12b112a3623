"""The ledger: what left the wallet, or may leave it.

Every method has committed, durably, before it returns; LedgerError means that nothing was
written. The contract is the same for every store, and one conformance suite holds them to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sidecar.ledger.model import (
    Asked,
    Budget,
    Change,
    Intent,
    PayeePin,
    Payment,
    Proof,
    Purchase,
    Spent,
)
from sidecar.refusal import BudgetUse, Denied
from sidecar.x402.types import Authorization


class Ledger(Protocol):
    """The port of the money path to its books.

    A payment is *held* by the request that it serves. Holding dies with the process. *Open* is
    a payment that its purchase still hopes for: reserved, authorized, or posted, and neither
    delivered nor closed.
    """

    async def reserve(self, intent: Intent, at: datetime) -> Payment | Denied:
        """Set the amount aside in every window of every budget, and write the row, in one go.

        Returns the new payment, RESERVED and held. Where an open payment of the same purchase is
        free to claim, returns that one, held, instead of a second; for an explicit purchase
        also one that was delivered, if posted at ``undelivered_since`` or later. Whoever may
        reserve need not ``claim`` before.
        Denied: ``budget`` (with its use), ``breaker``, or ``in_progress`` (an explicit purchase
        that is being served right now). For a top-up also ``in_progress`` while any other of
        its account is open and held, ``topped_up`` where one has answered it already, and
        ``top_up_rate``. ``payee_changed``: another payee is pinned, which the first reservation
        for each route, purpose, network and ``pin_place`` does. ``price_jump``: over
        ``jump_max`` times the lowest of the highest prices of each of the 30 UTC days before;
        where there was none in these, times the highest of this day. ``frozen``.
        """
        ...

    async def authorize(
        self, payment_id: str, authorization: Authorization, at: datetime
    ) -> Denied | None:
        """RESERVED -> AUTHORIZED: durable before anything signed may leave.

        Denied: ``frozen``, and ``approval`` where the intent had an ``ask_until`` and nobody
        approved it; then the payment is RESERVED as before.
        """
        ...

    async def post(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        """AUTHORIZED -> POSTED. A payment that is terminal already is returned as it is,

        except that a proof which confirms marks a posted, unconfirmed payment confirmed.
        """
        ...

    async def void(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        """RESERVED or AUTHORIZED -> VOIDED, its amount free again. Terminal: returned as it is.

        A person's word voids only what has expired, with a margin (``resolutions``).
        """
        ...

    async def claim(
        self, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        """The authorized or posted payment that a repeated request binds to, now held; or None.

        It is open and nobody holds it (its holder released it, or died). Posted ones count
        only if they were posted at ``undelivered_since`` or later. For an explicit purchase a
        delivered one counts too. The oldest, if there are several. Denied: ``frozen``.
        """
        ...

    async def newest_top_up(self, purchase: Purchase) -> Payment | None:
        """The newest top-up of this account, whatever became of it."""
        ...

    async def authorizations(self, purchase: Purchase, since: datetime) -> int:
        """How many payments reserved then or later were authorized, whatever became of them.

        Of an explicit purchase, or of an account's top-ups.
        """
        ...

    async def topped_up(self, purchase: Purchase) -> None:
        """Come back when another process may have moved a top-up of this account.

        May never come back: whoever waits for one looks again after a while all the same.
        """
        ...

    async def release(self, payment_id: str) -> None:
        """Nobody is connected for this payment any more. Harmless when it is not held."""
        ...

    async def deliver(self, payment_id: str, at: datetime) -> None:
        """The app has its last byte: the purchase is complete; also releases."""
        ...

    async def conclude(
        self, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        """``post``, and with it ``deliver`` or else ``release``: both, or nothing of it.

        What ``post`` returns, which need not say of the delivery.
        """
        ...

    async def give_up(self, payment_id: str, at: datetime) -> None:
        """POSTED and undelivered -> closed; counted against the route's breaker; also releases."""
        ...

    async def in_doubt(self) -> tuple[Payment, ...]:
        """Every AUTHORIZED payment, oldest first."""
        ...

    async def to_prove(self, at: datetime) -> tuple[Payment, ...]:
        """Those of them whose chain this process is to ask: all but what another one serves.

        That is what another process holds, for as long as it lives and the authorization has not
        expired by ``at``. After its end, or once it has let go, everybody asks.
        """
        ...

    async def unconfirmed(self) -> tuple[Payment, ...]:
        """Every POSTED payment that nobody has vouched for yet, oldest first."""
        ...

    async def orphaned(self) -> tuple[Payment, ...]:
        """Every RESERVED payment whose owner, the process that made it, is gone."""
        ...

    async def undelivered(self, posted_before: datetime) -> tuple[Payment, ...]:
        """Open POSTED payments that nobody holds, posted before this moment: too old to bind."""
        ...

    async def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        """Each budget's use in the window that ``at`` falls in."""
        ...

    async def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        """The newest payments first."""
        ...

    async def spending(self, since: datetime) -> tuple[Spent, ...]:
        """What moved, by the hour in which it was set aside, as budgets count it; oldest first.

        From the hour on that ``since`` falls in. For people who look: no payment waits for it.
        """
        ...

    async def pins(self) -> tuple[PayeePin, ...]:
        """Every payee that was pinned, by route, purpose, network and place."""
        ...

    async def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        """Let the next payees of this route be pinned anew; what was pinned."""
        ...

    async def freeze(self, at: datetime) -> datetime:
        """From now on nothing may be signed, in any process; since when that is so."""
        ...

    async def unfreeze(self) -> datetime | None:
        """Payments may be made again; since when they could not, None where they could."""
        ...

    async def frozen_since(self) -> datetime | None:
        """Since when nothing may be signed; None where it may."""
        ...

    async def approved(self, payment_id: str) -> bool | None:
        """What a person said to a payment with an ``ask_until``; None: nothing so far."""
        ...

    async def asked(self) -> tuple[Asked, ...]:
        """Every payment that waits for a person's word, oldest first."""
        ...

    async def decide(
        self, payment_id: str, by: str, at: datetime, *, approve: bool
    ) -> Payment | Denied:
        """The word of ``by`` on a payment that waits for it. Denied: ``not_waiting``."""
        ...

    async def rehearse(self, payment: Payment, at: datetime) -> Denied | None:
        """Shadow mode: book a reserved payment as made and delivered, in one go, unsigned.

        One that was booked so before stays as it is. Denied: what ``authorize`` says; then the
        payment is RESERVED as before.
        """
        ...

    async def check_writable(self) -> None:
        """LedgerError unless a write can be committed now."""
        ...

    async def close(self) -> None:
        """Finish what is queued, and let go."""
        ...
