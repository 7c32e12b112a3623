"""What `sidecar init` writes, and what it makes of answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sidecar.chains import NETWORK_NAMES
from sidecar.cli.interview import Interview, Question
from sidecar.cli.starter import PUBLIC_RPC, STARTERS, Answers, config_text
from sidecar.config.model import SecretRef
from sidecar.config.read import parse_config
from sidecar.config.routes import PROVIDERS
from sidecar.errors import ConfigError
from sidecar.money import Usdc

CASES = [
    (name, network) for name, starter in STARTERS.items() for network in starter.networks or ("",)
]
DAY, MOST = Usdc(7_000_000), Usdc(6_000_001)


def answers(name: str, network: str, rpc: str) -> Answers:
    starter = STARTERS[name]
    upstream = starter.upstream or "https://seller.example"
    if not network:
        return Answers(starter, upstream, "the key's file.txt")
    return Answers(starter, upstream, "the key's file.txt", network, rpc, DAY, MOST)


@pytest.mark.parametrize(("name", "network"), CASES, ids=lambda part: part or "-")
def test_loads(tmp_path: Path, name: str, network: str) -> None:
    """What is written for each provider and network is read as it was meant."""
    asked = answers(name, network, PUBLIC_RPC.get(network, ""))
    text = config_text(asked, "/a/schema.json")
    config = parse_config(text, {"HOME": str(tmp_path)}, {}, tmp_path)
    (route,) = config.routes.values()

    assert (asked.starter.provider, asked.upstream, True) == (
        route.provider,
        route.upstream,
        route.default,
    )
    assert "# yaml-language-server: $schema=/a/schema.json" == text.splitlines()[0]
    if not network:
        assert ({}, None) == (config.wallets, route.wallet)
        assert route.api_key is not None
        assert str(tmp_path / "the key's file.txt") == route.api_key.where
        return
    assert ({network}, MOST, ["day"]) == (
        set(route.networks),
        route.max_payment,
        [budget.name for budget in route.budgets],
    )
    assert [("day", DAY, "1d")] == [
        (budget.name, budget.limit, budget.window.value) for budget in config.budgets.values()
    ]
    assert [(asked.kind, str(tmp_path / "the key's file.txt"))] == [
        (wallet.kind, wallet.key.where)
        for wallet in config.wallets.values()
        if isinstance(wallet.key, SecretRef)
    ]
    assert ([asked.rpc] if asked.rpc else []) == [chain.rpc[0] for chain in config.chains.values()]


def test_every_provider() -> None:
    """There is something to begin with for every provider, and for every network."""
    assert set(PROVIDERS) == {starter.provider for starter in STARTERS.values()}
    assert set(NETWORK_NAMES) == set(STARTERS["pay_per_request"].networks)


def test_credit_fits() -> None:
    """Credit is bought for as much as one payment may be."""
    tree = yaml.safe_load(config_text(answers("venice", "eip155:8453", ""), "s"))

    assert {"amount": "6.000001 USDC", "low_water": "1.20 USDC"} == (
        tree["routes"]["venice"]["top_up"]
    )


def test_play_money_has_books_of_its_own(tmp_path: Path) -> None:
    """What is paid to the sandbox is in no ledger that real money is in."""
    text = config_text(answers("sandbox", "eip155:84532", ""), "s")

    config = parse_config(text, {"HOME": "/home/ann"}, {}, tmp_path)
    assert tmp_path / "sidecar-sandbox" == config.state_dir


@pytest.mark.parametrize(
    ("takes_usual", "given", "usual", "expected"),
    [
        (True, None, "7", 7),
        (True, "8", "7", 8),
        (False, "8", "7", 8),
        (False, None, "7", "--size: missing, and nobody is asked here; give it, or --yes"),
        (False, None, "", "--size: missing, and nobody is asked here; give it"),
        (True, None, "", "--size: missing, and nobody is asked here; give it"),
        (True, "x", "7", "--size: invalid literal for int() with base 10: 'x'"),
    ],
    ids=["usual", "flag wins", "flag", "no terminal", "nothing usual", "yes to nothing", "wrong"],
)
def test_answers(takes_usual: bool, given: str | None, usual: str, expected: int | str) -> None:
    """Off a terminal an answer is the flag's, or with --yes what is usual; else it is missing."""
    interview = Interview(takes_usual, on_terminal=False)
    found: int | str
    try:
        found = interview.ask(Question("size", "Size", usual), given, int)
    except ConfigError as fault:
        found = str(fault)

    assert expected == found
