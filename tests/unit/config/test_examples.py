"""The configs that we ship."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sidecar.config import read, routes
from sidecar.config.model import (
    BalancesConfig,
    Limits,
    LogConfig,
    RecoveryConfig,
    TopUpConfig,
)
from sidecar.config.read import load_config

EXAMPLES = sorted((Path(__file__).parents[3] / "config").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_loads(path: Path) -> None:
    """Every config in config/ loads as it stands."""
    config = load_config(path, {"HOME": "/home/ann"}, {})

    assert [True] == [route.default for route in config.routes.values() if route.default]


def test_every_key() -> None:
    """The example names every key of the top, of routes, and of the numbers."""
    tree = yaml.safe_load((EXAMPLES[0].parent / "sidecar.example.yaml").read_text())
    routes_keys = {key for route in tree["routes"].values() for key in route}

    assert set(read.KEYS) == set(tree)
    assert set(routes.KEYS) == routes_keys
    assert set(Limits.__slots__) == set(tree["limits"])
    assert set(RecoveryConfig.__slots__) == set(tree["recovery"])
    assert set(BalancesConfig.__slots__) == set(tree["balances"])
    assert set(TopUpConfig.__slots__) == set(tree["routes"]["venice"]["top_up"])
    assert set(LogConfig.__slots__) == set(tree["log"])


def test_example_shows_defaults() -> None:
    """The numbers in the example are the defaults."""
    path = EXAMPLES[0].parent / "sidecar.example.yaml"
    config = load_config(path, {"HOME": "/home/ann"}, {})
    usual = load_config(EXAMPLES[0].parent / "openai-key.yaml", {"HOME": "/home/ann"}, {})

    assert (
        usual.listen,
        usual.admin,
        usual.hosts,
        usual.auth,
        usual.state_dir,
        usual.ledger,
        usual.limits,
        usual.recovery,
        usual.balances,
        usual.log,
        usual.routes["openai"].breaker,
        usual.routes["openai"].response_wait_s,
        usual.routes["openai"].connect_wait_s,
        usual.routes["openai"].validity_s,
    ) == (
        config.listen,
        config.admin,
        config.hosts,
        config.auth,
        config.state_dir,
        config.ledger,
        config.limits,
        config.recovery,
        config.balances,
        config.log,
        config.routes["seller"].breaker,
        config.routes["seller"].response_wait_s,
        config.routes["seller"].connect_wait_s,
        config.routes["seller"].validity_s,
    )
