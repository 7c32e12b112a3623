"""Which windows a payment has to fit into, in the one order in which every store raises them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from sidecar.ledger.model import Budget
from sidecar.ledger.rows import milliseconds, to_json
from sidecar.money import Usdc
from sidecar.refusal import Denied

# A window: the name of its budget, and its start in milliseconds since the epoch.
WindowKey: TypeAlias = tuple[str, int]

# A trillion USDC. Sums of amounts up to this one stay far from the end of a 64-bit integer,
# past which SQLite would go on with floating point.
LARGEST = 10**18

_HOUR_S = 3_600


def wanted(
    budgets: Sequence[Budget], amount: Usdc, at: datetime
) -> Mapping[WindowKey, Budget] | Denied:
    """The window of every budget, in one order for everybody, so that no two payments ever wait

    for each other. Without a budget nothing may be paid, and a budget that is named twice counts
    once, with the smaller limit.
    """
    if not budgets:
        return Denied("budget", "no budget covers this payment, so nothing may be paid")
    if amount.atomic > LARGEST:
        return Denied("amount", f"{amount} is more than any ledger can hold")
    return _of_hour(tuple(budgets), milliseconds(at) // (_HOUR_S * 1000))


@lru_cache(maxsize=256)
def _of_hour(budgets: tuple[Budget, ...], hour: int) -> Mapping[WindowKey, Budget]:
    # Every window begins with an hour, so all payments of an hour fall into the same ones.
    at = datetime.fromtimestamp(hour * _HOUR_S, UTC)
    found: dict[WindowKey, Budget] = {}
    for budget in budgets:
        key = (budget.name, budget.starts_at(at) * 1000)
        rival = found.get(key)
        if rival is None or budget.limit < rival.limit:
            found[key] = budget
    return MappingProxyType({key: found[key] for key in sorted(found)})


@lru_cache(maxsize=256)
def as_text(keys: tuple[WindowKey, ...]) -> str:
    """How a payment's row has them: the same for most payments of an hour."""
    return to_json(keys)


def cap(budget: Budget) -> int:
    """The limit in atomic units, as far as a ledger can hold it."""
    return min(budget.limit.atomic, LARGEST)
