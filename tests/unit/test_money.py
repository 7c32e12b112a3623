"""Amounts: whole units in, whole units out, nothing that can be read in two ways."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.money import ZERO, Usdc


@pytest.mark.parametrize(
    ("text", "atomic"),
    [
        ("5.00 USDC", 5_000_000),
        ("5 USDC", 5_000_000),
        ("0.000001 USDC", 1),
        ("0 USDC", 0),
        ("999999999999.999999 USDC", 999_999_999_999_999_999),
    ],
)
def test_parse(text: str, atomic: int) -> None:
    """What people write is read exactly, to the sixth decimal."""
    assert Usdc(atomic) == Usdc.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5.00",
        "5.00USDC",
        "5.00 usdc",
        "5.00 USDT",
        "-1 USDC",
        "+1 USDC",
        "1e3 USDC",
        ".5 USDC",
        "5. USDC",
        "05 USDC",
        "1,000 USDC",
        "0.0000001 USDC",
        "1000000000000 USDC",
        " 5 USDC",
        "5 USDC\n",
        "\u0661 USDC",
        "nan USDC",
    ],
)
def test_not_an_amount(text: str) -> None:
    """What is not exactly an amount is refused, and the refusal shows how to write one."""
    with pytest.raises(ValueError, match=r'write it like "5.00 USDC"'):
        Usdc.parse(text)


@pytest.mark.parametrize(("text", "atomic"), [("1", 1), ("10000", 10_000), ("9" * 31, 10**31 - 1)])
def test_wire(text: str, atomic: int) -> None:
    """Sellers' prices are digits of atomic units."""
    assert Usdc(atomic) == Usdc.from_wire(text)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "007",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        " 1",
        "1\n",
        "1" * 32,
        "\u0661\u0660",
        "\uff11",
        10_000,
        10.0,
        True,
        None,
        ["1"],
    ],
)
def test_not_on_the_wire(value: object) -> None:
    """Whatever could be read in two ways, or is nothing at all, is no price."""
    assert Usdc.from_wire(value) is None


@pytest.mark.parametrize(
    ("atomic", "text"),
    [
        (0, "0.00 USDC"),
        (1, "0.000001 USDC"),
        (10_000, "0.01 USDC"),
        (1_234_560, "1.23456 USDC"),
        (5_000_000, "5.00 USDC"),
    ],
)
def test_text(atomic: int, text: str) -> None:
    """An amount shows its cents always, and finer digits only where there are any."""
    assert text == str(Usdc(atomic))


@pytest.mark.parametrize("atomic", [True, 1.0, "1", None])
def test_not_whole(atomic: Any) -> None:
    """Nothing but a whole number makes an amount, and a bool is none."""
    with pytest.raises(TypeError, match="whole atomic units"):
        Usdc(atomic)


def test_negative() -> None:
    """No amount is negative."""
    with pytest.raises(ValueError, match="never negative"):
        Usdc(-1)


def test_sum() -> None:
    """Amounts add up, and nothing added changes nothing."""
    assert Usdc(3) == Usdc(1) + Usdc(2) + ZERO


def test_order() -> None:
    """Amounts compare by value."""
    assert [Usdc(1), Usdc(9), Usdc(10)] == sorted([Usdc(10), Usdc(9), Usdc(1)])
