"""Where a row of the reference stands in a real config."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from sidecar.config.reference import KEYS
from sidecar.config.reference.key import Key
from sidecar.config.reference.routes import KINDS
from tests.unit.config.configs import GONE
from tests.unit.config.schemas import CONFIG

Steps = tuple[str | int, ...]

ROUTE_KINDS = tuple(KINDS)
_EXAMPLE = yaml.safe_load((CONFIG / "sidecar.example.yaml").read_text())
# Where a secret, and a wallet's key, is kept in it.
_KEPT: dict[str, Steps] = {
    "secret": ("callers", 0, "token"),
    "key": ("wallets", "main", "key"),
}
_KEYED_VENICE = {
    "provider": "venice",
    "upstream": "https://api.venice.ai/api",
    "api_key": {"env": "VENICE_KEY"},
    "api_key_header": "authorization",
}


def base_config(kind: str) -> dict[str, Any]:
    """The example with one route, of this kind, and every section that it may have."""
    tree: dict[str, Any] = json.loads(_base_text(kind))
    return tree


@cache
def _base_text(kind: str) -> str:
    tree: dict[str, Any] = copy.deepcopy(_EXAMPLE)
    tree["wallets"] = {"main": tree["wallets"]["main"], "sol": tree["wallets"]["sol"]}
    tree["hosts"] = ["sidecar:8402"]
    named = {each["provider"]: each for each in tree["routes"].values()}
    route = named.get(kind) or copy.deepcopy(_KEYED_VENICE)
    tree["routes"] = {"r": route}
    for key in KEYS:
        holds = any(each.parent == key.path for each in KEYS)
        if holds and kind in key.routes and key.parent == "routes.*":
            route.setdefault(key.name, copy.deepcopy(_FILLED.get(key.name, {})))
    return json.dumps(tree)


_FILLED: dict[str, Any] = {
    "pay_to": ["0x0000000000000000000000000000000000000001"],
    "approval": {"above": "0.01 USDC"},
    "prices": {"m": {"input": "0.15", "output": "0.60"}},
}


def places_of(key: Key, tree: dict[str, Any]) -> list[Steps]:
    """Where this key is, or would be, in the config; nowhere on a route without its section."""
    root, _, rest = key.path.partition(".")
    if root in _KEPT:
        return [(*_KEPT[root], *(part for part in rest.split(".") if part))]
    return list(_places(key.path.replace("[]", ".[]").split("."), tree))


def _places(parts: list[str], node: Any) -> Iterator[Steps]:
    first, *rest = parts
    if first == "*":
        names: list[str | int] = list(node) if isinstance(node, dict) else []
    elif first == "[]":
        names = [0] if isinstance(node, list) and node else []
    else:
        names = [first] if isinstance(node, dict) else []
    for name in names:
        if not rest:
            yield (name,)
            continue
        inside = node[name] if isinstance(name, int) else node.get(name, GONE)
        if inside is not GONE:
            yield from ((name, *more) for more in _places(rest, inside))


def put(tree: dict[str, Any], steps: Steps, value: Any) -> dict[str, Any]:
    """The tree with this value at that place; ``GONE`` takes away what is there."""
    place: Any = tree
    for step in steps[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is not GONE:
        place[steps[-1]] = value
    elif isinstance(place, dict):
        place.pop(steps[-1], None)
    else:
        del place[steps[-1]]
    return tree


def ready_for(key: Key, tree: dict[str, Any]) -> dict[str, Any]:
    """The config with nothing else in the one place that this row's secret is kept in."""
    root = key.path.partition(".")[0]
    if root in _KEPT:
        put(tree, _KEPT[root], {})
    if key.path.startswith("key.keystore"):
        keystore = {"file": "k.json", "password": {"env": "PASSWORD"}}
        put(tree, (*_KEPT[root], "keystore"), keystore)
    if key.path.startswith("ledger.postgres"):
        place: dict[str, Any] = {} if key.name in {"env", "file"} else {"env": "SIDECAR_LEDGER_URL"}
        if key.path.startswith("ledger.postgres.leases."):
            place["leases"] = {}
        put(tree, ("ledger",), {"postgres": place})
    return tree


def is_on(key: Key, kind: str) -> bool:
    """Whether the config of this kind of route has a place for the row."""
    means = not key.routes or kind in key.routes
    return means and places_of(key, ready_for(key, base_config(kind))) != []
