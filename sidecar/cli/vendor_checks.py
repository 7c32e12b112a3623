"""What vendors hold for us, where to ask costs nothing.

Some tell it only to who has signed in: that is a signature, which moves no money, and is made
only where a person asked for it.
"""

from __future__ import annotations

from sidecar.cli import exits
from sidecar.cli.checkup import Check, fail, ok, warn
from sidecar.cli.dialogue import Dialogue
from sidecar.cli.route_secrets import open_for
from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.model import Config, RouteConfig
from sidecar.errors import ConfigError
from sidecar.payments.balances import Balances, Source
from sidecar.payments.credentials import Credentials
from sidecar.service.vendors import build_provider

# With a wallet; with an API key nothing is signed.
SIGNING_IN = frozenset({"venice", "nodit"})


async def look_at_credit(
    talk: Dialogue, config: Config, route: RouteConfig, *, signs_in: bool
) -> list[Check]:
    """Each account of the route's vendor; nothing where it holds nothing for anybody."""
    name = f"credit {route.name}"
    if route.provider in SIGNING_IN and route.api_key is None:
        if config.mode == "shadow":
            return [ok(name, "not asked: in shadow mode nothing is signed, sign-ins neither")]
        if not signs_in:
            return [ok(name, "not asked: it wants a sign-in, which `doctor --sign-in` makes")]
    try:
        opened = open_for(config, route)
        # Without leave there is nothing here that could sign.
        provider = build_provider(route, opened, shadow=not signs_in)
    except ConfigError as fault:
        return [fail(name, fault.mistakes[0], "mend its secret first", exits.USAGE)]
    if not provider.traits.balance_spacing_s:
        return []
    ports = (SystemClock(), SystemEntropy(), lambda event: None)
    credentials = Credentials(route.name, provider, talk.upstream, ports)
    source = Source(route.name, provider, talk.upstream, credentials.get)
    balances = Balances(SystemClock(), lambda event: None, lambda *observed: None)
    found = []
    # Only who sells credit tells accounts apart.
    for account in getattr(provider, "accounts", ("",)):
        where = f"{name} {account}".strip()
        held = await balances.read(source, account)
        if not held:
            why = balances.failure(route.name, account) or "it does not say"
            found.append(warn(where, why, "look at the account at the vendor"))
            continue
        detail = ", ".join(f"{each.value} {each.unit}" for each in held)
        if held[0].can_consume:
            found.append(ok(where, detail))
        elif route.top_up is not None:
            found.append(ok(where, f"{detail}: the next request buys some"))
        else:
            found.append(warn(where, f"{detail}: used up", "buy some at the vendor"))
    return found
