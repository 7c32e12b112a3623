"""The config as values: frozen, complete, and valid once they exist.

    Config -- wallets, chains, budgets, callers, routes, limits, recovery, log

Nothing here has been opened: a secret is a ``SecretRef`` that says where it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from sidecar.config.addresses import ADMIN, LISTEN, Address, SocketPath
from sidecar.ledger.model import Breaker, Budget
from sidecar.money import Usdc
from sidecar.providers.cost import Price
from sidecar.values import dataclass
from sidecar.wallets import WalletKind

if TYPE_CHECKING:
    from sidecar.ledger.slices import LeaseTerms

KIB = 1024
MIB = 1024 * KIB


class Secret:
    """A text that nothing prints by accident; opened at the call that uses it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class SecretKind(StrEnum):
    """Where a secret may be kept."""

    FILE = "file"
    ENV = "env"
    KEYSTORE = "keystore"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept; ``secrets.open_secret`` goes and gets it.

    ``where`` is a path (file, keystore) or a variable's name (env). Only a keystore has a
    ``password``, which is itself kept in a file or a variable. ``path`` is the key in the
    config that says so, and ``line`` where it stands, for messages.
    """

    kind: SecretKind
    where: str
    password: SecretRef | None = None
    path: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if (self.kind is SecretKind.KEYSTORE) != (self.password is not None):
            raise ValueError("a keystore has a password, and nothing else has one")


@dataclass(frozen=True, slots=True)
class SignerRef:
    """The socket of a signer that keeps a key, and gives it to nobody; the rest as above."""

    socket: Path
    path: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


Nonces: TypeAlias = Literal["random", "derived"]
Finality: TypeAlias = Literal["finalized", "safe"]


@dataclass(frozen=True, slots=True)
class WalletConfig:
    """A key that can pay, and where it is kept, or who keeps it.

    ``nonces``: derived ones are of their purchase, the same wherever the key is (EVM only).
    """

    name: str
    kind: WalletKind
    key: SecretRef | SignerRef
    nonces: Nonces = "random"


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """Where to ask about a network: one URL, or several that must agree."""

    network: str  # CAIP-2
    rpc: tuple[str, ...]
    finality: Finality = "finalized"
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class CallerConfig:
    """A local app: known by its own token, or by its ``uid`` on a Unix socket."""

    name: str
    token: SecretRef | None
    budgets: tuple[Budget, ...] = ()  # its own, beside the route's
    uid: int | None = None

    def __post_init__(self) -> None:
        if (self.token is None) == (self.uid is None):
            raise ValueError("a caller is known by a token or by a uid")


@dataclass(frozen=True, slots=True)
class TopUpConfig:
    """How much credit a prepaid route buys, how often, and how long a request waits for it.

    ``amount`` is None where the vendor sells packages of its own choice. Below ``low_water``, in
    US dollars, credit is bought before anybody is refused; None: only once somebody is.
    """

    amount: Usdc | None
    low_water: Usdc | None = None
    max_per_hour: int = 2
    wait_s: float = 60


@dataclass(frozen=True, slots=True)
class ApprovalConfig:
    """Over which amount a person has to approve, and how long a request is held for it.

    ``webhook``: the URL that is told, and whose answer may decide; "" for none.
    """

    above: Usdc
    wait_s: float = 120
    webhook: str = ""


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """A path prefix, the upstream behind it, and what may be paid there.

    A route that can pay has a wallet, networks, a ``max_payment`` and at least one budget; one
    with ``wallet`` None pays nothing.
    """

    name: str
    provider: str
    upstream: str  # without a trailing slash: the app's path is appended
    wallet: str | None = None
    default: bool = False
    networks: frozenset[str] = frozenset()
    max_payment: Usdc | None = None
    budgets: tuple[Budget, ...] = ()
    pay_to: frozenset[str] = frozenset()  # lower case; empty: whoever is paid first
    price_jump_max: Decimal | None = None  # times the usual price; None: any up to max_payment
    api_key: SecretRef | None = None
    api_key_header: Literal["authorization", "x-api-key"] = "authorization"  # as a bearer token
    top_up: TopUpConfig | None = None
    approval: ApprovalConfig | None = None
    prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    sign_in: bool = True  # answer a seller's sign-in-with-x challenge before paying
    use_credits: bool = False  # ask x402layer for credits in the query, too
    insecure: bool = False
    response_wait_s: float = 600
    connect_wait_s: float = 10
    validity_s: int = 120
    breaker: Breaker = field(
        default_factory=lambda: Breaker(undelivered_max=5, window=timedelta(hours=1))
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one app, one request or one connection may take."""

    replay_bytes_max: int = 16 * MIB
    replay_memory_max: int = 256 * MIB
    header_bytes_max: int = 64 * KIB
    connections_max: int = 2048
    caller_requests_max: int = 1024
    header_wait_s: float = 20
    body_idle_s: float = 60
    keepalive_s: float = 75
    drain_wait_s: float = 30
    fast_lane: bool = True  # ordinary requests pass without a task or a parser


