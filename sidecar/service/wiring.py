"""Config -> the objects of the proxy and the money path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.chains import is_evm
from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config, PostgresUrl, RouteConfig
from sidecar.errors import ConfigError
from sidecar.http import Origin, Upstream
from sidecar.ledger import Ledger
from sidecar.logs.redaction import dresses
from sidecar.payments.approvals import ApprovalRule
from sidecar.payments.events import Emit
from sidecar.payments.order import PayingRoute
from sidecar.payments.prover import Chain
from sidecar.payments.wallet_balances import Purse, Question, evm_question, solana_question
from sidecar.providers.base import Provider
from sidecar.proxy.admission import Gate
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.lane import Lane, Slots
from sidecar.proxy.pool import Pool
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.server import ServerLimits
from sidecar.service import vendors
from sidecar.service.contacts import Contact, Known, identity_of, make_contact
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
        known: Known | None = None,
    ) -> None:
        """``known``: what there was before, and lasts where it has not changed."""
        self.contacts: dict[str, Contact] = {}
        self._config = config
        self._shadow = config.mode == "shadow"
        self._ledger, self._tasks = books
        self._opened = opened
        self._pool = pool
        self._chain = chain
        self._ports = ports
        self._emit = emit
        self._known = known or Known()

    def routes(self) -> RouteTable:
        """Every route of the config, ready to serve. ConfigError names each that cannot be."""
        routes: dict[str, Route] = {}
        mistakes: list[str] = []
        for name, route in self._config.routes.items():
            try:
                self.contacts[name] = self._contact(route)
            except ConfigError as fault:
                mistakes += fault.mistakes
                continue
            routes[name] = self._route(route, self.contacts[name])
        if mistakes:
            raise ConfigError(*mistakes)
        default = next((name for name, route in self._config.routes.items() if route.default), None)
        return RouteTable(routes, None if default is None else routes[default])

    def _contact(self, route: RouteConfig) -> Contact:
        kept = self._known.contacts.get(route.name)
        if kept is not None and kept.identity == identity_of(route, self._opened):
            return kept
        return make_contact(route, self._config, self._opened, self._pool, self._ports, self._emit)

    def _route(self, config: RouteConfig, contact: Contact) -> Route:
        provider, unbounded = contact.provider, contact.unbounded
        paying = self._paying(config, provider, unbounded)
        api_key = self._opened.api_keys.get(config.name)
        upstream = self._in_lane(config, provider, unbounded)
        # What bounds the requests, or sells credit, is for the ordinary way.
        direct = upstream is unbounded and config.top_up is None
        return Route(
            name=config.name,
            base_url=config.upstream,
            provider=provider,
            upstream=upstream,
            credentials=contact.credentials,
            response_wait_s=config.response_wait_s,
            budgets=config.budgets,
            paying=paying,
            prepaid=vendors.prepaid_route(
                config, provider, paying, contact.credentials, contact.source
            ),
            secrets=() if api_key is None else dresses(api_key.reveal()),
            source=contact.source,
            query="useCredits=1" if config.use_credits else "",
            wires=contact.wires if direct else None,
        )

    def _paying(
        self, config: RouteConfig, provider: Provider, upstream: Upstream
    ) -> PayingRoute | None:
        if config.wallet is None or config.max_payment is None:
            return None
        signer = self._opened.signers[config.name]
        return PayingRoute(
            name=config.name,
            policy=vendors.policy(config),
            signer=WatchOnlyWallet(signer.address) if self._shadow else signer,
            upstream=upstream,
            breaker=config.breaker,
            response_wait_s=config.response_wait_s,
            chain=self._chain,
            place_of=vendors.place_of(config, provider),
            price_jump_max=config.price_jump_max,
            # Nobody is asked to approve what will not be paid.
            approval=None if self._shadow else self._approval(config),
            shadow=self._shadow,
            nonces=self._opened.nonces.get(config.wallet),
        )

    def _approval(self, config: RouteConfig) -> ApprovalRule | None:
        approval = config.approval
        if approval is None:
            return None
        if not approval.webhook:
            return ApprovalRule(approval.above, approval.wait_s)
        # Not for those who tell nobody.
        from sidecar.payments.webhooks import Webhook  # noqa: PLC0415 - see above

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
        if in_flight_max < self._config.workers:
            raise ConfigError(
                f"workers: {config.provider} takes {in_flight_max} requests of a wallet at a time, "
                f"and no worker knows of the others'; write workers: {in_flight_max} at most"
            )
        key = (config.upstream, config.wallet)
        share = in_flight_max // self._config.workers
        slots = self._known.slots.setdefault(key, Slots(share, self._ports.clock))
        return Lane(upstream, slots)


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
    """The wallets that are watched, as their balances are asked for."""
    return tuple(
        Purse(name, usdc_account(opened.wallets[name], network), network)
        for name, network in sorted(watched(config))
    )


def has_leases(config: Config) -> bool:
    """Whether each machine keeps payments of its own."""
    return isinstance(config.ledger, PostgresUrl) and config.ledger.leases is not None


def spenders(config: Config, opened: Opened) -> tuple[Spender, ...]:
    """The same wallets, as their outflows are asked for; none where nobody knows all payments."""
    # What other machines pay out of slices would be told of as foreign.
    found = () if has_leases(config) else purses(config, opened)
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


def watched(config: Config) -> frozenset[tuple[str, str]]:
    """Every wallet on every network that a route pays on and that can be asked."""
    return frozenset(
        (route.wallet, network)
        for route in config.routes.values()
        for network in route.networks
        if route.wallet is not None and network in config.chains
    )


def names(
    config: Config, opened: Opened
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, frozenset[str]], tuple[str, ...]]:
    """What metrics are told of: routes, callers, where each may pay, and which buy credit."""
    routes = config.routes.values()
    return (
        tuple(config.routes),
        tuple(caller.name for caller in opened.callers) or ("anonymous",),
        {route.name: route.networks for route in routes if route.wallet is not None},
        tuple(route.name for route in routes if route.top_up is not None),
    )


def rpc_origins(config: Config) -> frozenset[Origin]:
    """Where JSON-RPC may go."""
    return frozenset(Origin.of(url) for chain in config.chains.values() for url in chain.rpc)


def request_limits(config: Config) -> RequestLimits:
    """What one request may take."""
    limits = config.limits
    return RequestLimits(limits.replay_bytes_max, limits.body_idle_s, limits.caller_requests_max)


def replay_memory_max(config: Config) -> int:
    """What one worker may keep of bodies: the machine has one memory, whoever fills it."""
    limits = config.limits
    return max(limits.replay_bytes_max, limits.replay_memory_max // config.workers)


def server_limits(config: Config) -> ServerLimits:
    """What a listening port allows."""
    limits = config.limits
    return ServerLimits(
        limits.connections_max, limits.header_bytes_max, limits.header_wait_s, limits.keepalive_s
    )
