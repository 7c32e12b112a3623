"""``sidecar check``: what a config means, or every mistake in it.

Nothing is made, and nobody but signers is asked: the secrets are opened, and the wallets'
addresses shown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from typing import Any

from sidecar.cli.config_file import find_config, read_config
from sidecar.cli.keys import wallet_addresses
from sidecar.cli.screen import write_json, write_table
from sidecar.config.model import Config, SecretRef
from sidecar.config.secrets import open_secret
from sidecar.errors import ConfigError


def check(args: argparse.Namespace) -> int:
    """0, or a ConfigError with every mistake; with ``--json`` stdout has the mistakes as well."""
    try:
        path = find_config(args)
        config = read_config(args)
        addresses = _open_everything(config)
    except ConfigError as fault:
        if args.json:
            write_json({"valid": False, "mistakes": list(fault.mistakes)})
        raise
    summary = {"valid": True, "config": str(path), **_summary(config, addresses)}
    if args.json:
        write_json(summary)
    else:
        _show(summary)
    return 0


def _open_everything(config: Config) -> Mapping[str, str]:
    """The wallets' addresses; a ConfigError for all secrets that cannot be had."""
    mistakes: list[str] = []
    addresses: Mapping[str, str] = {}
    try:
        addresses = wallet_addresses(config, os.environ)
    except ConfigError as fault:
        mistakes += fault.mistakes
    for ref in _other_secrets(config):
        try:
            open_secret(ref, os.environ)
        except ConfigError as fault:
            mistakes += fault.mistakes
    if mistakes:
        raise ConfigError(*mistakes)
    return addresses


def _other_secrets(config: Config) -> Iterable[SecretRef]:
    yield from (caller.token for caller in config.callers.values() if caller.token is not None)
    yield from (route.api_key for route in config.routes.values() if route.api_key is not None)


def _summary(config: Config, addresses: Mapping[str, str]) -> dict[str, Any]:
    return {
        "listen": str(config.listen),
        "admin": str(config.admin),
        "auth": config.auth,
        "state_dir": str(config.state_dir),
        "ledger": str(config.ledger_path),
        "wallets": [
            {"name": wallet.name, "kind": wallet.kind, "address": addresses[wallet.name]}
            for wallet in config.wallets.values()
        ],
        "chains": [
            {"network": chain.network, "rpc_urls": len(chain.rpc), "finality": chain.finality}
            for chain in config.chains.values()
        ],
        "budgets": [
            {"name": budget.name, "limit": str(budget.limit), "window": budget.window.value}
            for budget in config.budgets.values()
        ],
        "callers": [
            {"name": caller.name, "budgets": [budget.name for budget in caller.budgets]}
            | ({} if caller.uid is None else {"uid": caller.uid})
            for caller in config.callers.values()
        ],
        "routes": [
            {
                "name": route.name,
                "default": route.default,
                "provider": route.provider,
                "upstream": route.upstream,
                "wallet": route.wallet,
                "networks": sorted(route.networks),
                "max_payment": None if route.max_payment is None else str(route.max_payment),
                "budgets": [budget.name for budget in route.budgets],
                "pay_to": sorted(route.pay_to),
            }
            for route in config.routes.values()
        ],
        "notes": list(_notes(config)),
    }


def _notes(config: Config) -> Iterable[str]:
    """What is right as it is, and good to know."""
    if config.auth == "none":
        yield "auth is none: whoever reaches the listen port can spend"
    if not any(route.default for route in config.routes.values()):
        yield "no route is the default: apps have to use /NAME/... paths"
    paid = {network for route in config.routes.values() for network in route.networks}
    for network in sorted(paid - set(config.chains)):
        yield (
            f"no RPC endpoint for {network}: a payment in doubt there stays counted until its "
            "budget's window ends"
        )


def _show(summary: Mapping[str, Any]) -> None:
    for key, value in summary.items():
        if isinstance(value, str):
            print(f"{key:10}{value}")
    for key in ("wallets", "chains", "budgets", "callers", "routes"):
        if summary[key]:
            print(f"\n{key}")
            header = list(summary[key][0])
            write_table(header, [list(row.values()) for row in summary[key]])
    if summary["notes"]:
        print()
    for note in summary["notes"]:
        print(f"note: {note}")
