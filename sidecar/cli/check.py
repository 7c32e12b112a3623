"""``sidecar check``: what a config means, or every mistake in it.

Nothing is made, and nobody but signers is asked: the secrets are opened, and the wallets'
addresses shown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from typing import Any

from sidecar.cli.config_file import examine, find_config
from sidecar.cli.keys import wallet_address
from sidecar.cli.screen import write_json, write_table
from sidecar.config.mistakes import Mistakes
from sidecar.config.model import Config, Secret, SecretRef, SignerRef, SqliteFile
from sidecar.config.secrets import open_secret, open_server
from sidecar.config.variables import strange_variables
from sidecar.errors import ConfigError
from sidecar.values import dataclass

PRIVATELY = "add sslmode=verify-full to its URL"


def check(args: argparse.Namespace) -> int:
    """0, or a ConfigError with every mistake; with ``--json`` stdout has the mistakes as well."""
    try:
        path = find_config(args)
        config, mistakes = examine(args)
        opened = None if config is None else _open_everything(config, mistakes)
        if mistakes or config is None or opened is None:
            raise ConfigError(*mistakes.lines())
    except ConfigError as fault:
        if args.json:
            write_json({"valid": False, "mistakes": list(fault.mistakes)})
        raise
    summary = {"valid": True, "config": str(path), **_summary(config, opened)}
    if args.json:
        write_json(summary)
    else:
        _show(summary)
    return 0


@dataclass(frozen=True, slots=True)
class _Opened:
    """The wallets' addresses, where the ledger is, and what to know of the way there."""

    addresses: Mapping[str, str]
    ledger: str
    notes: tuple[str, ...]


def _open_everything(config: Config, mistakes: Mistakes) -> _Opened:
    """What is shown of the secrets; a mistake for each that cannot be had."""
    addresses: dict[str, str] = {}
    for wallet in config.wallets.values():
        try:
            addresses[wallet.name] = wallet_address(wallet, os.environ)
        except ConfigError as fault:
            _include(mistakes, fault, wallet.key)
    tokens: dict[Secret, str] = {}
    for caller in config.callers.values():
        if caller.token is None:
            continue
        token = _opened(caller.token, mistakes)
        if token is not None and tokens.setdefault(token, caller.name) != caller.name:
            what = f"caller {tokens[token]} has the same one"
            mistakes.add(caller.token.path, what, "give each its own", caller.token.line)
    for route in config.routes.values():
        if route.api_key is not None:
            _opened(route.api_key, mistakes)
    return _Opened(addresses, *_ledger(config, mistakes))


def _ledger(config: Config, mistakes: Mistakes) -> tuple[str, tuple[str, ...]]:
    if isinstance(config.ledger, SqliteFile):
        return str(config.ledger.path), ()
    try:
        server = open_server(config.ledger, os.environ)
    except ConfigError as fault:
        _include(mistakes, fault, config.ledger.url)
        return "", ()
    note = f"who stands on the way to {server.place} may read what the ledger is told; {PRIVATELY}"
    return server.place, () if server.is_private else (note,)


def _opened(ref: SecretRef, mistakes: Mistakes) -> Secret | None:
    try:
        return open_secret(ref, os.environ)
    except ConfigError as fault:
        _include(mistakes, fault, ref)
        return None


def _include(mistakes: Mistakes, fault: ConfigError, ref: SecretRef | SignerRef) -> None:
    for mistake in fault.mistakes:
        mistakes.include(mistake, ref.line)


def _summary(config: Config, opened: _Opened) -> dict[str, Any]:
    return {
        "listen": str(config.listen),
        "admin": str(config.admin),
        "auth": config.auth,
        "state_dir": str(config.state_dir),
        "ledger": opened.ledger,
        "wallets": [
            {"name": wallet.name, "kind": wallet.kind, "address": opened.addresses[wallet.name]}
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
        "notes": [*notes(config), *opened.notes],
    }


def notes(config: Config) -> Iterable[str]:
    """What is right as it is, and good to know."""
    yield from strange_variables(os.environ, config)
    if config.auth == "none":
        yield "auth is none: whoever reaches the listen port can spend"
    if not any(route.default for route in config.routes.values()):
        yield "no route is the default: apps have to use /NAME/... paths"
    for network in config.blind_networks:
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
