"""Config -> the objects of the proxy and the money path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar.chains import is_evm
from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config, RouteConfig
from sidecar.http import HttpRequest, Origin, Upstream
from sidecar.ledger import Ledger
from sidecar.logs.redaction import dresses
from sidecar.payments.approvals import ApprovalRule
from sidecar.payments.balances import Source
from sidecar.payments.credentials import Credentials
from sidecar.payments.events import Emit
from sidecar.payments.order import PayingRoute, nowhere
from sidecar.payments.prover import Chain
from sidecar.payments.wallet_balances import Purse, Question, evm_question, solana_question
from sidecar.payments.webhooks import Webhook
from sidecar.policy import Policy
from sidecar.providers.base import Prepaid, Provider
from sidecar.proxy.admission import Gate
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.lane import Lane, Slots
from sidecar.proxy.pool import Pool
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.server import ServerLimits
from sidecar.service import vendors
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened
from sidecar.tasks import Supervisor
from sidecar.wallets.keys import usdc_account
from sidecar.wallets.watch_only import WatchOnlyWallet

if TYPE_CHECKING:
    from sidecar.payments.drift import Spender


class Wiring:
    """What every route is made of."""

    def __init__(
        self,
        config: Config,
        opened: Opened,
        pool: Pool,
        chain: Upstream,
        ports: Ports,
        emit: Emit,
        books: tuple[Ledger, Supervisor],
    ) -> None:
        self._config = config
        self._shadow = config.mode == "shadow"
        self._ledger, self._tasks = books
        self._opened = opened
        self._pool = pool
        self._chain = chain
        self._ports = ports
        self._emit = emit
        self._slots: dict[tuple[str, str | None], Slots] = {}

    def routes(self) -> RouteTable:
        """Every route of the config, ready to serve."""
        routes = {name: self._route(route) for name, route in self._config.routes.items()}
        default = next((name for name, route in self._config.routes.items() if route.default), None)
        return RouteTable(routes, None if default is None else routes[default])

    def _route(self, config: RouteConfig) -> Route:
        ports = self._ports
        provider = vendors.build_provider(config, self._opened, shadow=self._shadow)
        pooled = self._pool.upstream(
            provider.origins, config.connect_wait_s, config.response_wait_s
        )
        unbounded = ports.wrap_upstream(pooled)
        credentials = Credentials(
            config.name,
            vendors.signs_in(provider, shadow=self._shadow),
            unbounded,
            (ports.clock, ports.entropy, self._emit),
        )
        paying = self._paying(config, provider, unbounded)
        api_key = self._opened.api_keys.get(config.name)
        upstream = self._in_lane(config, provider, unbounded)
        # What bounds the requests, sells credit or tells of itself is for the ordinary way.
        plain = not (config.top_up or provider.traits.reads_bodies or provider.traits.reads_heads)
        direct = upstream is pooled and plain and self._config.limits.fast_lane
        return Route(
            name=config.name,
            base_url=config.upstream,
            provider=provider,
            upstream=upstream,
            credentials=credentials,
            response_wait_s=config.response_wait_s,
            budgets=config.budgets,
            paying=paying,
            prepaid=vendors.prepaid_route(config, provider, paying, credentials, unbounded),
            secrets=() if api_key is None else dresses(api_key.reveal()),
            source=Source(config.name, provider, unbounded, credentials.get),
            query="useCredits=1" if config.use_credits else "",
            wires=self._pool.wires(pooled, config.upstream) if direct else None,
        )

    def _paying(
        self, config: RouteConfig, provider: Provider, upstream: Upstream
    ) -> PayingRoute | None:
        if config.wallet is None or config.max_payment is None:
            return None
        signer = self._opened.signers[config.name]
        return PayingRoute(
            name=config.name,
            policy=Policy(
                config.max_payment,
                config.networks,
                config.pay_to,
                config.validity_s,
                vendors.schemes(config),
            ),
            signer=WatchOnlyWallet(signer.address) if self._shadow else signer,
            upstream=upstream,
            breaker=config.breaker,
            response_wait_s=config.response_wait_s,
            chain=self._chain,
            place_of=_place_of(config, provider),
            price_jump_max=config.price_jump_max,
            # Nobody is asked to approve what will not be paid.
            approval=None if self._shadow else self._approval(config),
            shadow=self._shadow,
        )

    def _approval(self, config: RouteConfig) -> ApprovalRule | None:
        approval = config.approval
        if approval is None:
            return None
        if not approval.webhook:
            return ApprovalRule(approval.above, approval.wait_s)
        origins = frozenset({Origin.of(approval.webhook)})
        pooled = self._pool.upstream(origins, config.connect_wait_s, approval.wait_s)
        ports = (self._ports.wrap_upstream(pooled), self._ports.clock, self._emit)
        webhook = Webhook(approval.webhook, approval.wait_s, self._ledger, self._tasks, ports)
        return ApprovalRule(approval.above, approval.wait_s, webhook.tell)

    def _in_lane(self, config: RouteConfig, provider: Provider, upstream: Upstream) -> Upstream:
        """Routes with one wallet at one vendor share what it allows in flight."""
        in_flight_max = provider.traits.in_flight_max
        if not in_flight_max:
            return upstream
        key = (config.upstream, config.wallet)
        slots = self._slots.setdefault(key, Slots(in_flight_max, self._ports.clock))
        return Lane(upstream, slots)


def _place_of(config: RouteConfig, provider: Provider) -> Callable[[HttpRequest], str]:
    if config.provider == "x402layer" and isinstance(provider, Prepaid):
        # Each endpoint there is a seller of its own.
        return provider.account_of
    return nowhere


def build_gate(config: Config, opened: Opened, port: int) -> Gate:
    """The rules at the door of the data port."""
    if isinstance(config.listen, SocketPath):
        # Without tokens nobody would get in by one, if there were no users.
        return Gate(frozenset(config.hosts) or None, {}, users=opened.users or {})
    return Gate(host_names(config.listen, port, config.hosts), opened.tokens)


def host_names(address: Address, port: int, extra: tuple[str, ...]) -> frozenset[str]:
    """The Host values that mean this port."""
    names = {address.host, "127.0.0.1", "localhost", "[::1]"}
    bracketed = {f"[{name}]" if ":" in name and name[0] != "[" else name for name in names}
    return frozenset({f"{name}:{port}".lower() for name in bracketed} | set(extra))


def build_chains(config: Config) -> dict[str, Chain]:
    """How to ask each network that the config has endpoints for."""
    return {name: Chain(name, chain.rpc, chain.finality) for name, chain in config.chains.items()}


def purses(config: Config, opened: Opened) -> tuple[Purse, ...]:
    """Every wallet on every network that a route pays on and that can be asked."""
    found = {
        (route.wallet, network)
        for route in config.routes.values()
        for network in route.networks
        if route.wallet is not None and network in config.chains
    }
    return tuple(
        Purse(name, usdc_account(opened.wallets[name], network), network)
        for name, network in sorted(found)
    )


def spenders(config: Config, opened: Opened) -> tuple[Spender, ...]:
    """The same wallets, as their outflows are asked for."""
    found = purses(config, opened)
    if not found:
        return ()
    # Not for those who have no chain to ask.
    from sidecar.payments.drift import Spender  # noqa: PLC0415 - see above

    return tuple(
        Spender(purse.wallet, purse.network, opened.wallets[purse.wallet].address, purse.address)
        for purse in found
    )


def balance_questions(config: Config) -> dict[str, tuple[Question, ...]]:
    """How each network's endpoints are asked what a wallet holds."""
    return {
        name: tuple(
            (evm_question if is_evm(name) else solana_question)(url, name) for url in chain.rpc
        )
        for name, chain in config.chains.items()
    }


def rpc_origins(config: Config) -> frozenset[Origin]:
    """Where JSON-RPC may go."""
    return frozenset(Origin.of(url) for chain in config.chains.values() for url in chain.rpc)


def request_limits(config: Config) -> RequestLimits:
    """What one request may take."""
    limits = config.limits
    return RequestLimits(limits.replay_bytes_max, limits.body_idle_s, limits.caller_requests_max)


def server_limits(config: Config) -> ServerLimits:
    """What a listening port allows."""
    limits = config.limits
    return ServerLimits(
        limits.connections_max, limits.header_bytes_max, limits.header_wait_s, limits.keepalive_s
    )
