"""Config -> the provider of a route, and what a prepaid one needs to buy credit.

A provider's module is loaded for those who have a route to it.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from collections.abc import Callable, Generator

from sidecar.config.model import RouteConfig
from sidecar.errors import ConfigError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.payments.balances import Source
from sidecar.payments.credentials import Credentials, SignsIn
from sidecar.payments.order import PayingRoute, nowhere
from sidecar.payments.prepaid import PrepaidRoute, TopUpTerms
from sidecar.policy import Policy
from sidecar.providers.base import Credential, Occasion, Prepaid, Provider
from sidecar.service.secrets import Opened
from sidecar.siwx import SignIn
from sidecar.wallets.watch_only import WatchOnlyWallet


def build_provider(route: RouteConfig, opened: Opened, *, shadow: bool) -> Provider:
    """The provider that the route names. ConfigError when its upstream is none of that vendor."""
    if route.api_key is not None:
        key = opened.api_keys[route.name].reveal()
        if route.provider == "venice":
            from sidecar.providers.venice_key import VeniceKey

            return VeniceKey(route.upstream, key)
        from sidecar.providers.api_key import ApiKey

        return ApiKey(route.upstream, key, route.api_key_header, route.prices)
    assert route.wallet is not None
    wallet: SignIn = opened.wallets[route.wallet]
    if shadow:
        wallet = WatchOnlyWallet(wallet.address)
    networks = tuple(sorted(route.networks))
    try:
        match route.provider:
            case "venice":
                from sidecar.providers.venice import Venice

                return Venice(route.upstream, wallet, networks[0])
            case "nodit":
                from sidecar.providers.nodit import Nodit

                return Nodit(route.upstream, wallet, networks[0])
            case "x402layer":
                from sidecar.providers.x402layer import X402Layer

                return X402Layer(route.upstream, wallet.address, networks[0])
            case "libertai":
                from sidecar.providers.libertai import LibertAI

                return LibertAI(route.upstream, route.prices)
            case _:
                assert route.provider == "pay_per_request"
                from sidecar.providers.pay_per_request import PayPerRequest

                signer = wallet if route.sign_in and not shadow else None
                return PayPerRequest(route.upstream, signer, networks)
    except ValueError as fault:
        raise ConfigError(f"routes.{route.name}.upstream: {fault}") from fault


class NoSignIn:
    """In place of a vendor's sign-in: requests go without one, and use up no credit."""

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        return Credential(())


def signs_in(provider: Provider, *, shadow: bool) -> SignsIn:
    """Who makes a route's credentials: in shadow mode nothing is signed for one."""
    return NoSignIn() if shadow and isinstance(provider, Prepaid) else provider


def prepaid_route(
    route: RouteConfig,
    provider: Provider,
    paying: PayingRoute | None,
    credentials: Credentials,
    source: Source,
) -> PrepaidRoute | None:
    """What buys credit for this route; None where nothing does."""
    if paying is None or route.top_up is None or not isinstance(provider, Prepaid):
        return None
    top_up, most = route.top_up, route.max_payment
    assert most is not None
    terms = TopUpTerms(
        # A vendor of packages is told what a package may cost at most.
        amount=top_up.amount or most,
        hourly_max=top_up.max_per_hour,
        wait_s=top_up.wait_s,
        low_water=None if top_up.low_water is None else top_up.low_water.in_usd(),
    )
    return PrepaidRoute(paying, provider, credentials, source, route.budgets, terms)


def policy(config: RouteConfig) -> Policy:
    """What the route may pay for one request; asked of one that can pay."""
    assert config.max_payment is not None
    # Only LibertAI is given an authorization that it may use in part.
    schemes = frozenset({"exact", "upto"} if config.provider == "libertai" else {"exact"})
    return Policy(config.max_payment, config.networks, config.pay_to, config.validity_s, schemes)


def place_of(config: RouteConfig, provider: Provider) -> Callable[[HttpRequest], str]:
    """Where the payee of each request is pinned."""
    if config.provider == "x402layer" and isinstance(provider, Prepaid):
        # Each endpoint there is a seller of its own.
        return provider.account_of
    return nowhere
