"""What is held, and for how long it lasts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sidecar.money import Usdc
from sidecar.payments.events import BalanceObserved, WalletBalanceObserved
from sidecar.providers.base import Balance
from sidecar.service.held import ACCOUNTS_MAX, Held
from tests.world.fakes import NOON

HOUR = timedelta(hours=1)


def credit(
    value: str, hours: float = 0, account: str = "0xa", unit: str = "usd"
) -> BalanceObserved:
    balance = Balance(Decimal(value), unit, can_consume=True)
    return BalanceObserved("venice", account, balance, NOON + hours * HOUR)


def test_wallet() -> None:
    """A wallet lasts as long as what it paid in the last day says: 12 USDC at 6 a day, two days."""
    held = Held()
    held.add_wallet(WalletBalanceObserved("main", "eip155:8453", Usdc(99), NOON - HOUR))
    held.add_wallet(WalletBalanceObserved("main", "eip155:8453", Usdc(12_000_000), NOON))
    (row,) = held.rows(NOON, {("main", "eip155:8453"): Usdc(6_000_000)})

    assert {
        "kind": "wallet",
        "name": "main",
        "place": "Base",
        "amount": "12",
        "unit": "USDC",
        "observed_at": NOON.isoformat(),
        "spent": "6",
        "hours_to_empty": 48.0,
    } == row


def test_unspent() -> None:
    """Where nothing was spent nobody can say how long it lasts; on a network without a name too."""
    held = Held()
    held.add_wallet(WalletBalanceObserved("main", "eip155:999", Usdc(12_000_000), NOON))
    held.add_credit(credit("5"))
    wallet, account = held.rows(NOON, {("main", "eip155:8453"): Usdc(1)})

    assert ("eip155:999", None) == (wallet["place"], wallet["hours_to_empty"])
    assert ("0xa", "5", "usd", None) == (
        account["place"],
        account["amount"],
        account["unit"],
        account["hours_to_empty"],
    )


def test_credit_falls() -> None:
    """Credit lasts as its balance was seen to fall: 4 in 2 hours leave 6 for 3 more."""
    held = Held()
    for event in (credit("10"), credit("8", 1), credit("6", 2)):
        held.add_credit(event)
    (row,) = held.rows(NOON + 2 * HOUR, {})

    assert ("4", 3.0) == (row["spent"], row["hours_to_empty"])


def test_credit_that_was_bought() -> None:
    """A balance that rose was topped up: what had been used before stays counted."""
    held = Held()
    for event in (credit("10"), credit("8", 1), credit("18", 1.5), credit("16", 2)):
        held.add_credit(event)
    (row,) = held.rows(NOON + 2 * HOUR, {})

    assert ("4", 8.0) == (row["spent"], row["hours_to_empty"])


def test_first_minutes() -> None:
    """What fell within minutes counts as what fell within an hour."""
    held = Held()
    held.add_credit(credit("10"))
    held.add_credit(credit("9", 0.1))
    (row,) = held.rows(NOON + HOUR, {})

    assert 9.0 == row["hours_to_empty"]


def test_yesterday() -> None:
    """What fell a day ago or earlier says nothing of today, whether balances are read or not."""
    held = Held()
    for event in (credit("10"), credit("9", 1)):
        held.add_credit(event)
    (later,) = held.rows(NOON + 26 * HOUR, {})
    held.add_credit(credit("8", 26))
    (read,) = held.rows(NOON + 26 * HOUR, {})

    assert ("0", None) == (later["spent"], later["hours_to_empty"])
    assert ("1", 192.0) == (read["spent"], read["hours_to_empty"])


def test_owed() -> None:
    """A balance below nothing lasts no time at all."""
    held = Held()
    for event in (credit("1"), credit("-1", 1)):
        held.add_credit(event)
    (row,) = held.rows(NOON + HOUR, {})

    assert ("-1", 0.0) == (row["amount"], row["hours_to_empty"])


def test_accounts() -> None:
    """Apps name accounts: only so many are kept, and the one heard of longest ago goes."""
    held = Held()
    held.add_credit(credit("1", account="/first"))
    for number in range(ACCOUNTS_MAX - 1):
        held.add_credit(credit("1", account=f"/{number}"))
    held.add_credit(credit("2", account="/first"))
    held.add_credit(credit("1", account="/last"))
    places = {row["place"] for row in held.rows(NOON, {})}

    assert ACCOUNTS_MAX == len(places)
    assert {"/first", "/last"} <= places
    assert "/0" not in places


def test_forgotten() -> None:
    """What a config does not name any more is not shown; the rest is."""
    held = Held()
    held.add_wallet(WalletBalanceObserved("main", "eip155:8453", Usdc(1), NOON))
    held.add_wallet(WalletBalanceObserved("other", "eip155:8453", Usdc(2), NOON))
    held.add_credit(credit("5"))
    held.forget(["venice"], [("other", "eip155:8453")])

    assert ["main"] == [row["name"] for row in held.rows(NOON, {})]
