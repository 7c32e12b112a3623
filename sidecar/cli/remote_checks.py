"""What is asked of others: upstreams, chains, and vendors for what they hold. Nothing is paid.

An upstream gets a HEAD without any credential, which can cost nothing. No URL of an endpoint is
shown beyond its origin: keys often stand in the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from statistics import median

from sidecar.chains import NETWORK_NAMES, is_evm, usdc_on
from sidecar.cli import exits
from sidecar.cli.balance import balance_of
from sidecar.cli.checkup import Check, fail, ok, warn
from sidecar.cli.dialogue import Dialogue
from sidecar.clock import Clock
from sidecar.config.model import ChainConfig, Config, RouteConfig
from sidecar.errors import RemoteProtocolError, SidecarError, UpstreamError
from sidecar.http import Exchange, HttpRequest, HttpResponse, Origin, header_values
from sidecar.payments.prover import CLOCK_SKEW_S_MAX
from sidecar.rpc import evm, solana
from sidecar.rpc.jsonrpc import Asks
from sidecar.values import dataclass

WAIT_S = 10.0
# A Date has whole seconds, and was written before it came here.
SKEW_WARN_S = 5.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to, and how far our clock was ahead of what was looked at."""

    check: Check
    ahead_s: float | None = None


async def look_at_upstream(talk: Dialogue, clock: Clock, route: RouteConfig) -> Looked:
    """Whether it answers at all: names, connection, certificate."""
    name, origin = f"upstream {route.name}", Origin.of(route.upstream)
    began_s = clock.monotonic_s()
    try:
        response = await talk.hold(_head(route.upstream), wait_s=WAIT_S)
    except UpstreamError as fault:
        fix = "see that its name is right, and that this machine may go there"
        return Looked(fail(name, fault.diagnostics(), fix, exits.TRANSPORT))
    except RemoteProtocolError as fault:
        fix = "see that the upstream is the API itself, and not a page that leads there"
        return Looked(warn(name, fault.diagnostics(), fix))
    took_ms = round((clock.monotonic_s() - began_s) * 1000)
    ahead_s = _ahead_of_date(response, clock.now())
    detail = f"{origin} answers, in {took_ms} ms"
    if response.status >= 500:
        detail = f"{origin} answers with {response.status}"
        return Looked(warn(name, detail, "see whether it has an outage"), ahead_s)
    return Looked(ok(name, detail), ahead_s)


def _head(url: str) -> Exchange[HttpResponse]:
    response = yield HttpRequest("HEAD", url, (("Accept", "*/*"),))
    return response


def _ahead_of_date(response: HttpResponse, now: datetime) -> float | None:
    dates = header_values(response.headers, "date")
    try:
        told = parsedate_to_datetime(dates[0]) if len(dates) == 1 else None
    except ValueError:
        return None
    if told is None or told.tzinfo is None:
        return None
    return (now - told.astimezone(UTC)).total_seconds()


async def look_at_endpoint(talk: Dialogue, clock: Clock, chain: ChainConfig, url: str) -> Looked:
    """Whether it is of its chain, and as new as our clock."""
    where = NETWORK_NAMES[chain.network]
    name, origin = f"RPC {where}", Origin.of(url)
    began_s = clock.monotonic_s()
    try:
        network, newest_at = await talk.hold(_standing(url, chain.network), wait_s=WAIT_S)
    except UpstreamError as fault:
        fix = "see that its URL is right, or name another endpoint"
        return Looked(fail(name, fault.diagnostics(), fix, exits.TRANSPORT))
    except RemoteProtocolError as fault:
        detail = f"{origin}: {fault.diagnostics()}"
        return Looked(fail(name, detail, "name another endpoint", exits.PROTOCOL))
    took_ms = round((clock.monotonic_s() - began_s) * 1000)
    if network != chain.network:
        detail = f"{origin} is of {network}, and stands under {chain.network}"
        return Looked(fail(name, detail, "name an endpoint of that chain", exits.PROTOCOL))
    ahead_s = clock.now().timestamp() - newest_at
    if abs(ahead_s) > CLOCK_SKEW_S_MAX:
        detail = (
            f"{origin}: its newest block is {ahead_s:.0f} s behind our clock; nothing is signed"
        )
        fix = "if the clock is right, it is not synced: name another endpoint"
        return Looked(fail(name, detail, fix, exits.TRANSPORT), ahead_s)
    return Looked(
        ok(name, f"{origin} answers, in {took_ms} ms; block {ahead_s:.0f} s old"), ahead_s
    )


def _standing(url: str, network: str) -> Asks[tuple[str, int]]:
    """Of which chain an endpoint is, and when its newest block was made."""
    if is_evm(network):
        told = f"eip155:{(yield from evm.chain_id(url))}"
        return told, (yield from evm.block(url, "latest")).timestamp
    told = yield from solana.network(url)
    tip = yield from solana.tip(url, "confirmed")
    return told, (yield from solana.block_time(url, tip.slot))


def check_clock(looks: Iterable[Looked]) -> Check:
    """Our clock beside all who told the time."""
    ahead = [look.ahead_s for look in looks if look.ahead_s is not None]
    if not ahead:
        return warn("clock", "nobody told the time", "see that upstreams can be reached")
    # One whose own clock is wrong does not move the middle.
    ahead_s = median(ahead)
    detail = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} {len(ahead)} others"
    if abs(ahead_s) > CLOCK_SKEW_S_MAX:
        return fail("clock", f"{detail}: what is signed cannot settle", "set it (NTP)", exits.USAGE)
    if abs(ahead_s) > SKEW_WARN_S:
        return warn("clock", detail, "let it be set (NTP)")
    return ok("clock", detail)


@dataclass(frozen=True, slots=True)
class Purse:
    """A wallet on a network, and the routes that pay from it there."""

    wallet: str
    address: str
    chain: ChainConfig
    routes: tuple[RouteConfig, ...]


def purses(config: Config, addresses: dict[str, str]) -> Iterator[Purse]:
    """Every wallet on every network that routes pay on and that can be asked."""
    for wallet, address in addresses.items():
        for chain in config.chains.values():
            routes = tuple(
                route
                for route in config.routes.values()
                if route.wallet == wallet and chain.network in route.networks
            )
            if routes:
                yield Purse(wallet, address, chain, routes)


async def look_at_purse(talk: Dialogue, purse: Purse) -> Check:
    """Whether there is money to pay with."""
    where = NETWORK_NAMES[purse.chain.network]
    name, asset = f"{purse.wallet} on {where}", usdc_on(purse.chain.network)
    fix = f"send USDC to {purse.address} on {where} ({purse.chain.network})"
    for url in purse.chain.rpc:
        try:
            held = await talk.hold(balance_of(url, asset, purse.address), wait_s=WAIT_S)
        except SidecarError:
            # What is wrong with the endpoint is told where that is looked at.
            continue
        most = max(route.max_payment for route in purse.routes if route.max_payment is not None)
        if held < most:
            detail = f"{held}, and one payment may be of {most}"
            # What is bought beforehand lasts a while.
            if held.atomic == 0 and any(route.top_up is None for route in purse.routes):
                return fail(name, detail, fix, exits.FUNDS)
            return warn(name, detail, fix)
        budgets = {budget.name: budget for route in purse.routes for budget in route.budgets}
        short = [budget.name for budget in budgets.values() if held < budget.limit]
        beside = f"; less than what is allowed by budget {', '.join(short)}" if short else ""
        return ok(name, f"{held}{beside}")
    return warn(name, "nobody could say what it holds", "mend its chain's endpoint first")
