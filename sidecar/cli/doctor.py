"""``sidecar doctor``: looks whether all that a config needs works, and says what to do.

The sidecar may run or not. Nothing is paid, no payment is signed, and nobody is signed in to
unless ``--sign-in`` allows it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable

from sidecar.cli.admin_port import ask_admin, url_of
from sidecar.cli.checkup import Check, ok, worst
from sidecar.cli.config_file import find_config, read_config
from sidecar.cli.dialogue import dialogue
from sidecar.cli.keys import wallet_address
from sidecar.cli.local_checks import (
    check_books,
    check_config,
    check_environment,
    check_ports,
    check_secrets,
)
from sidecar.cli.remote_checks import (
    WAIT_S,
    check_clock,
    look_at_endpoint,
    look_at_purse,
    look_at_upstream,
    purses,
)
from sidecar.cli.screen import plain, working, write_json, write_table
from sidecar.cli.vendor_checks import look_at_credit
from sidecar.clock import SystemClock
from sidecar.config.model import Config
from sidecar.errors import ConfigError, SidecarError


def doctor(args: argparse.Namespace) -> int:
    """0 where nothing failed, whatever is to be warned of; else the highest of the statuses."""
    config, clock = read_config(args), SystemClock()
    with working("looking at this machine") as tell:
        checks = [ok("config", str(find_config(args)))]
        checks += check_config(config)
        proxies = [*check_environment(config, os.environ)]
        checks += proxies
        checks += check_secrets(config, os.environ)
        checks += check_books(config, os.environ, clock)
        # By a proxy that cannot be used nobody is asked, as at start.
        if not worst(proxies):
            checks += asyncio.run(_ask(config, tell, signs_in=args.sign_in))
    if args.json:
        write_json({"status": worst(checks), "checks": [_row(check) for check in checks]})
    else:
        write_table(
            ("STATE", "CHECK", "DETAIL"),
            [
                (check.state, check.name, "; ".join(filter(None, (check.detail, check.fix))))
                for check in checks
            ],
            prose=("DETAIL",),
        )
    counts = Counter(check.state for check in checks)
    print(
        f"sidecar: {counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} to mend",
        file=sys.stderr,
    )
    return worst(checks)


async def _ask(config: Config, tell: Callable[[str], None], *, signs_in: bool) -> list[Check]:
    """All that others are asked: at once, for most of the time is waiting."""
    clock = SystemClock()
    checks = [*check_ports(config, running=await _is_running(config))]
    routes = list(config.routes.values())
    endpoints = [(chain, url) for chain in config.chains.values() for url in chain.rpc]
    tell(f"asking {len(routes)} upstreams and {len(endpoints)} RPC endpoints")
    urls = (*(route.upstream for route in routes), *(url for _, url in endpoints))
    async with dialogue(urls, WAIT_S) as talk:
        looks = await asyncio.gather(
            *(look_at_upstream(talk, clock, route) for route in routes),
            *(look_at_endpoint(talk, clock, chain, url) for chain, url in endpoints),
        )
        checks += [look.check for look in looks]
        checks.append(check_clock(looks))
        tell("asking for balances")
        found = purses(config, _addresses(config))
        checks += await asyncio.gather(*(look_at_purse(talk, purse) for purse in found))
        for credit in await asyncio.gather(
            *(look_at_credit(talk, config, route, signs_in=signs_in) for route in routes)
        ):
            checks += credit
    return checks


async def _is_running(config: Config) -> bool:
    """Whether a sidecar answers on the admin port."""
    try:
        told = await ask_admin(url_of(config.admin), "/status")
    except SidecarError:
        return False
    return "version" in told.document


def _addresses(config: Config) -> dict[str, str]:
    """Of the wallets whose key can be opened; what is wrong with others was told before."""
    addresses = {}
    for wallet in config.wallets.values():
        try:
            addresses[wallet.name] = wallet_address(wallet, os.environ)
        except ConfigError:
            continue
    return addresses


def _row(check: Check) -> dict[str, str]:
    return {
        "state": check.state,
        "check": plain(check.name),
        "detail": check.detail,
        "fix": check.fix,
    }
