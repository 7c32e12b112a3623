"""Every key and token that the config names, opened once, before any port is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sidecar.clock import Entropy, SystemClock
from sidecar.config.addresses import SocketPath
from sidecar.config.callers import UNMAPPED_UID
from sidecar.config.mistakes import on_line
from sidecar.config.model import Config, PostgresUrl, Secret, SignerRef
from sidecar.config.secrets import (
    ADMIN_TOKEN_FILE,
    CALLER_TOKEN_FILE,
    ensure_token,
    forget_variables,
    open_secret,
    open_server,
    secret_variables,
)
from sidecar.errors import ConfigError, WalletError
from sidecar.proxy.admission import Caller
from sidecar.service.nonces import nonce_secrets
from sidecar.values import dataclass
from sidecar.wallets import PaymentSigner
from sidecar.wallets.keys import Wallet, keys_of
from sidecar.wallets.nonces import NonceSecret

if TYPE_CHECKING:
    from sidecar.ledger.postgres_url import Server
    from sidecar.wallets.remote import RemoteWallet

DEFAULT_CALLER = "default"
# Whose facilitator takes no memo (providers.md 4).
BARE_PROVIDER = "x402layer"
# The shortest of their keys; what is shorter in a URL are words such as a network's name.
RPC_KEY_CHARS_MIN = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """What was behind the config's references. ``all`` is for the log's redaction."""

    wallets: Mapping[str, Wallet | RemoteWallet]
    signers: Mapping[str, PaymentSigner]  # by route: its wallet, as its provider wants it
    api_keys: Mapping[str, Secret]  # by route
    # None: the config turned tokens off.
    tokens: Mapping[str, Caller] | None = field(repr=False)
    users: Mapping[int, Caller] | None  # on a Unix socket; None on a TCP port
    admin_token: str = field(repr=False)  # what changes the state of a running sidecar asks for it
    all: tuple[str, ...] = field(repr=False)
    # For a config that is read again: what was taken out of the environment, and where the wallets
    # ask about their chains. There is one of each for the life of the process.
    taken: dict[str, str] = field(repr=False)
    rpc_urls: dict[str, str]
    ledger: Server | None = None  # where the books are; None: in a file
    nonces: Mapping[str, NonceSecret] = field(default_factory=dict)  # of those that derive theirs

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Everybody who may ask; none where nobody is asked who they are."""
        return tuple((self.users or self.tokens or {}).values())


def open_all(config: Config, environ: MutableMapping[str, str], entropy: Entropy) -> Opened:
    """Open everything, and take what was in ``environ`` out of it.

    ConfigError with one line for each secret that cannot be had.
    """
    # What a child needs stays; what held a secret goes.
    taken = forget_variables(config, environ)
    readable = {**environ, **taken}
    mistakes: list[str] = []
    rpc_urls = first_rpc_urls(config)
    wallets, forms = _wallets(config, readable, rpc_urls, mistakes)
    nonces = nonce_secrets(config, wallets, mistakes)
    api_keys = _api_keys(config, readable, mistakes)
    tokens = _tokens(config, readable, mistakes)
    ledger = _ledger(config, readable, mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    users = known_users(config, os.geteuid())
    _ensure_a_token(config, tokens, users, entropy)
    admin, _ = ensure_token(config.state_dir / ADMIN_TOKEN_FILE, entropy)
    admin_token = admin.reveal()
    return Opened(
        wallets,
        _signers(config, wallets),
        api_keys,
        tokens if config.auth == "token" else None,
        users,
        admin_token,
        (
            *forms,
            *(secret.reveal() for secret in nonces.values()),
            admin_token,
            *_shown(config, api_keys, tokens),
            *(() if ledger is None else (ledger.url, *filter(None, [ledger.password]))),
        ),
        taken,
        rpc_urls,
        ledger,
        nonces,
    )


def reopen(
    config: Config,
    before: Opened,
    environ: MutableMapping[str, str],
    entropy: Entropy,
    found: Iterable[str] = (),
) -> Opened:
    """Open what a config that was read again names; its wallets are those of ``before``.

    ConfigError with one line for each secret that cannot be had, behind what was ``found`` wrong.
    """
    # Kept even if this config is refused: the next may name them as well.
    before.taken.update(forget_variables(config, environ))
    readable = {**environ, **before.taken}
    mistakes = [*found]
    api_keys = _api_keys(config, readable, mistakes)
    tokens = _tokens(config, readable, mistakes)
    mistakes += (
        f"${name}: a running process is given no new variables; write {{file: PATH}}, or restart"
        for name in secret_variables(config)
        if name not in readable
    )
    users = known_users(config, os.geteuid())
    if users is not None and users.keys() != (before.users or {}).keys():
        mistakes.append(
            "callers: the users of a Unix socket need a restart; put them back or restart"
        )
    if mistakes:
        raise ConfigError(*mistakes)
    _ensure_a_token(config, tokens, users, entropy)
    # What was secret before is so still.
    known = dict.fromkeys((*before.all, *_shown(config, api_keys, tokens)))
    return replace(
        before,
        signers=_signers(config, before.wallets),
        api_keys=api_keys,
        tokens=tokens if config.auth == "token" else None,
        users=users,
        all=tuple(known),
    )


def first_rpc_urls(config: Config) -> dict[str, str]:
    """Where wallets ask about their chains."""
    return {network: chain.rpc[0] for network, chain in config.chains.items()}


def _ensure_a_token(
    config: Config, tokens: dict[str, Caller], users: Mapping[int, Caller] | None, entropy: Entropy
) -> None:
    if config.auth == "token" and not tokens and users is None:
        made, _ = ensure_token(config.state_dir / CALLER_TOKEN_FILE, entropy)
        tokens[made.reveal()] = Caller(DEFAULT_CALLER)


def _shown(config: Config, api_keys: Mapping[str, Secret], tokens: Iterable[str]) -> Iterator[str]:
    yield from (key.reveal() for key in api_keys.values())
    yield from tokens
    yield from _rpc_keys(config)


def _rpc_keys(config: Config) -> Iterator[str]:
    """What stands in the URLs of RPC endpoints where their vendors put keys."""
    for url in (url for chain in config.chains.values() for url in chain.rpc):
        parts = urlsplit(url)
        words = (*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)))
        yield from (word for word in words if len(word) >= RPC_KEY_CHARS_MIN)


