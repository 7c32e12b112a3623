"""What a run cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sidecar.cli.receipt import Heard, Receipt, bill, receipt_row, show_receipt, write_receipt
from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.ledger.rows import reserved_payment
from sidecar.money import Usdc
from sidecar.payments.events import CostObserved, RequestServed
from sidecar.refusal import BudgetUse
from tests.unit.cli.rows import NOW, intent

LATER = NOW + timedelta(seconds=1)


def payment(number: int, state: PaymentState, route: str = "seller") -> Payment:
    """A payment of one cent in this state, not delivered."""
    reserved = reserved_payment(intent(f"pay_{number}"), 0)
    return replace(reserved, state=state, route=route, proof=Proof("receipt", "0x1"))


def served(decision: str, rule: str = "", route: str = "seller") -> RequestServed:
    return RequestServed("r", route, "run", "POST", "/v1", 200, 1.0, 1.0, decision, rule)


POSTED, VOIDED = PaymentState.POSTED, PaymentState.VOIDED
PAYMENTS = (
    replace(payment(1, POSTED), delivered_at=LATER),
    payment(2, POSTED),
    replace(payment(3, POSTED, "credit"), purpose="top_up", amount=Usdc(5_000_000)),
    payment(4, PaymentState.AUTHORIZED),
    payment(5, VOIDED),
    payment(6, PaymentState.RESERVED),
)


def heard() -> Heard:
    counts = Heard()
    for event in (
        served("paid"),
        served("undelivered"),
        served("relayed", route="credit"),
        served("in_doubt"),
        served("denied", "budget"),
        served("denied", "budget", "credit"),
        served("refused", "token", ""),
        CostObserved("credit", "run", Decimal("0.25"), estimated=False),
        CostObserved("credit", "run", Decimal("0.05"), estimated=False),
        CostObserved("seller", "run", Decimal("0.1"), estimated=True),
    ):
        counts(event)
    return counts


RECEIPT = Receipt(
    "run-1",
    "live",
    (NOW, LATER),
    3,
    heard(),
    PAYMENTS,
    (BudgetUse("day", Usdc(9_000_000), Usdc(5_020_000), Usdc(10_000), None),),
)


def test_money() -> None:
    """Only what was posted is spent; what is in doubt is told beside it; what was voided is not."""
    whole = bill(heard(), PAYMENTS)

    assert (Usdc(5_020_000), Usdc(10_000), 1, 2, 1, 1) == (
        whole.spent,
        whole.in_doubt,
        whole.in_doubt_payments,
        whole.paid_calls,
        whole.undelivered,
        whole.top_ups,
    )


def test_calls() -> None:
    """Calls are counted as they were heard of, by route, and refusals by their rule."""
    whole, seller = bill(heard(), PAYMENTS), bill(heard(), PAYMENTS, "seller")

    assert (7, {"budget": 2, "token": 1}, Decimal("0.30"), Decimal("0.1")) == (
        whole.calls,
        whole.refused,
        whole.cost_usd,
        whole.estimated_usd,
    )
    assert (4, {"budget": 1}, None) == (seller.calls, seller.refused, seller.cost_usd)


def test_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The receipt is for a person, on stderr."""
    show_receipt(RECEIPT)

    written = capsys.readouterr()
    assert (
        "",
        "sidecar: has spent 5.02 USDC on 7 calls: 2 paid, credit bought once, 3 refused "
        "(budget 2, token 1)\n"
        "  credit: 5.00 USDC on 2 calls: 0 paid, credit bought once, 1 refused (budget 1)\n"
        "  seller: 0.02 USDC on 4 calls: 2 paid, 1 refused (budget 1)\n"
        "  in doubt: 0.01 USDC more may have moved; see: sidecar payments\n"
        "  not delivered: the app has not had the whole answer to 1 of the paid calls\n"
        "  cost: 0.3 USD, say the vendors\n"
        "  cost: about 0.1 USD, by the config's prices\n"
        "  left: 3.97 USDC of 9.00 USDC in day\n"
        "  another API key came: does the command, or an .env file, set its own?\n",
    ) == (written.out, written.err)


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no call came, the receipt says what may be the reason."""
    show_receipt(replace(RECEIPT, heard=Heard(), payments=(), budgets=()))

    assert (
        "sidecar: has spent 0.00 USDC on 0 calls: 0 paid\n"
        "  no call came: does the command read OPENAI_BASE_URL or ANTHROPIC_BASE_URL?\n"
    ) == capsys.readouterr().err


def test_json() -> None:
    """As JSON it has the same sums, in all and by route."""
    row = receipt_row(RECEIPT)

    assert ("run-1", "live", 3, 7, "5.02", 5_020_000, "0.01", "0.30", "0.1") == tuple(
        row[name]
        for name in (
            *("run", "mode", "exit_status", "calls", "spent_usdc", "spent_atomic"),
            *("in_doubt_usdc", "cost_usd", "cost_estimated_usd"),
        )
    )
    assert {"seller": (4, "0.02"), "credit": (2, "5.00")} == {
        name: (route["calls"], route["spent_usdc"]) for name, route in row["routes"].items()
    }
    assert [
        {
            "name": "day",
            "limit_usdc": "9.00",
            "spent_usdc": "5.02",
            "reserved_usdc": "0.01",
            "remaining_usdc": "3.97",
        }
    ] == row["budgets"]
    assert [f"pay_{number}" for number in range(1, 7)] == row["payments"]


def test_nowhere_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt that cannot be written is told of, and changes nothing else."""
    write_receipt(RECEIPT, tmp_path / "gone" / "receipt.json")

    assert f"sidecar: --receipt: {tmp_path}/gone/receipt.json: no such file or directory\n" == (
        capsys.readouterr().err
    )
