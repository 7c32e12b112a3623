"""Bugs that only a misbehaving seller brings to light."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FAULTS = "tests/e2e/test_faults.py"
TOP_UPS = "tests/e2e/test_faults_topups.py"

SELLER_FAULTS = (
    Mutant(
        "signs a second time after a refusal",
        "sidecar/payments/payer.py",
        "                await self._release(payment.id)\n",
        "                pass\n",
        (f"{FAULTS}::test_at_most_one_payment[no replays, no RPC-evm]",),
    ),
    Mutant(
        "buys credit again after a top-up that is not proven",
        "sidecar/payments/prepaid.py",
        "return self.rose and (self.served or self.need.background)",
        "return True",
        (f"{TOP_UPS}::test_at_most_one_top_up",),
    ),
    Mutant(
        "takes half an event stream for the whole",
        "sidecar/proxy/relay.py",
        "    return ended or any(event in response._last for event in TERMINAL_EVENTS)\n",
        "    return True\n",
        (f"{FAULTS}::test_at_most_one_payment[usual-evm]",),
    ),
)
