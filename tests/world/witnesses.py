"""What a call cost, as every witness of it tells: the chain, the seller, the ledger, the metrics.

A test compares ``Books.of(calls)`` with ``scene.books()``. The sidecar is one witness of several,
and the chain is the one that is right.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.world.chain import Anvil
from tests.world.processes import wait_until
from tests.world.sellers import PRICE, Seller
from tests.world.sidecar_process import SidecarProcess

ATOMIC_PER_USDC = 1_000_000
RECEIPT_HEADERS = ("payment-response", "x-payment-response")
RECORD_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Books:
    """Each witness in its own unit: amounts are atomic, the rest are counts of calls."""

    payer_lost: int
    payee_got: int
    transfers: int
    served: int
    ledger: int
    delivered: int
    budget: int
    metric_spend: int
    metric_payments: int

    @classmethod
    def of(cls, calls: int) -> Books:
        """Everybody's account of this many calls, each paid for once and served."""
        spent = calls * PRICE
        return cls(
            payer_lost=spent,
            payee_got=spent,
            transfers=calls,
            served=calls,
            ledger=spent,
            delivered=calls,
            budget=spent,
            metric_spend=spent,
            metric_payments=calls,
        )


class Scene:
    """One sidecar in front of one seller, and what they had when it began."""

    def __init__(self, chain: Anvil, seller: Seller, sidecar: SidecarProcess) -> None:
        self.chain = chain
        self.seller = seller
        self.sidecar = sidecar
        self._payer_had = chain.balance_of(sidecar.payer)
        self._payee_had = chain.balance_of(seller.pay_to)
        self._served_before = seller.served()

    def books(self) -> Books:
        """What everybody says now."""
        sidecar, posted = self.sidecar, self.posted()
        return Books(
            payer_lost=self._payer_had - self.chain.balance_of(sidecar.payer),
            payee_got=self.chain.balance_of(self.seller.pay_to) - self._payee_had,
            transfers=len(self.transactions()),
            served=self.seller.served() - self._served_before,
            ledger=sum(row["amount_atomic"] for row in posted),
            delivered=sum(row["delivered_at"] is not None for row in posted),
            budget=usdc(sidecar.metric("sidecar_budget_spent_usdc", budget="day")),
            metric_spend=usdc(sidecar.metric("sidecar_spend_usdc_total", route="seller")),
            metric_payments=round(sidecar.metric("sidecar_payments_total", outcome="posted")),
        )

    def posted(self) -> list[dict[str, Any]]:
        """The ledger's payments that moved, once it has noted that they were delivered."""

        def delivered() -> bool:
            return all(row["delivered_at"] for row in self.sidecar.status()["payments"])

        wait_until(delivered, "the ledger notes that everything was delivered", RECORD_WAIT_S)
        return self.rows("posted")

    def rows(self, state: str) -> list[dict[str, Any]]:
        """The ledger's payments that are in this state."""
        return [row for row in self.sidecar.payments() if row["state"] == state]

    def wait_for_state(self, state: str, wait_s: float = RECORD_WAIT_S) -> dict[str, Any]:
        """The one payment that there is, as soon as it is in this state."""

        def arrived() -> bool:
            return [state] == [row["state"] for row in self.sidecar.status()["payments"]]

        wait_until(arrived, f"the payment is {state}", wait_s)
        (row,) = self.sidecar.payments()
        return row

    def transactions(self) -> set[str]:
        """The transactions on the chain that moved money from this payer to this payee."""
        transfers = self.chain.transfers(self.sidecar.payer, self.seller.pay_to)
        return {transfer.transaction for transfer in transfers}

    def recorded(self) -> set[str]:
        """The transactions that the ledger has for what was posted."""
        return {row["transaction"] for row in self.rows("posted")}


def receipt(headers: Any) -> dict[str, Any]:
    """The seller's receipt in a response's headers, of whichever version."""
    values = [headers[name] for name in RECEIPT_HEADERS if name in headers]
    assert 1 == len(values), f"not one receipt: {values}"
    document: dict[str, Any] = json.loads(base64.b64decode(values[0]))
    return document


def usdc(value: float) -> int:
    """The atomic units of a metric's value."""
    return round(value * ATOMIC_PER_USDC)
