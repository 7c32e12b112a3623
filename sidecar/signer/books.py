"""What was signed: each authorization once, and how much within the last hour and day.

Windows slide: no span of that length holds more, wherever it starts. Time that went back opens
none: what lies in the future counts, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime, timedelta

from sidecar.money import ZERO, Usdc
from sidecar.refusal import Denied
from sidecar.signer.rules import Cap
from sidecar.values import dataclass

# No window is longer.
SPAN_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One authorization, as it was about to be signed for the first time."""

    at: datetime
    network: str
    identity: str
    digest: str
    amount: Usdc


@dataclass(slots=True)
class _Window:
    cap: Cap
    entries: deque[Entry] = field(default_factory=deque)
    spent: Usdc = ZERO

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.spent += entry.amount

    def leave(self, at: datetime) -> list[Entry]:
        """Those that are no longer in it, taken out."""
        gone = []
        while self.entries and self.entries[0].at <= at - self.cap.span:
            gone.append(self.entries.popleft())
            self.spent = Usdc(self.spent.atomic - gone[-1].amount.atomic)
        return gone

    def refusal(self, amount: Usdc) -> Denied | None:
        cap, hours = self.cap, self.cap.span.total_seconds() / 3600
        if self.spent + amount > cap.amount:
            return Denied(
                "window", f"{self.spent} of {cap.amount} were signed for within {hours:g} h"
            )
        if len(self.entries) >= cap.payments:
            return Denied("window", f"{cap.payments} payments were signed within {hours:g} h")
        return None


class Books:
    """The signer's memory."""

    __slots__ = ("_known", "_windows")

    def __init__(self, caps: Iterable[Cap], entries: Iterable[Entry]) -> None:
        """``entries`` are those of the journal, in its order."""
        # The longest is last: who has left that one is forgotten.
        self._windows = [_Window(cap) for cap in sorted(caps, key=lambda cap: cap.span)]
        assert all(window.cap.span <= SPAN_MAX for window in self._windows)
        self._known: dict[tuple[str, str], Entry] = {}
        for entry in entries:
            self.add(entry)

    def digest(self, network: str, identity: str) -> str | None:
        """Of the authorization that was signed under this identity; None: none was lately."""
        entry = self._known.get((network, identity))
        return None if entry is None else entry.digest

    def refusal(self, amount: Usdc, at: datetime) -> Denied | None:
        """Why another payment of this size does not fit now; None when it does."""
        gone: list[Entry] = []
        for window in self._windows:
            gone = window.leave(at)
        for entry in gone:
            # Not a later one that took the identity once this one had left.
            if self._known.get((entry.network, entry.identity)) is entry:
                del self._known[entry.network, entry.identity]
        refusals = (window.refusal(amount) for window in self._windows)
        return next((refusal for refusal in refusals if refusal is not None), None)

    def add(self, entry: Entry) -> None:
        """Count it."""
        self._known[entry.network, entry.identity] = entry
        for window in self._windows:
            window.add(entry)
