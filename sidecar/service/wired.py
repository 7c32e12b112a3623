"""All that a config makes of a running sidecar: built whole, then put in place of what was.

Two kinds of things are told apart here. What lives as long as the process (``Lasting``) is one,
whatever its configs say: the books, the connections, the payments under way, what is counted. What
a config makes (``Wired``) is never changed: a request that began by one ends by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from sidecar.clock import WatchedClock
from sidecar.config.model import Config
from sidecar.http import Upstream
from sidecar.ledger import Ledger
from sidecar.payments.balances import Balances
from sidecar.payments.by_hand import ByHand
from sidecar.payments.events import Emit
from sidecar.payments.payer import Payer
from sidecar.payments.prepaid import Standing
from sidecar.payments.purchases import Purchases
from sidecar.payments.topups import TopUps
from sidecar.providers.base import Balance
from sidecar.proxy.admission import Gate
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.dealings import Dealings
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.handler import RequestHandler
from sidecar.proxy.pool import Pool
from sidecar.proxy.route import RouteTable
from sidecar.service import wiring
from sidecar.service.contacts import AllSlots, Contact, Known
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened
from sidecar.tasks import Supervisor
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lasting:
    """What there is one of, as long as the process lives."""

    ledger: Ledger
    pool: Pool
    tasks: Supervisor
    ports: Ports
    clock: WatchedClock
    emit: Emit
    chain: Upstream
    payer: Payer
    purchases: Purchases
    memory: ReplayMemory
    gate: Callable[[], Gate]  # the rules at the door now
    standing: Standing = field(default_factory=Standing)
    slots: AllSlots = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Wired:
    """What one config has made."""

    config: Config
    opened: Opened
    contacts: Mapping[str, Contact]
    table: RouteTable
    balances: Balances
    topups: TopUps
    by_hand: ByHand
    handler: RequestHandler


def wire(lasting: Lasting, config: Config, opened: Opened, before: Wired | None) -> Wired:
    """Build all of it, and start nothing. ConfigError: this config cannot be served.

    What the one ``before`` knows of vendors lives on where they are reached as they were.
    """
    ports, clock, emit, tasks = lasting.ports, lasting.clock, lasting.emit, lasting.tasks
    made = wiring.Wiring(
        config,
        opened,
        lasting.pool,
        lasting.chain,
        ports,
        emit,
        (lasting.ledger, tasks),
        Known({} if before is None else before.contacts, lasting.slots),
    )
    table = made.routes()
    prepaid = {name: route.prepaid for name, route in table.routes.items() if route.prepaid}

    def on_balance(route: str, account: str, seen: tuple[Balance, ...]) -> None:
        topups.see(route, account, seen)

    if before is None:
        balances = Balances(ports.clock, emit, on_balance)
    else:
        balances = before.balances.heir(on_balance, kept_routes(before, made.contacts))
    topups = TopUps(
        prepaid,
        lasting.payer,
        lasting.ledger,
        balances,
        tasks,
        clock,
        emit,
        standing=lasting.standing,
    )
    limits = wiring.request_limits(config)
    dealings = Dealings(
        lasting.purchases,
        topups,
        Delivery(lasting.payer, balances, tasks, ports.clock, emit),
        limits.replay_bytes_max,
        clock,
        emit,
    )
    if before is None:
        handler = RequestHandler(
            lasting.gate,
            table,
            dealings,
            lasting.memory,
            limits,
            (ports.clock, ports.entropy, emit),
        )
    else:
        handler = before.handler.heir(table, dealings, limits)
    by_hand = ByHand(prepaid, topups, lasting.ledger, balances, clock)
    return Wired(config, opened, made.contacts, table, balances, topups, by_hand, handler)


def kept_routes(before: Wired, contacts: Mapping[str, Contact]) -> frozenset[str]:
    """The routes whose vendors are reached as they were."""
    return frozenset(
        name for name, contact in before.contacts.items() if contacts.get(name) is contact
    )
