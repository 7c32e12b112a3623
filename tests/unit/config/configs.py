"""A config to be wrong in one place at a time."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError

FOLDER = Path("/etc/sidecar")
ENVIRON = {"HOME": "/home/ann"}
PAYEE = "0xAbCdEf0123456789aBcDeF0123456789abcdef01"
GONE = object()

SELLER: dict[str, Any] = {
    "provider": "pay_per_request",
    "upstream": "https://api.example.com",
    "wallet": "main",
    "networks": ["eip155:8453"],
    "max_payment": "0.05 USDC",
    "budgets": ["day"],
}
KEYED: dict[str, Any] = {
    "provider": "api_key",
    "upstream": "https://api.openai.com",
    "api_key": {"env": "OPENAI_API_KEY"},
}
BASE: dict[str, Any] = {
    "version": 1,
    "wallets": {"main": {"kind": "evm", "key": {"file": "evm.key"}}},
    "chains": {"eip155:8453": {"rpc": ["https://rpc.example.com"]}},
    "budgets": [{"name": "day", "limit": "5.00 USDC", "window": "1d"}],
    "callers": [{"name": "aider", "token": {"file": "aider.token"}, "budgets": ["day"]}],
    "routes": {"seller": SELLER, "keyed": KEYED},
}


def changed(*steps: str | int, to: object) -> str:
    """The base config as YAML, with another value at one place; ``GONE`` removes it."""
    tree = copy.deepcopy(BASE)
    place: Any = tree
    for step in steps[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if to is GONE:
        del place[steps[-1]]
    elif isinstance(place, list) and steps[-1] == len(place):
        place.append(to)
    else:
        place[steps[-1]] = to
    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text


def parsed(
    text: str, environ: dict[str, str] | None = None, overrides: dict[str, str] | None = None
) -> Config:
    """The config in this text."""
    return parse_config(text, ENVIRON | (environ or {}), overrides or {}, FOLDER)


def mistakes_in(
    text: str, environ: dict[str, str] | None = None, overrides: dict[str, str] | None = None
) -> tuple[str, ...]:
    """The mistakes in this text, without the line numbers; fails when there are none."""
    with pytest.raises(ConfigError) as caught:
        parsed(text, environ, overrides)
    return tuple(re.sub(r" \(line [0-9]+\)$", "", line) for line in caught.value.mistakes)
