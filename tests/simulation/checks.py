"""The invariants S1 to S5 of the money path, checked from outside while the world goes on.

What moved is counted on the chain, what left at the wire, and the ledger file is read by a
connection of its own. What a seller claims counts for nothing here. Beside them: nothing is
presented by two at once, and nothing is written down or leaves while a freeze lasts.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sidecar.ledger import sqlite_file
from sidecar.ledger.model import Budget
from tests.simulation.rails import Slip
from tests.simulation.sellers import SimSeller

TTL_MS = 600_000

_ROWS = """
SELECT id, purchase_key, explicit, state, amount, purpose, auth_identity, reserved_at, settled_at,
  delivered_at, closed_at, proof_kind
FROM payments ORDER BY seq
"""
_WINDOWS = "SELECT budget, starts_at, reserved, spent FROM windows"
_KNOWN = "SELECT state FROM payments WHERE auth_identity = ?"
_FROZEN = "SELECT since FROM freeze"


@dataclass(frozen=True, slots=True)
class Left:
    """An authorization that a sidecar has sent, and for which of the apps' purchases."""

    slip: Slip
    group: str


class Auditor:
    """Looks at everything, and tells of each breach once."""

    def __init__(
        self,
        path: Path,
        seller: SimSeller,
        budgets: tuple[Budget, ...],
        now_s: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        self._connection = sqlite_file.read_only(path)
        self._seller = seller
        self._caps = {budget.name: budget.limit.atomic for budget in budgets}
        self._now_s = now_s
        self._tell = tell
        self.left: dict[str, Left] = {}
        self.calls: Counter[str] = Counter()  # how many purchases the apps believe in, by group
        self.excused: Counter[str] = Counter()
        self._presenting: dict[str, str] = {}  # who presents which authorization now
        self._frozen_since: int | None = None
        self._frozen_at_s: float | None = None
        self._written: set[str] = set()

    def close(self) -> None:
        self._connection.close()

    def leaves(self, left: Left, owner: str, is_alive: Callable[[str], bool]) -> None:
        """S3: what leaves is on the disk already; and its amount is counted (S2)."""
        identity = left.slip.identity
        known = self._connection.execute(_KNOWN, (identity,)).fetchone()
        if known is None:
            self._tell(f"S3: {identity} left, and is not on disk")
        if self._frozen_at_s is not None and self._now_s() > self._frozen_at_s:
            self._tell(f"freeze: {identity} leaves while frozen")
        other = self._presenting.get(identity)
        if other is not None and is_alive(other):
            self._tell(f"hold: {identity} is presented by {owner} while {other} presents it")
        self._presenting[identity] = owner
        self.left.setdefault(identity, left)
        self.committed()

    def answered(self, identity: str, owner: str) -> None:
        """Its presentation is over."""
        if self._presenting.get(identity) == owner:
            del self._presenting[identity]

    def committed(self) -> None:
        """S2, S1, the open top-ups and the freeze, after a commit or a departure."""
        counted: Counter[str] = Counter()
        for row in self._connection.execute(_WINDOWS):
            used = row["reserved"] + row["spent"]
            counted[row["budget"]] += used
            if used > self._caps[row["budget"]]:
                self._tell(f"S2: {row['budget']} has {used} of {self._caps[row['budget']]}")
        movable = sum(left.slip.amount for left in self.left.values() if self._can_move(left))
        for budget in self._caps:
            if counted[budget] < movable:
                self._tell(f"S2: {movable} may move, and {budget} counts {counted[budget]}")
        rows = self._rows()
        self._check_freeze(rows)
        self._check_voids(rows)
        self._check_purchases(rows)
        self._check_top_ups(rows)

    def _rows(self) -> list[sqlite3.Row]:
        return self._connection.execute(_ROWS).fetchall()

    def _is_settled(self, identity: str) -> bool:
        return identity in self._seller.seen and self._seller.settled(identity)

    def _can_move(self, left: Left) -> bool:
        """It has, or it still may by what is final on the chain."""
        return self._seller.rail.can_move(left.slip)

    def _check_freeze(self, rows: list[sqlite3.Row]) -> None:
        """What was set aside or written down since the last look was so before the freeze."""
        written = {row["id"] for row in rows} | {row["auth_identity"] for row in rows} - {None}
        found = self._connection.execute(_FROZEN).fetchone()
        since = None if found is None else int(found["since"])
        # One that was lifted and set anew in one commit let pass what came in between.
        if since is not None and since == self._frozen_since:
            for what in sorted(written - self._written):
                self._tell(f"freeze: {what} is written down while frozen")
        self._written = written
        if since != self._frozen_since:
            self._frozen_since = since
            self._frozen_at_s = None if since is None else self._now_s()

    def _check_voids(self, rows: list[sqlite3.Row]) -> None:
        for row in rows:
            left = self.left.get(row["auth_identity"])
            if row["state"] == "voided" and left is not None and self._can_move(left):
                self._tell(f"S4: {row['id']} is voided ({row['proof_kind']}) and may move")

    def _check_purchases(self, rows: list[sqlite3.Row]) -> None:
        """S1: no more of a purchase's authorizations settled than there were purchases."""
        by_identity = {row["auth_identity"]: row for row in rows}
        groups: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
        for identity, left in self.left.items():
            if left.group and self._is_settled(identity) and identity in by_identity:
                groups[left.group].append(by_identity[identity])
        for group, settled in groups.items():
            excuses = [excuse for row in settled if (excuse := self._excuse(row, settled[-1]))]
            excess = len(settled) - self.calls[group]
            if excess > len(excuses):
                ids = [row["id"][-6:] for row in settled]
                self._tell(f"S1: {group!r} was paid for {len(settled)} times: {ids}")
            elif excess > 0:
                self.excused.update({excuse: 1 for excuse in excuses[:excess]})

    def _excuse(self, row: sqlite3.Row, last: sqlite3.Row) -> str:
        """The cases that the rules know: paid for nothing and closed; named, and long ago."""
        if row["closed_at"] is not None:
            return "closed as undelivered"
        aged = row["explicit"] and row["delivered_at"] and row is not last
        if aged and row["settled_at"] + TTL_MS < last["reserved_at"]:
            return "named again after its time"
        return ""

    def _check_top_ups(self, rows: list[sqlite3.Row]) -> None:
        unfinished = [
            row["id"]
            for row in rows
            if row["purpose"] == "top_up"
            and row["state"] != "voided"
            and row["delivered_at"] is None
            and row["closed_at"] is None
        ]
        if len(unfinished) > 1:
            self._tell(f"top-ups: {unfinished} are open at once")

    def final(self, *, has_rpc: bool, misrouted: bool) -> None:
        """S4 and S5, once everything has expired, is final, and was looked at.

        ``misrouted``: an endpoint was another network's for a while, and dated payments by that.
        """
        self.committed()
        states = {row["auth_identity"]: row["state"] for row in self._rows()}
        for row in self._rows():
            if row["state"] == "reserved":
                self._tell(f"S5: {row['id']} is still reserved")
            if (
                row["state"] == "authorized"
                and has_rpc
                and not (misrouted and self._is_foreign(row))
            ):
                self._tell(f"S5: {row['id']} is still in doubt")
        for identity in self.left:
            settled, state = self._is_settled(identity), states.get(identity)
            if settled and state not in (("posted",) if has_rpc else ("posted", "authorized")):
                self._tell(f"S4: {identity} moved, and is {state}")
            if state == "posted" and not settled and not self._seller.seen[identity].vouched:
                self._tell(f"S4: {identity} is posted, never moved, and no seller said so")

    def _is_foreign(self, row: sqlite3.Row) -> bool:
        left = self.left.get(row["auth_identity"])
        return left is None or self._seller.rail.is_foreign(left.slip)
