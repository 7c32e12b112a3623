"""What the routes of the vendors may say, and what they must."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.config.model import ApprovalConfig, RouteConfig, SqliteFile, TopUpConfig
from sidecar.money import Usdc
from sidecar.providers.cost import Price
from tests.unit.config.configs import BASE, mistakes_in, parsed

SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
PAYEE = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
VENICE: dict[str, Any] = {
    "provider": "venice",
    "upstream": "https://api.venice.ai/api",
    "wallet": "main",
    "networks": ["eip155:8453"],
    "max_payment": "10.00 USDC",
    "budgets": ["day"],
}


def written(changes: dict[str, Any]) -> str:
    """A config with one route, like Venice's but for these; None removes a key."""
    tree = copy.deepcopy(BASE)
    route = {**VENICE, **changes}
    tree["wallets"]["sol"] = {"kind": "solana", "key": {"file": "sol.json"}}
    tree["routes"] = {"r": {key: value for key, value in route.items() if value is not None}}
    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text


def route(**changes: Any) -> RouteConfig:
    """The route as it is read."""
    return parsed(written(changes)).routes["r"]


@pytest.mark.parametrize("provider", ["venice", "nodit", "x402layer", "libertai"])
def test_vendors(provider: str) -> None:
    """Each vendor is a route that needs what any paying route needs, and no more."""
    assert provider == route(provider=provider).provider


def test_top_up() -> None:
    """Credit is bought as the route says."""
    top_up = {"amount": "5 USDC", "low_water": "1.50 USDC", "max_per_hour": 4, "wait_s": 30}

    assert TopUpConfig(Usdc(5_000_000), Usdc(1_500_000), 4, 30) == route(top_up=top_up).top_up


@pytest.mark.parametrize(
    ("provider", "amount"),
    [("venice", Usdc(10_000_000)), ("nodit", Usdc(1_000_000)), ("x402layer", None)],
)
def test_usual_top_up(provider: str, amount: Usdc | None) -> None:
    """Without a word about it, what the vendor suggests is bought; packages are its own."""
    assert TopUpConfig(amount, None, 2, 60) == route(provider=provider).top_up


@pytest.mark.parametrize("provider", ["pay_per_request", "libertai"])
def test_no_top_up(provider: str) -> None:
    """Where no credit is sold, none is bought."""
    assert route(provider=provider).top_up is None


def test_either() -> None:
    """Venice takes an API key in place of a wallet, and then nothing is ever paid."""
    changes = dict.fromkeys(("wallet", "networks", "max_payment", "budgets"))
    keyed = route(**changes, api_key={"env": "VENICE_API_KEY"})

    assert (None, None) == (keyed.wallet, keyed.top_up)
    assert keyed.api_key is not None


@pytest.mark.parametrize(
    ("written", "ratio"),
    [(3, "3"), ("3", "3"), ("1.1", "1.1"), ("1000", "1000"), ("1.125", "1.125")],
)
def test_price_jump(written: object, ratio: str) -> None:
    """A price may jump by a whole number of times, or by a fraction that is written as text."""
    found = route(price_jump_max=written).price_jump_max

    assert (Decimal(ratio), ratio) == (found, str(found))


def test_no_price_jump() -> None:
    """Without a word about it any price up to max_payment is paid."""
    assert route().price_jump_max is None


def test_solana() -> None:
    """A Solana wallet pays on Solana, and a payee there is pinned in its own spelling."""
    found = route(wallet="sol", networks=[SOLANA], pay_to=[PAYEE])

    assert ("sol", frozenset({SOLANA}), frozenset({PAYEE})) == (
        found.wallet,
        found.networks,
        found.pay_to,
    )


def test_prices() -> None:
    """A model's prices are exact."""
    found = route(provider="libertai", prices={"gemma": {"input": "0.15", "output": "0.60"}})

    assert {"gemma": Price(Decimal("0.15"), Decimal("0.60"))} == dict(found.prices)


def test_options() -> None:
    """A plain seller may be told not to sign in, and x402layer to ask for credits by query."""
    assert route(provider="pay_per_request").sign_in
    assert not route(provider="pay_per_request", sign_in=False).sign_in
    assert not route(provider="x402layer").use_credits
    assert route(provider="x402layer", use_credits=True).use_credits


