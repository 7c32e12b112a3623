"""``sidecar quote``: what a request would cost. Nothing is paid and nothing is signed for it.

The request is sent once, as an app's would be, but for any credential: what a seller serves to
that it serves for nothing, to everybody. A route that shows an API key is not asked at all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidecar.chains import NETWORK_NAMES
from sidecar.cli import exits
from sidecar.cli.config_file import has_config, read_config
from sidecar.cli.desk import open_desk
from sidecar.cli.dialogue import dialogue
from sidecar.cli.pricing import Pricing, Quote, ask, quote_stranger
from sidecar.cli.rules import RULES
from sidecar.cli.screen import plain, utc, working, write_json, write_table
from sidecar.clock import SystemClock
from sidecar.config.addresses import Address
from sidecar.config.model import Config, RouteConfig
from sidecar.errors import ConfigError
from sidecar.http import Headers, HttpRequest, Origin, header_values
from sidecar.ledger.model import Budget
from sidecar.proxy.headers import request_headers
from sidecar.proxy.route import find_route, once_each
from sidecar.refusal import BudgetUse
from sidecar.x402.select import Candidate

WAIT_S = 30.0
BODY_BYTES_MAX = 16 * 1024 * 1024

_METHOD = re.compile(r"[A-Z]{1,20}", re.ASCII)
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_KEYED = Quote(
    0,
    notes=(
        "this route shows an API key and never pays; what its vendor bills for that is not "
        "the sidecar's to say, so nothing was sent",
    ),
)


def quote(args: argparse.Namespace) -> int:
    """0 where it is free, or would be paid; 3 where a rule or a budget is against it."""
    config = read_config(args) if has_config(args) else None
    route, url = _where(config, args.url, args.route)
    request = HttpRequest(_method(args), url, _headers(args), _body(args.data))
    caller, budgets = _payer(config, route, args.caller)
    with working(f"asking {Origin.of(url)}"):
        found = asyncio.run(_ask(config, route, request, caller, budgets))
    uses: tuple[BudgetUse, ...] = ()
    if config is not None:
        uses = open_desk(config, os.environ).budgets(budgets, SystemClock().now())
    if args.json:
        write_json(_document(url, route, found, uses))
    else:
        _show(url, route, found, uses)
    return exits.POLICY if found.denied is not None else exits.OK


async def _ask(
    config: Config | None,
    route: RouteConfig | None,
    request: HttpRequest,
    caller: str,
    budgets: tuple[Budget, ...],
) -> Quote:
    if route is not None and route.api_key is not None:
        return _KEYED
    wait_s = WAIT_S if route is None else route.response_wait_s
    async with dialogue([request.url], wait_s) as talk:
        if config is None or route is None:
            return quote_stranger(await ask(talk.upstream, request, wait_s))
        return await Pricing(config, route, caller, budgets, talk.upstream).quote(request)


def _where(config: Config | None, text: str, name: str | None) -> tuple[RouteConfig | None, str]:
    """The route that would serve this, and the URL at its upstream."""
    routes = {} if config is None else config.routes
    if name is not None and name not in routes:
        raise ConfigError(f"--route: there is no {plain(name)}; those that are: {plain([*routes])}")
    named = None if name is None else routes[name]
    target = text if text.startswith("/") else _own_target(config, text)
    if target is not None:
        return _at_route(config, named, target)
    try:
        origin = Origin.of(text)
    except ValueError as fault:
        raise ConfigError(f"url: {plain(text)}: write https://…, or a path of a route") from fault
    if named is not None:
        if Origin.of(named.upstream) != origin:
            raise ConfigError(f"--route: {named.name} leads to {named.upstream}, and not there")
        return named, text
    leading = [route for route in routes.values() if _leads_to(route, text)]
    return max(leading, key=lambda route: len(route.upstream), default=None), text


def _own_target(config: Config | None, text: str) -> str | None:
    """The path of a URL of the sidecar's own; None for a URL of somebody else."""
    if config is None or not isinstance(config.listen, Address):
        return None
    parts = urlsplit(text)
    ours = parts.hostname in {*_LOCAL, config.listen.host} and parts.port == config.listen.port
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "") if ours else None


def _at_route(
    config: Config | None, named: RouteConfig | None, target: str
) -> tuple[RouteConfig, str]:
    """As the proxy finds it: by the path's first word, else the default."""
    if named is not None:
        return named, named.upstream + target
    routes = {} if config is None else config.routes
    default = next((route for route in routes.values() if route.default), None)
    found = find_route(routes, default, target)
    if found is not None:
        route, rest = found
        return route, route.upstream + rest
    raise ConfigError(f"url: no route serves {plain(target)}; begin it with a route's name")


def _leads_to(route: RouteConfig, url: str) -> bool:
    rest = url.removeprefix(route.upstream)
    return url.startswith(route.upstream) and rest[:1] in {"", "/", "?"}


def _payer(
    config: Config | None, route: RouteConfig | None, caller: str | None
) -> tuple[str, tuple[Budget, ...]]:
    """Who would ask, and every budget that would count, in the ledger's order."""
    budgets = () if route is None else route.budgets
    if caller is not None:
        callers = {} if config is None else config.callers
        if caller not in callers:
            raise ConfigError(f"--caller: there is no {plain(caller)} under callers")
        budgets = (*budgets, *callers[caller].budgets)
    return caller or "", once_each(budgets)


