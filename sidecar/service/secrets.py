"""Every key and token that the config names, opened once, before any port is opened."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from sidecar.clock import Entropy
from sidecar.config.model import Config, Secret
from sidecar.config.secrets import (
    ADMIN_TOKEN_FILE,
    CALLER_TOKEN_FILE,
    ensure_token,
    forget_variables,
    open_secret,
)
from sidecar.errors import ConfigError, WalletError
from sidecar.proxy.admission import Caller
from sidecar.wallets import PaymentSigner
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.keys import Wallet, keys_of
from sidecar.wallets.solana_layout import BARE

DEFAULT_CALLER = "default"
# Whose facilitator takes no memo (providers.md 4).
BARE_PROVIDER = "x402layer"


@dataclass(frozen=True, slots=True)
class Opened:
    """What was behind the config's references. ``all`` is for the log's redaction."""

    wallets: Mapping[str, Wallet]
    signers: Mapping[str, PaymentSigner]  # by route: its wallet, as its provider wants it
    api_keys: Mapping[str, Secret]  # by route
    # None: the config turned tokens off.
    tokens: Mapping[str, Caller] | None = field(repr=False)
    admin_token: str = field(repr=False)  # what changes the state of a running sidecar asks for it
    all: tuple[str, ...] = field(repr=False)


def open_all(config: Config, environ: MutableMapping[str, str], entropy: Entropy) -> Opened:
    """Open everything, and take what was in ``environ`` out of it.

    ConfigError with one line for each secret that cannot be had.
    """
    # What a child needs stays; what held a secret goes.
    readable = {**environ, **forget_variables(config, environ)}
    mistakes: list[str] = []
    wallets, forms = _wallets(config, readable, mistakes)
    api_keys = _api_keys(config, readable, mistakes)
    tokens = _tokens(config, readable, mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    if config.auth == "token" and not tokens:
        made, _ = ensure_token(config.state_dir / CALLER_TOKEN_FILE, entropy)
        tokens[made.reveal()] = Caller(DEFAULT_CALLER)
    admin, _ = ensure_token(config.state_dir / ADMIN_TOKEN_FILE, entropy)
    admin_token = admin.reveal()
    return Opened(
        wallets,
        _signers(config, wallets),
        api_keys,
        tokens if config.auth == "token" else None,
        admin_token,
        (*forms, *(key.reveal() for key in api_keys.values()), *tokens, admin_token),
    )


def _wallets(
    config: Config, environ: Mapping[str, str], mistakes: list[str]
) -> tuple[dict[str, Wallet], list[str]]:
    """The wallets by their names, and all that a log must not show of their keys."""
    wallets: dict[str, Wallet] = {}
    forms: list[str] = []
    rpc_urls = {network: chain.rpc[0] for network, chain in config.chains.items()}
    for wallet in config.wallets.values():
        try:
            keys = keys_of(wallet.kind)
            text = open_secret(wallet.key, environ).reveal()
            key = keys.parse_secret_key(text)
            wallets[wallet.name] = keys.make_wallet(key, rpc_urls)
            forms += (text.strip(), *keys.secret_forms(key))
        except ConfigError as fault:
            mistakes += fault.mistakes
        except WalletError as fault:
            mistakes.append(f"wallets.{wallet.name}.key: {fault.diagnostics()}")
    return wallets, forms


def _signers(config: Config, wallets: Mapping[str, Wallet]) -> dict[str, PaymentSigner]:
    signers: dict[str, PaymentSigner] = {}
    for route in config.routes.values():
        if route.wallet is None:
            continue
        wallet = wallets[route.wallet]
        signers[route.name] = wallet
        if route.provider == BARE_PROVIDER and not isinstance(wallet, EvmWallet):
            signers[route.name] = wallet.with_layout(BARE)
    return signers


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
