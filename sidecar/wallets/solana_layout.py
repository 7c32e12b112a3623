"""How a Solana transfer is laid out: what stands in the transaction beside the transfer.

Ours to choose, by provider, and never a seller's: it is no part of any offer. Source: x402.md 3.3
(the compute-unit trap), providers.md 4 and 5.
"""

from __future__ import annotations

from sidecar.values import dataclass

# Hosted facilitators take 50,000 and refuse 100,000.
COMPUTE_UNITS_MAX = 50_000
COMPUTE_PRICE_MAX = 5_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """What a facilitator takes. A memo that the seller dictates is in there whatever this says."""

    compute_unit_limit: int = 20_000
    compute_unit_price: int = 1  # microlamports
    own_memo: bool = True

    def units_for(self, memo: str) -> int:
        """A limit that suffices for a long memo, and that no facilitator takes for abuse."""
        needed = min(6_500 + 400 * len(memo.encode()), COMPUTE_UNITS_MAX)
        return max(self.compute_unit_limit, needed)


STANDARD = Layout()
# What x402layer's facilitator wants: three instructions, and more units than most.
BARE = Layout(compute_unit_limit=40_000, compute_unit_price=1_000, own_memo=False)
