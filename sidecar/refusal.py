"""A refusal is a value: the rule that said no, and what a person needs to know about it."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime

from sidecar.money import ZERO, Usdc
from sidecar.values import dataclass

ABANDONED = "abandoned"  # the rule when the app left before anything was signed


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """One budget in its current window: what it allows, what is gone, when it starts again."""

    name: str
    limit: Usdc
    spent: Usdc
    reserved: Usdc
    resets_at: datetime | None  # None: a budget for all time never starts again
    # Of what remains, what is kept for this machine alone: two that differ in it are one use.
    held: Usdc = field(default=ZERO, compare=False)

    @property
    def remaining(self) -> Usdc:
        """What may still be spent in this window."""
        return Usdc(max(0, self.limit.atomic - self.spent.atomic - self.reserved.atomic))


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing was signed, and why.

    ``rule`` is one of a closed set (it labels a metric): max_payment, network, asset, pay_to,
    amount, validity, unpayable, budget, breaker, in_progress, clock_skew, body_too_large,
    draining, abandoned, scheme, top_up_wait, top_up_terms, top_up_rate, top_up_unproven,
    payee_changed, price_jump, frozen, approval, approval_refused, approval_timeout, shadow,
    signer_refused. What is decided by hand has words of its own.
    ``detail`` is a sentence for a person.
    """

    rule: str
    detail: str
    budget: BudgetUse | None = None
