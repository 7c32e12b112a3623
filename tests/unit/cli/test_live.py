"""The screen of `sidecar status --watch`."""

from __future__ import annotations

import pytest
from rich.console import Console

from sidecar.cli.live import bar, picture


def drawn(answer: dict[str, object]) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(picture(answer))
    return captured.get()


@pytest.mark.parametrize(
    ("limit", "spent", "reserved", "expected"),
    [
        ("1.00 USDC", "0.50 USDC", "0.25 USDC", 12 * "#" + 6 * "=" + 6 * "."),
        ("1.00 USDC", "0.00 USDC", "0.00 USDC", 24 * "."),
        ("1.00 USDC", "1.00 USDC", "0.00 USDC", 24 * "#"),
        ("1.00 USDC", "0.000001 USDC", "0.00 USDC", "#" + 23 * "."),
        ("1.00 USDC", "9.00 USDC", "9.00 USDC", 24 * "#"),
        ("0.00 USDC", "0.00 USDC", "0.00 USDC", 24 * "."),
        (None, "nothing", [], 24 * "."),
    ],
    ids=["some", "none", "all", "a little", "too much", "no budget", "nonsense"],
)
def test_bar(limit: object, spent: object, reserved: object, expected: str) -> None:
    """A budget's bar shows what is gone, and what may be going, however little it is."""
    assert expected == bar(limit, spent, reserved).plain


def test_what_a_person_acts_on_comes_first() -> None:
    """Approvals and money in doubt stand above what is only told; many rows are cut, and said."""
    payments = [{"id": f"pay_{number}", "state": "posted"} for number in range(7)]
    text = drawn(
        {
            "payments": payments,
            "refusals": [{"rule": "budget"}],
            "in_doubt": [{"id": "pay_8"}],
            "approvals": [{"id": "pay_9", "until": "soon"}],
        }
    )

    places = [text.index(word) for word in ("approvals", "in doubt", "refusals", "payments")]
    assert sorted(places) == places
    assert "payments (the newest 6)" in text
    assert "pay_6" not in text


def test_only_what_was_said() -> None:
    """A sidecar that says little, or nonsense, has a screen as well."""
    text = drawn({"error": "gone [bold]away", "budgets": "none", "payments": [1, 2]})

    assert "sidecar  error gone [bold]away" in text