@dataclass(frozen=True, slots=True)
class RecoveryConfig:
    """How often what is in doubt is looked at, and how long an undelivered payment binds.

    ``reconcile_interval_s``: how often the ledger is compared with what left the wallets.
    """

    interval_s: float = 15
    undelivered_ttl_s: float = 600
    reconcile_interval_s: float = 3600


@dataclass(frozen=True, slots=True)
class BalancesConfig:
    """How often balances are read: the vendors' and the wallets'."""

    interval_s: float = 60


LogFormat: TypeAlias = Literal["auto", "json", "console"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class LogConfig:
    """``auto`` is console on a terminal and JSON elsewhere."""

    format: LogFormat = "auto"
    level: LogLevel = "info"


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A ledger in a file of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A ledger in a Postgres database, which the sidecars of many machines share.

    ``url`` is where its URL is kept, which may hold a password; ``schema``: where in the database
    the tables are. ``migrate``: whoever serves makes them, or brings them up to date. ``leases``:
    what each machine takes of a budget, to spend by itself; None: every payment asks the database.
    """

    url: SecretRef
    schema: str = "sidecar"
    lease_s: float = 15  # how long one who is not heard of counts as living
    connections_max: int = 8
    migrate: bool = True
    leases: LeaseTerms | None = None


Mode: TypeAlias = Literal["live", "shadow"]
EventLoop: TypeAlias = Literal["uvloop", "asyncio"]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the service is told. Names are the keys of the mappings."""

    state_dir: Path
    ledger: SqliteFile | PostgresUrl
    routes: Mapping[str, RouteConfig]
    listen: Address | SocketPath = LISTEN
    admin: Address = ADMIN
    hosts: tuple[str, ...] = ()  # Host values allowed beside those of ``listen``; see Gate.hosts
    auth: Literal["token", "none"] = "token"
    mode: Mode = "live"
    wallets: Mapping[str, WalletConfig] = field(default_factory=lambda: MappingProxyType({}))
    chains: Mapping[str, ChainConfig] = field(default_factory=lambda: MappingProxyType({}))
    budgets: Mapping[str, Budget] = field(default_factory=lambda: MappingProxyType({}))
    callers: Mapping[str, CallerConfig] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = Limits()
    recovery: RecoveryConfig = RecoveryConfig()
    balances: BalancesConfig = BalancesConfig()
    log: LogConfig = LogConfig()
    event_loop: EventLoop = "uvloop"
    workers: int = 1  # processes that serve; with more than one, another keeps them

    @property
    def blind_networks(self) -> tuple[str, ...]:
        """The networks that routes pay on and that nobody can be asked about, in order."""
        paid = {network for route in self.routes.values() for network in route.networks}
        return tuple(sorted(paid - self.chains.keys()))
