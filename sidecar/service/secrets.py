"""Every key and token that the config names, opened once, before any port is opened."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from sidecar.clock import Entropy
from sidecar.config.model import Config, Secret
from sidecar.config.secrets import ensure_token, open_secret
from sidecar.errors import ConfigError, WalletError
from sidecar.proxy.admission import Caller
from sidecar.wallets.evm import EvmWallet, parse_private_key

DEFAULT_CALLER = "default"
CALLER_TOKEN_FILE = "caller.token"  # noqa: S105 - the name of a file, not what is in it


@dataclass(frozen=True, slots=True)
class Opened:
    """What was behind the config's references. ``all`` is for the log's redaction."""

    wallets: Mapping[str, EvmWallet]
    api_keys: Mapping[str, Secret]  # by route
    tokens: Mapping[str, Caller] | None  # None: the config turned tokens off
    all: tuple[str, ...]


def open_all(config: Config, environ: MutableMapping[str, str], entropy: Entropy) -> Opened:
    """Open everything. ConfigError with one line for each secret that cannot be had."""
    mistakes: list[str] = []
    known: list[str] = []
    wallets: dict[str, EvmWallet] = {}
    for wallet in config.wallets.values():
        try:
            text = open_secret(wallet.key, environ).reveal()
            known.append(text.removeprefix("0x"))
            wallets[wallet.name] = EvmWallet(parse_private_key(text))
        except ConfigError as fault:
            mistakes += fault.mistakes
        except WalletError as fault:
            mistakes.append(f"wallets.{wallet.name}.key: {fault.diagnostics()}")
    api_keys: dict[str, Secret] = {}
    for route in config.routes.values():
        if route.api_key is None:
            continue
        try:
            api_keys[route.name] = open_secret(route.api_key, environ)
            known.append(api_keys[route.name].reveal())
        except ConfigError as fault:
            mistakes += fault.mistakes
    tokens: dict[str, Caller] = {}
    for caller in config.callers.values():
        try:
            token = open_secret(caller.token, environ).reveal()
        except ConfigError as fault:
            mistakes += fault.mistakes
            continue
        if token in tokens:
            mistakes.append(f"callers.{caller.name}.token: another caller has the same token")
        tokens[token] = Caller(caller.name, caller.budgets)
        known.append(token)
    if mistakes:
        raise ConfigError(*mistakes)
    if config.auth == "none":
        return Opened(wallets, api_keys, None, tuple(known))
    if not tokens:
        made, _ = ensure_token(config.state_dir / CALLER_TOKEN_FILE, entropy)
        tokens[made.reveal()] = Caller(DEFAULT_CALLER)
        known.append(made.reveal())
    return Opened(wallets, api_keys, tokens, tuple(known))
