"""Config -> the objects of the proxy and the money path."""

from __future__ import annotations

from sidecar.config.model import Address, Config, RouteConfig
from sidecar.http import Origin
from sidecar.payments.order import PayingRoute
from sidecar.payments.prover import Chain
from sidecar.policy import Policy
from sidecar.providers.api_key import ApiKey
from sidecar.providers.base import Provider
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.proxy.admission import Gate
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.pool import Pool
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.server import ServerLimits
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened


def build_provider(route: RouteConfig, opened: Opened) -> Provider:
    """The provider that the route names."""
    if route.provider == "api_key":
        key = opened.api_keys[route.name].reveal()
        return ApiKey(route.upstream, key, route.api_key_header)
    return PayPerRequest(route.upstream)


def build_routes(config: Config, opened: Opened, pool: Pool, ports: Ports) -> RouteTable:
    """Every route of the config, ready to serve."""
    routes = {name: _route(route, opened, pool, ports) for name, route in config.routes.items()}
    default = next((name for name, route in config.routes.items() if route.default), None)
    return RouteTable(routes, None if default is None else routes[default])


def _route(config: RouteConfig, opened: Opened, pool: Pool, ports: Ports) -> Route:
    provider = build_provider(config, opened)
    upstream = ports.wrap_upstream(
        pool.upstream(provider.origins, config.connect_wait_s, config.response_wait_s)
    )
    paying = None
    if config.wallet is not None and config.max_payment is not None:
        paying = PayingRoute(
            name=config.name,
            policy=Policy(config.max_payment, config.networks, config.pay_to, config.validity_s),
            signer=opened.wallets[config.wallet],
            upstream=upstream,
            breaker=config.breaker,
            response_wait_s=config.response_wait_s,
        )
    api_key = opened.api_keys.get(config.name)
    return Route(
        name=config.name,
        base_url=config.upstream,
        provider=provider,
        upstream=upstream,
        response_wait_s=config.response_wait_s,
        budgets=config.budgets,
        paying=paying,
        secrets=() if api_key is None else (api_key.reveal(),),
    )


def build_gate(config: Config, opened: Opened, port: int) -> Gate:
    """The rules at the door of the data port."""
    return Gate(host_names(config.listen, port, config.hosts), opened.tokens)


def host_names(address: Address, port: int, extra: tuple[str, ...]) -> frozenset[str]:
    """The Host values that mean this port."""
    names = {address.host, "127.0.0.1", "localhost", "[::1]"}
    bracketed = {f"[{name}]" if ":" in name and name[0] != "[" else name for name in names}
    return frozenset({f"{name}:{port}".lower() for name in bracketed} | set(extra))


def build_chains(config: Config) -> dict[str, Chain]:
    """How to ask each network that the config has endpoints for."""
    return {name: Chain(name, chain.rpc, chain.finality) for name, chain in config.chains.items()}


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
