"""The invariants S1 to S5 of the money path, checked from outside while the world goes on.

What moved is counted on the chain, what left at the wire, and the ledger file is read by a
connection of its own. What a seller claims counts for nothing here.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sidecar.ledger import sqlite_file
from sidecar.ledger.model import Budget
from tests.simulation.sellers import SimSeller

TTL_MS = 600_000

_ROWS = """
SELECT id, purchase_key, explicit, state, amount, purpose, auth_identity, reserved_at, settled_at,
  delivered_at, closed_at, proof_kind
FROM payments ORDER BY seq
"""
_WINDOWS = "SELECT budget, starts_at, reserved, spent FROM windows"
_KNOWN = "SELECT state FROM payments WHERE auth_identity = ?"


@dataclass(frozen=True, slots=True)
class Left:
    """An authorization that a sidecar has sent."""

    nonce: str
    group: str
    amount: int
    valid_before: int


class Auditor:
    """Looks at everything, and tells of each breach once."""

    def __init__(
        self,
        path: Path,
        seller: SimSeller,
        budgets: tuple[Budget, ...],
        tell: Callable[[str], None],
    ) -> None:
        self._connection = sqlite_file.read_only(path)
        self._seller = seller
        self._caps = {budget.name: budget.limit.atomic for budget in budgets}
        self._tell = tell
        self.left: dict[str, Left] = {}
        self.calls: Counter[str] = Counter()  # how many purchases the apps believe in, by group
        self.excused: Counter[str] = Counter()

    def close(self) -> None:
        self._connection.close()

    def leaves(self, left: Left) -> None:
        """S3: what leaves is on the disk already; and its amount is counted (S2)."""
        known = self._connection.execute(_KNOWN, (left.nonce,)).fetchone()
        if known is None:
            self._tell(f"S3: {left.nonce} left, and is not on disk")
        self.left.setdefault(left.nonce, left)
        self.committed()

    def committed(self) -> None:
        """S2 and the open top-ups, after a commit or a departure."""
        counted: Counter[str] = Counter()
        for row in self._connection.execute(_WINDOWS):
            used = row["reserved"] + row["spent"]
            counted[row["budget"]] += used
            if used > self._caps[row["budget"]]:
                self._tell(f"S2: {row['budget']} has {used} of {self._caps[row['budget']]}")
        movable = sum(left.amount for left in self.left.values() if self._can_move(left))
        for budget in self._caps:
            if counted[budget] < movable:
                self._tell(f"S2: {movable} may move, and {budget} counts {counted[budget]}")
        rows = self._rows()
        self._check_voids(rows)
        self._check_purchases(rows)
        self._check_top_ups(rows)

    def _rows(self) -> list[sqlite3.Row]:
        return self._connection.execute(_ROWS).fetchall()

    def _is_settled(self, nonce: str) -> bool:
        return nonce in self._seller.seen and self._seller.settled(nonce)

    def _can_move(self, left: Left) -> bool:
        """It has, or it still may by what is final on the chain."""
        final = self._seller.chain.finalized().timestamp
        return self._is_settled(left.nonce) or left.valid_before > final

    def _check_voids(self, rows: list[sqlite3.Row]) -> None:
        for row in rows:
            left = self.left.get(row["auth_identity"])
            if row["state"] == "voided" and left is not None and self._can_move(left):
                self._tell(f"S4: {row['id']} is voided ({row['proof_kind']}) and may move")

    def _check_purchases(self, rows: list[sqlite3.Row]) -> None:
        """S1: no more of a purchase's authorizations settled than there were purchases."""
        by_nonce = {row["auth_identity"]: row for row in rows}
        groups: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
        for left in self.left.values():
            if left.group and self._is_settled(left.nonce) and left.nonce in by_nonce:
                groups[left.group].append(by_nonce[left.nonce])
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

    def final(self, has_rpc: bool) -> None:
        """S4 and S5, once everything has expired, is final, and was looked at."""
        self.committed()
        states = {row["auth_identity"]: row["state"] for row in self._rows()}
        for row in self._rows():
            if row["state"] == "reserved":
                self._tell(f"S5: {row['id']} is still reserved")
            if row["state"] == "authorized" and has_rpc:
                self._tell(f"S5: {row['id']} is still in doubt")
        for nonce in self.left:
            settled, state = self._is_settled(nonce), states.get(nonce)
            if settled and state not in (("posted",) if has_rpc else ("posted", "authorized")):
                self._tell(f"S4: {nonce} moved, and is {state}")
            if state == "posted" and not settled and not self._seller.seen[nonce].vouched:
                self._tell(f"S4: {nonce} is posted, never moved, and no seller said so")
