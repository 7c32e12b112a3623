"""How a route's vendor is reached: kept from one config to the next where that has not changed.

What a vendor knows us by, a sign-in or a connection, has nothing to do with our own rules: a
route whose budget was changed does not sign in again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TypeAlias

from sidecar.config.model import Config, RouteConfig, Secret
from sidecar.http import Upstream
from sidecar.payments.balances import Source
from sidecar.payments.credentials import Credentials
from sidecar.payments.events import Emit
from sidecar.providers.base import Provider
from sidecar.proxy.lane import Slots
from sidecar.proxy.pool import Pool
from sidecar.proxy.upstream import HttpUpstream
from sidecar.proxy.wires import Wires
from sidecar.service import vendors
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened
from sidecar.values import dataclass

# What it is made of: the route without our own rules, and the key that was opened for it.
Identity: TypeAlias = tuple[RouteConfig, Secret | None]
# By the upstream and the wallet, whatever routes they go by.
AllSlots: TypeAlias = dict[tuple[str, str | None], Slots]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contact:
    """A route's vendor, as it is reached. ``unbounded``: with no limit of requests in flight."""

    identity: Identity
    provider: Provider
    pooled: HttpUpstream
    unbounded: Upstream
    credentials: Credentials
    source: Source
    wires: Wires | None  # for the fast lane; None where all go the ordinary way


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Known:
    """What one config leaves to the next: contacts, and the turns of each wallet at a vendor."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    slots: AllSlots = field(default_factory=dict)


def identity_of(route: RouteConfig, opened: Opened) -> Identity:
    """What has to be the same for a contact to be kept."""
    bare = RouteConfig(route.name, route.provider, route.upstream)
    vendors_part = replace(
        route,
        default=bare.default,
        max_payment=bare.max_payment,
        budgets=bare.budgets,
        pay_to=bare.pay_to,
        price_jump_max=bare.price_jump_max,
        top_up=bare.top_up,
        approval=bare.approval,
        validity_s=bare.validity_s,
        breaker=bare.breaker,
    )
    return vendors_part, opened.api_keys.get(route.name)


def make_contact(
    route: RouteConfig, config: Config, opened: Opened, pool: Pool, ports: Ports, emit: Emit
) -> Contact:
    """A new one. ConfigError when its upstream is none of its vendor."""
    shadow = config.mode == "shadow"
    provider = vendors.build_provider(route, opened, shadow=shadow)
    pooled = pool.upstream(provider.origins, route.connect_wait_s, route.response_wait_s)
    unbounded = ports.wrap_upstream(pooled)
    credentials = Credentials(
        route.name,
        vendors.signs_in(provider, shadow=shadow),
        unbounded,
        (ports.clock, ports.entropy, emit),
    )
    # What tells of itself is for the ordinary way.
    tells = provider.traits.reads_bodies or provider.traits.reads_heads
    direct = config.limits.fast_lane and unbounded is pooled and not tells
    return Contact(
        identity_of(route, opened),
        provider,
        pooled,
        unbounded,
        credentials,
        Source(route.name, provider, unbounded, credentials.get),
        pool.wires(pooled, route.upstream) if direct else None,
    )
