"""The routes: where requests may go, and what may be paid there.

Empty means no: a route that can pay names its wallet, its networks, a cap for each payment and
a budget, or the sidecar does not start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from sidecar.base58 import is_public_key
from sidecar.chains import is_evm
from sidecar.config.budgets import Budgets
from sidecar.config.chains import check_network
from sidecar.config.fields import Field, Section, check_name, show
from sidecar.config.mistakes import closest
from sidecar.config.model import RouteConfig, WalletConfig
from sidecar.config.secret_ref import Places, read_secret_ref
from sidecar.config.spending import (
    read_approval,
    read_price_jump,
    read_prices,
    read_top_up,
)
from sidecar.config.urls import read_url
from sidecar.ledger.model import Breaker, Budget
from sidecar.money import Usdc
from sidecar.values import dataclass

PREPAID = ("venice", "nodit", "x402layer")
PAYING = ("pay_per_request", "libertai", *PREPAID)
KEYED = ("api_key",)
PROVIDERS = (*PAYING, *KEYED)
_CHOICES = ", ".join(PROVIDERS)
# A vendor with both: its route has a wallet, or an API key.
EITHER = ("venice",)
# They sign in on one chain.
ONE_NETWORK = PREPAID

# Apps put it behind our address, where it has to stay theirs.
RESERVED_NAMES = frozenset({"v1"})
RESPONSE_WAIT_S_MAX = 3_600
CONNECT_WAIT_S_MAX = 60
VALIDITY_S_MIN = 60
VALIDITY_S_MAX = 300

_COMMON = ("provider", "upstream", "default", "insecure", "response_wait_s", "connect_wait_s")
_MONEY = (
    *("wallet", "networks", "max_payment", "budgets", "pay_to", "price_jump_max"),
    *("validity_s", "breaker", "approval"),
)
_KEYED = ("api_key", "api_key_header")
_PRICED = ("libertai", "api_key")
KEYS = (*_COMMON, *_MONEY, *_KEYED, "top_up", "prices", "sign_in", "use_credits")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Known:
    """What routes may refer to."""

    places: Places
    budgets: Budgets
    wallets: Mapping[str, WalletConfig | None]


def read_routes(field: Field, known: Known) -> dict[str, RouteConfig]:
    """Every route by its name."""
    routes: dict[str, RouteConfig] = {}
    default = ""
    if not field.named() and field.is_given:
        field.mistake("no routes", "name an upstream, as in config/sidecar.example.yaml")
    for name, entry in field.named():
        check_name(name, entry, RESERVED_NAMES)
        route = _read_route(name, entry.section(KEYS), known)
        if route.default and default:
            entry.mistake(f"{show(default)} is the default already", "keep default: true on one")
        elif route.default:
            default = name
        routes[name] = route
    return routes


def _read_route(name: str, section: Section, known: Known) -> RouteConfig:
    provider = _provider(section.at("provider").required(f"use one of: {_CHOICES}"))
    insecure = section.at("insecure").flag()
    upstream = section.at("upstream").required("write it like https://api.example.com")
    keyed = provider in KEYED or (provider in EITHER and section.at("api_key").is_given)
    pays = provider in PAYING and not keyed
    _refuse_keys(section, provider, keyed=keyed, pays=pays)
    if keyed:
        section.at("api_key").required("write {file: PATH} or {env: NAME}")
    max_payment = _max_payment(section.at("max_payment"), required=pays)
    wallet = _wallet(section.at("wallet"), known, required=pays)
    networks = _networks(section.at("networks"), required=pays)
    _check_networks(section.at("networks"), networks, known.wallets.get(wallet or ""), provider)
    return RouteConfig(
        name=name,
        provider=provider,
        upstream=read_url(upstream, insecure=insecure),
        wallet=wallet,
        default=section.at("default").flag(),
        networks=networks,
        max_payment=max_payment,
        budgets=_budgets(section.at("budgets"), known, required=pays),
        pay_to=_pay_to(section.at("pay_to")),
        price_jump_max=read_price_jump(section.at("price_jump_max")),
        api_key=read_secret_ref(section.at("api_key"), known.places),
        api_key_header=section.at("api_key_header").choice(
            ("authorization", "x-api-key"), "authorization"
        ),
        top_up=read_top_up(section.at("top_up"), provider, max_payment)
        if pays and provider in PREPAID
        else None,
        approval=read_approval(section.at("approval")) if pays else None,
        prices=read_prices(section.at("prices")),
        sign_in=section.at("sign_in").flag(default=True),
        use_credits=section.at("use_credits").flag(),
        insecure=insecure,
        response_wait_s=section.at("response_wait_s").seconds(600, 1, RESPONSE_WAIT_S_MAX),
        connect_wait_s=section.at("connect_wait_s").seconds(10, 0.1, CONNECT_WAIT_S_MAX),
        validity_s=section.at("validity_s").integer(120, VALIDITY_S_MIN, VALIDITY_S_MAX),
        breaker=_breaker(section.at("breaker")),
    )


def _refuse_keys(section: Section, provider: str, *, keyed: bool, pays: bool) -> None:
    """A mistake for each key that means nothing with this provider."""
    refused: dict[str, str] = {}
    if keyed:
        what = f"provider {provider}" if provider in KEYED else "an API key"
        refused |= dict.fromkeys(_MONEY, f"a route with {what} never pays")
    elif pays:
        refused |= dict.fromkeys(_KEYED, f"{provider} takes no API key")
    if not pays or provider not in PREPAID:
        refused["top_up"] = f"{provider} sells no credit" if pays else "this route never pays"
    if provider not in _PRICED:
        refused["prices"] = f"{provider} says itself what a request cost, or needs no prices"
    if provider != "pay_per_request":
        refused["sign_in"] = "only provider: pay_per_request is asked to sign in"
    if provider != "x402layer":
        refused["use_credits"] = "only provider: x402layer has endpoints with credits"
    for key, why in refused.items():
        if section.at(key).is_given:
            section.at(key).mistake(why, "remove it")


def _check_networks(
    field: Field, networks: frozenset[str], wallet: WalletConfig | None, provider: str
) -> None:
    """A wallet pays on chains of its kind; some vendors know a wallet on one chain only."""
    if provider in ONE_NETWORK and len(networks) > 1:
        field.mistake(f"{provider} is paid on one network", "name one")
    for network in sorted(networks) if wallet is not None else ():
        assert wallet is not None
        if is_evm(network) != (wallet.kind == "evm"):
            field.mistake(
                f"{network} is no network of a wallet of kind {wallet.kind}",
                "name networks of one kind, and a wallet of that kind",
            )


def _provider(field: Field) -> str:
    text = field.text(fix=f"use one of: {_CHOICES}")
    if text and text not in PROVIDERS:
        field.mistake(f"there is no provider {show(text)}", closest(text, PROVIDERS))
    return text


def _wallet(field: Field, known: Known, *, required: bool) -> str | None:
    fix = "name a wallet of wallets, or set EVM_PRIVATE_KEY and write wallet: main"
    if required:
        field.required(fix)
    name = field.text(fix=fix)
    if name and name not in known.wallets:
        field.mistake(
            f"there is no wallet {show(name)}",
            closest(name, known.wallets) if known.wallets else fix,
        )
    return name or None


def _networks(field: Field, *, required: bool) -> frozenset[str]:
    fix = 'list what may be paid on, like ["eip155:8453"]'
    if required:
        field.required(fix)
    items = field.items()
    if required and field.is_given and not items:
        field.mistake("empty, and empty means no", fix)
    networks = ((item.text(fix=fix), item) for item in items)
    return frozenset(name for name, item in networks if name and check_network(name, item))


def _max_payment(field: Field, *, required: bool) -> Usdc | None:
    fix = 'cap each payment, like "0.05 USDC"'
    if required:
        field.required(fix)
    amount = field.amount()
    if amount is not None and amount.atomic == 0:
        field.mistake("no payment is that small", fix)
    return amount


def _budgets(field: Field, known: Known, *, required: bool) -> tuple[Budget, ...]:
    fix = "name a budget of budgets, like [day]"
    if required:
        field.required(fix)
    if required and field.is_given and not field.items():
        field.mistake("empty, and empty means no", fix)
    return known.budgets.pick(field)


def _pay_to(field: Field) -> frozenset[str]:
    addresses = set()
    fix = 'write it like "0x…", 40 hex digits, or a Solana address'
    for item in field.items():
        text = item.text(fix=fix)
        if text and _ADDRESS.fullmatch(text) is not None:
            addresses.add(text.lower())
        elif text and is_public_key(text):
            addresses.add(text)
        elif text:
            item.mistake(f"not an address: {show(text)}", fix)
    if field.is_given and not field.items():
        field.mistake("empty, and empty means no", "name a payee, or remove it to pin the first")
    return frozenset(addresses)


def _breaker(field: Field) -> Breaker:
    section = field.section(("undelivered_max", "window"))
    return Breaker(
        undelivered_max=section.at("undelivered_max").integer(5, 1, 10_000),
        window=section.at("window").duration(timedelta(hours=1), timedelta(days=30)),
    )