def _wallets(
    config: Config,
    environ: Mapping[str, str],
    rpc_urls: Mapping[str, str],
    mistakes: list[str],
) -> tuple[dict[str, Wallet | RemoteWallet], list[str]]:
    """The wallets by their names, and all that a log must not show of their keys."""
    wallets: dict[str, Wallet | RemoteWallet] = {}
    forms: list[str] = []
    for wallet in config.wallets.values():
        try:
            if isinstance(wallet.key, SignerRef):
                # Not for those who have no signer, as all that follows from it.
                from sidecar.signer.line import wallet_at  # noqa: PLC0415 - see above

                socket, path = wallet.key.socket, wallet.key.path
                # A socket keeps the machine's time, whatever clock payments go by.
                remote = wallet_at(socket, path, wallet.kind, rpc_urls, SystemClock())
                wallets[wallet.name] = remote
                continue
            keys = keys_of(wallet.kind)
            text = open_secret(wallet.key, environ).reveal()
            key = keys.parse_secret_key(text)
            wallets[wallet.name] = keys.make_wallet(key, rpc_urls)
            forms += (text.strip(), *keys.secret_forms(key))
            if wallet.key.password is not None:
                forms.append(open_secret(wallet.key.password, environ).reveal())
        except ConfigError as fault:
            # A secret's own mistakes say it already.
            where = on_line(wallet.key.line) if isinstance(wallet.key, SignerRef) else ""
            mistakes += (f"{each}{where}" for each in fault.mistakes)
        except WalletError as fault:
            where = on_line(wallet.key.line)
            mistakes.append(f"wallets.{wallet.name}.key: {fault.diagnostics()}{where}")
    return wallets, forms


def _signers(
    config: Config, wallets: Mapping[str, Wallet | RemoteWallet]
) -> dict[str, PaymentSigner]:
    signers: dict[str, PaymentSigner] = {}
    for route in config.routes.values():
        if route.wallet is None:
            continue
        wallet = wallets[route.wallet]
        signers[route.name] = wallet
        if route.provider == BARE_PROVIDER:
            signers[route.name] = _bare(wallet)
    return signers


def _bare(wallet: Wallet | RemoteWallet) -> PaymentSigner:
    # Only for those who have such a route: each kind of wallet brings its libraries.
    from sidecar.wallets.evm import EvmWallet  # noqa: PLC0415 - see above
    from sidecar.wallets.solana_layout import BARE  # noqa: PLC0415 - see above

    return wallet if isinstance(wallet, EvmWallet) else wallet.with_layout(BARE)


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


def _ledger(config: Config, environ: Mapping[str, str], mistakes: list[str]) -> Server | None:
    if not isinstance(config.ledger, PostgresUrl):
        return None
    try:
        return open_server(config.ledger, environ)
    except ConfigError as fault:
        mistakes += fault.mistakes
        return None


def known_users(config: Config, own: int) -> dict[int, Caller] | None:
    """Who may use a Unix socket: the users that the config names, and without any our own."""
    if not isinstance(config.listen, SocketPath):
        return None
    users = {
        caller.uid: Caller(caller.name, caller.budgets)
        for caller in config.callers.values()
        if caller.uid is not None
    }
    if not users and own == UNMAPPED_UID:
        raise ConfigError(
            f"listen: this user's uid is {own}, which stands for every user that has no number "
            "here; run the sidecar as another user, or name the users under callers"
        )
    return users or {own: Caller(DEFAULT_CALLER)}


def _tokens(config: Config, environ: Mapping[str, str], mistakes: list[str]) -> dict[str, Caller]:
    tokens: dict[str, Caller] = {}
    for caller in config.callers.values():
        if caller.token is None:
            continue
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
