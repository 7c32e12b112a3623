"""Every key and token that the config names, opened once, before any port is opened."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from sidecar.clock import Entropy
from sidecar.config.model import Config, Secret
from sidecar.config.secrets import (
    CALLER_TOKEN_FILE,
    ensure_token,
    forget_variables,
    open_secret,
)
from sidecar.errors import ConfigError, WalletError
from sidecar.proxy.admission import Caller
from sidecar.wallets.evm import EvmWallet, parse_private_key

DEFAULT_CALLER = "default"


@dataclass(frozen=True, slots=True)
class Opened:
    """What was behind the config's references. ``all`` is for the log's redaction."""

    wallets: Mapping[str, EvmWallet]
    api_keys: Mapping[str, Secret]  # by route
    # None: the config turned tokens off.
    tokens: Mapping[str, Caller] | None = field(repr=False)
    all: tuple[str, ...] = field(repr=False)


def open_all(config: Config, environ: MutableMapping[str, str], entropy: Entropy) -> Opened:
    """Open everything, and take what was in ``environ`` out of it.

    ConfigError with one line for each secret that cannot be had.
    """
    # What a child needs stays; what held a secret goes.
    readable = {**environ, **forget_variables(config, environ)}
    mistakes: list[str] = []
    wallets = _wallets(config, readable, mistakes)
    api_keys = _api_keys(config, readable, mistakes)
    tokens = _tokens(config, readable, mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    if config.auth == "token" and not tokens:
        made, _ = ensure_token(config.state_dir / CALLER_TOKEN_FILE, entropy)
        tokens[made.reveal()] = Caller(DEFAULT_CALLER)
    known = (
        *(text for _, text in wallets.values()),
        *(key.reveal() for key in api_keys.values()),
        *tokens,
    )
    return Opened(
        {name: wallet for name, (wallet, _) in wallets.items()},
        api_keys,
        tokens if config.auth == "token" else None,
        known,
    )


def _wallets(
    config: Config, environ: Mapping[str, str], mistakes: list[str]
) -> dict[str, tuple[EvmWallet, str]]:
    wallets: dict[str, tuple[EvmWallet, str]] = {}
    for wallet in config.wallets.values():
        try:
            key = parse_private_key(open_secret(wallet.key, environ).reveal())
            wallets[wallet.name] = EvmWallet(key), key.hex()
        except ConfigError as fault:
            mistakes += fault.mistakes
        except WalletError as fault:
            mistakes.append(f"wallets.{wallet.name}.key: {fault.diagnostics()}")
    return wallets


def _api_keys(config: Config, environ: Mapping[str, str], mistakes: list[str]) -> dict[str, Secret]:
    keys: dict[str, Secret] = {}
    for route in config.routes.values():
        if route.api_key is None:
            continue
        try:
            keys[route.name] = open_secret(route.api_key, environ)
        except ConfigError as fault:
            mistakes += fault.mistakes
    return keys


def _tokens(config: Config, environ: Mapping[str, str], mistakes: list[str]) -> dict[str, Caller]:
    tokens: dict[str, Caller] = {}
    for caller in config.callers.values():
        try:
            token = open_secret(caller.token, environ).reveal()
        except ConfigError as fault:
            mistakes += fault.mistakes
            continue
        if token in tokens:
            mistakes.append(
                f"callers.{caller.name}.token: caller {tokens[token].name} has the same one; "
                "give each its own"
            )
        tokens[token] = Caller(caller.name, caller.budgets)
    return tokens