USDC_FIX = 'write it like "5.00 USDC"'
PRICE_FIX = 'write US dollars for a million tokens, like "0.60"'
KINDS = "name networks of one kind, and a wallet of that kind"
MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"top_up": {"amount": "20 USDC"}},
        "routes.r.top_up: the amount is 20.00 USDC, and the route pays at most 10.00 USDC "
        "at a time; raise max_payment, or buy less",
    ),
    (
        {"top_up": {"amount": "0 USDC"}},
        'routes.r.top_up.amount: no credit is that small; write it like "10.00 USDC"',
    ),
    (
        {"top_up": {"amount": 10}},
        f"routes.r.top_up.amount: an amount has its unit, and 10 has none; {USDC_FIX}",
    ),
    (
        {"top_up": {"max_per_hour": 0}},
        "routes.r.top_up.max_per_hour: out of range: 0; use a whole number from 1 to 60",
    ),
    (
        {"top_up": {"wait_s": 0}},
        "routes.r.top_up.wait_s: out of range: 0; use a number of seconds from 1 to 600",
    ),
    ({"top_up": {"high": 1}}, "routes.r.top_up.high: unknown key; use one of: "),
    (
        {"provider": "x402layer", "top_up": {"amount": "1 USDC"}},
        "routes.r.top_up.amount: x402layer sells packages of its own; remove it",
    ),
    (
        {"provider": "x402layer", "top_up": {"low_water": "1 USDC"}},
        "routes.r.top_up.low_water: x402layer sells packages of its own; remove it",
    ),
    (
        {"provider": "libertai", "top_up": {}},
        "routes.r.top_up: libertai sells no credit; remove it",
    ),
    (
        {"api_key": {"env": "K"}},
        "routes.r.wallet: a route with an API key never pays; remove it",
    ),
    (
        {"api_key": {"env": "K"}, "top_up": {}},
        "routes.r.top_up: this route never pays; remove it",
    ),
    (
        {"provider": "nodit", "api_key": {"env": "K"}},
        "routes.r.api_key: nodit takes no API key; remove it",
    ),
    (
        {"networks": ["eip155:8453", "eip155:137"]},
        "routes.r.networks: venice is paid on one network; name one",
    ),
    (
        {"networks": [SOLANA]},
        f"routes.r.networks: {SOLANA} is no network of a wallet of kind evm; {KINDS}",
    ),
    (
        {"wallet": "sol"},
        f"routes.r.networks: eip155:8453 is no network of a wallet of kind solana; {KINDS}",
    ),
    (
        {"prices": {"m": {"input": "1", "output": "1"}}},
        "routes.r.prices: venice says itself what a request cost, or needs no prices; remove it",
    ),
    (
        {"provider": "libertai", "prices": {"m": {"input": "1"}}},
        f"routes.r.prices.m.output: missing; {PRICE_FIX}",
    ),
    *(
        (
            {"provider": "libertai", "prices": {"m": {"input": price, "output": "1"}}},
            f"routes.r.prices.m.input: not a price: {price!r}; {PRICE_FIX}",
        )
        for price in ("-1", "NaN", "Infinity", "cheap", "1000001")
    ),
    (
        {"sign_in": False},
        "routes.r.sign_in: only provider: pay_per_request is asked to sign in; remove it",
    ),
    (
        {"use_credits": True},
        "routes.r.use_credits: only provider: x402layer has endpoints with credits; remove it",
    ),
    (
        {"pay_to": ["0" * 40]},
        f"routes.r.pay_to[0]: not an address: '{'0' * 40}'; "
        'write it like "0x…", 40 hex digits, or a Solana address',
    ),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_one_mistake(changes: dict[str, Any], message: str) -> None:
    """A wrong route is refused with its path, what is wrong, and the fix."""
    found = mistakes_in(written(changes))

    assert any(line.startswith(message) for line in found), found


def test_approval() -> None:
    """A person approves above an amount; the webhook's URL may hold a secret in its query."""
    whole = {"above": "5 USDC", "wait_s": 300, "webhook": "https://chat.example/hook?key=1"}
    url = "https://chat.example/hook?key=1"

    assert ApprovalConfig(Usdc(5_000_000), 300, url) == route(approval=whole).approval
    assert ApprovalConfig(Usdc(0), 120, "") == route(approval={"above": "0 USDC"}).approval
    assert route().approval is None


@pytest.mark.parametrize(
    ("approval", "mistake"),
    [
        ({}, 'routes.r.approval.above: missing; write an amount, like "5.00 USDC"'),
        ({"above": 5}, "routes.r.approval.above: an amount has its unit, and 5 has none"),
        ({"above": "1 USDC", "wait_s": 601}, "routes.r.approval.wait_s: out of range: 601"),
        (
            {"above": "1 USDC", "webhook": "http://chat.example"},
            "routes.r.approval.webhook: http://",
        ),
        ({"above": "1 USDC", "by": "me"}, "routes.r.approval.by: unknown key"),
    ],
    ids=["missing", "no unit", "too long", "http", "unknown"],
)
def test_wrong_approval(approval: dict[str, Any], mistake: str) -> None:
    """What is wrong about an approval is named with its place."""
    (found,) = mistakes_in(written({"approval": approval}))

    assert mistake in found


def test_shadow() -> None:
    """Shadow mode has books of its own, beside those of live payments."""
    live, shadow = parsed(written({})), parsed(f"mode: shadow\n{written({})}")

    assert ("live", "shadow") == (live.mode, shadow.mode)
    assert isinstance(live.ledger, SqliteFile)
    assert SqliteFile(Path(f"{live.ledger.path}.shadow")) == shadow.ledger
