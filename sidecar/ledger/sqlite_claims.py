"""What was claimed by a transaction whose commit failed, and may be written all the same.

Nobody knows of such a claim: its caller was told that it failed. Held by this process for nobody,
the payment would turn the app's retry into a second purchase; so the next transaction releases it.
"""

from __future__ import annotations


class Claims:
    """The claims of the transaction that is open, and those that nobody knows the fate of."""

    def __init__(self) -> None:
        self._made: dict[str, None] = {}
        self._unsure: dict[str, None] = {}

    @property
    def unsure(self) -> tuple[str, ...]:
        """The payments that may be held for nobody."""
        return tuple(self._unsure)

    def made(self, payment_id: str) -> None:
        """The open transaction holds this payment."""
        self._made[payment_id] = None

    def conclude(self, *, committed: bool) -> None:
        """The transaction is over; ``committed``: with everything that was done in it."""
        self._unsure = {} if committed else self._unsure | self._made
        self._made = {}
