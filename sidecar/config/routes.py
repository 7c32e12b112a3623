"""The routes: where requests may go, and what may be paid there.

Empty means no: a route that can pay names its wallet, its networks, a cap for each payment and
a budget, or the sidecar does not start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sidecar.config.budgets import Budgets
from sidecar.config.chains import check_network
from sidecar.config.fields import Field, Section, check_name, show
from sidecar.config.mistakes import closest
from sidecar.config.model import RouteConfig, WalletConfig
from sidecar.config.secret_ref import Places, read_secret_ref
from sidecar.config.urls import read_url
from sidecar.ledger.model import Breaker, Budget
from sidecar.money import Usdc

PAYING = ("pay_per_request",)
KEYED = ("api_key",)
LATER = ("venice", "nodit", "x402layer", "libertai")

# Apps put it behind our address, where it has to stay theirs.
RESERVED_NAMES = frozenset({"v1"})
RESPONSE_WAIT_S_MAX = 3_600
CONNECT_WAIT_S_MAX = 60
VALIDITY_S_MIN = 60
VALIDITY_S_MAX = 300

_COMMON = ("provider", "upstream", "default", "insecure", "response_wait_s", "connect_wait_s")
_MONEY = ("wallet", "networks", "max_payment", "budgets", "pay_to", "validity_s", "breaker")
_KEYED = ("api_key", "api_key_header")
KEYS = (*_COMMON, *_MONEY, *_KEYED)
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
    provider = _provider(section.at("provider").required(f"use one of: {_providers()}"))
    insecure = section.at("insecure").flag()
    upstream = section.at("upstream").required("write it like https://api.example.com")
    pays = provider in PAYING
    if provider in KEYED:
        for key in _MONEY:
            if section.at(key).is_given:
                section.at(key).mistake(f"a route with provider {provider} never pays", "remove it")
        section.at("api_key").required("write {file: PATH} or {env: NAME}")
    for key in _KEYED if pays else ():
        if section.at(key).is_given:
            section.at(key).mistake("only provider: api_key has an API key", "remove it")
    return RouteConfig(
        name=name,
        provider=provider,
        upstream=read_url(upstream, insecure=insecure),
        wallet=_wallet(section.at("wallet"), known, required=pays),
        default=section.at("default").flag(),
        networks=_networks(section.at("networks"), required=pays),
        max_payment=_max_payment(section.at("max_payment"), required=pays),
        budgets=_budgets(section.at("budgets"), known, required=pays),
        pay_to=_pay_to(section.at("pay_to")),
        api_key=read_secret_ref(section.at("api_key"), known.places),
        api_key_header=section.at("api_key_header").choice(
            ("authorization", "x-api-key"), "authorization"
        ),
        insecure=insecure,
        response_wait_s=section.at("response_wait_s").seconds(600, 1, RESPONSE_WAIT_S_MAX),
        connect_wait_s=section.at("connect_wait_s").seconds(10, 0.1, CONNECT_WAIT_S_MAX),
        validity_s=section.at("validity_s").integer(120, VALIDITY_S_MIN, VALIDITY_S_MAX),
        breaker=_breaker(section.at("breaker")),
    )


def _providers() -> str:
    return ", ".join((*PAYING, *KEYED))


def _provider(field: Field) -> str:
    text = field.text(fix=f"use one of: {_providers()}")
    if text in LATER:
        field.mistake(f"{text} is not available in this version", f"use one of: {_providers()}")
    elif text and text not in (*PAYING, *KEYED):
        fix = closest(text, (*PAYING, *KEYED))
        field.mistake(f"there is no provider {show(text)}", fix)
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
    for item in field.items():
        text = item.text(fix='write it like "0x…", 40 hex digits')
        if text and _ADDRESS.fullmatch(text) is None:
            item.mistake(f"not an address: {show(text)}", 'write it like "0x…", 40 hex digits')
        elif text:
            addresses.add(text.lower())
    if field.is_given and not field.items():
        field.mistake("empty, and empty means no", "name a payee, or remove it to pin the first")
    return frozenset(addresses)


def _breaker(field: Field) -> Breaker:
    section = field.section(("undelivered_max", "window"))
    return Breaker(
        undelivered_max=section.at("undelivered_max").integer(5, 1, 10_000),
        window=section.at("window").duration(timedelta(hours=1), timedelta(days=30)),
    )