def _method(args: argparse.Namespace) -> str:
    method: str = args.method or ("GET" if args.data is None else "POST")
    if _METHOD.fullmatch(method) is None:
        raise ConfigError(f"--method: not one: {plain(method)}; write it like POST")
    return method


def _headers(args: argparse.Namespace) -> Headers:
    """As an upstream would get them: without credentials and payments, whoever gives them here."""
    given = []
    for text in args.header:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise ConfigError(f"--header: not one: {plain(text)}; write it like NAME: VALUE")
        given.append((name.strip(), value.strip()))
    headers = tuple(given)
    if args.data is not None and not header_values(headers, "content-type"):
        headers = (*headers, ("Content-Type", "application/json"))
    return request_headers(headers, (), reads_bodies=True)


def _body(data: str | None) -> bytes:
    if data is None or not data.startswith("@"):
        return (data or "").encode()
    try:
        if data == "@-":
            content = sys.stdin.buffer.read(BODY_BYTES_MAX + 1)
        else:
            with Path(data[1:]).open("rb") as file:
                content = file.read(BODY_BYTES_MAX + 1)
    except OSError as fault:
        reason = (fault.strerror or "unreadable").lower()
        raise ConfigError(f"--data: {plain(data[1:])}: {reason}") from fault
    if len(content) > BODY_BYTES_MAX:
        raise ConfigError(f"--data: over {BODY_BYTES_MAX // 1024**2} MiB, which is never paid for")
    return content


def _document(
    url: str, route: RouteConfig | None, found: Quote, uses: tuple[BudgetUse, ...]
) -> dict[str, Any]:
    denied = found.denied
    return {
        "url": url,
        "route": None if route is None else route.name,
        "status": found.status or None,
        "decision": found.decision,
        "would_pay": None if found.taken is None else _offer(found.taken),
        "rule": None if denied is None else denied.rule,
        "detail": None if denied is None else denied.detail,
        "credit_atomic": None if found.credit is None else found.credit.atomic,
        "offers": [
            {**_offer(offer.candidate), "rule": None if offer.denied is None else offer.denied.rule}
            for offer in found.offers
        ],
        "unpayable": list(found.unpayable),
        "budgets": [
            {
                "name": use.name,
                "limit_atomic": use.limit.atomic,
                "spent_atomic": use.spent.atomic,
                "reserved_atomic": use.reserved.atomic,
                "remaining_atomic": use.remaining.atomic,
                "resets_at": None if use.resets_at is None else utc(use.resets_at, "seconds"),
            }
            for use in uses
        ],
        "notes": list(found.notes),
    }


def _offer(candidate: Candidate) -> dict[str, Any]:
    requirements = candidate.requirements
    return {
        "scheme": requirements.scheme,
        "network": candidate.asset.network,
        "asset": candidate.asset.address,
        "amount_usdc": candidate.amount.digits,
        "amount_atomic": candidate.amount.atomic,
        "pay_to": requirements.pay_to,
        "valid_s": requirements.max_timeout_seconds,
    }


def _show(url: str, route: RouteConfig | None, found: Quote, uses: tuple[BudgetUse, ...]) -> None:
    print(f"url       {plain(url)}")
    print(f"route     {'none' if route is None else f'{route.name} ({route.provider})'}")
    print(f"answer    {found.status or 'not asked'}")
    if found.offers:
        print()
        write_table(
            ("AMOUNT", "SCHEME", "NETWORK", "PAY_TO", "VALID_S", "RULE"),
            [
                (
                    offer.candidate.amount,
                    offer.candidate.requirements.scheme,
                    NETWORK_NAMES[offer.candidate.asset.network],
                    offer.candidate.requirements.pay_to,
                    offer.candidate.requirements.max_timeout_seconds,
                    None if offer.denied is None else offer.denied.rule,
                )
                for offer in found.offers
            ],
            expendable=("VALID_S", "SCHEME"),
        )
    for reason in found.unpayable:
        print(f"not payable: {plain(reason)}")
    if uses:
        print()
        write_table(
            ("BUDGET", "LIMIT", "SPENT", "RESERVED", "REMAINING", "RESETS_AT"),
            [
                (
                    *(use.name, use.limit, use.spent, use.reserved, use.remaining),
                    None if use.resets_at is None else utc(use.resets_at, "seconds"),
                )
                for use in uses
            ],
        )
    print(f"\n{_verdict(found)}")
    for note in found.notes:
        print(f"note: {plain(note)}")


def _verdict(found: Quote) -> str:
    if found.denied is not None:
        advice = RULES.get(found.denied.rule)
        refused = f"refused by {found.denied.rule}: {plain(found.denied.detail)}"
        return refused if advice is None else f"{refused}\nDo: {advice.fix}"
    if found.taken is not None:
        taken = found.taken
        what = "would be paid" if found.credit is None else "credit would be bought for"
        return (
            f"{what}: {taken.amount} to {plain(taken.requirements.pay_to)} on "
            f"{NETWORK_NAMES[taken.asset.network]}"
        )
    if found.credit is not None:
        return f"would be served from credit; a top-up is of {found.credit}"
    return "free: nothing is asked for it" if found.status else "the sidecar pays nothing for it"
