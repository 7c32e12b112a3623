"""The doors to the world, which a test replaces."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import field
from types import MappingProxyType

from sidecar.clock import Clock, DrawnEntropy, Entropy, SystemClock, SystemEntropy
from sidecar.http import Upstream
from sidecar.ledger import Ledger
from sidecar.proxy.upstream import ProxyFor, directly
from sidecar.values import dataclass


def _as_it_is_ledger(ledger: Ledger) -> Ledger:
    return ledger


def _as_it_is_upstream(upstream: Upstream) -> Upstream:
    return upstream


@dataclass(frozen=True, slots=True)
class Place:
    """What a process does of what only one of several workers does. Alone, it does everything.

    ``leads``: it makes the rounds (``loops``). ``has_admin``: the admin port is its own.
    """

    leads: bool = True
    has_admin: bool = True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ports:
    """Time, chance, and what may stand around the books and the wire.

    ``sockets``: those that listen already, in place of ``listen`` and ``admin``. ``proxy_for``:
    which upstreams are reached through a proxy.
    """

    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=lambda: DrawnEntropy(SystemEntropy()))
    wrap_ledger: Callable[[Ledger], Ledger] = _as_it_is_ledger
    wrap_upstream: Callable[[Upstream], Upstream] = _as_it_is_upstream
    sockets: Mapping[str, socket.socket] = field(default_factory=lambda: MappingProxyType({}))
    proxy_for: ProxyFor = directly
    place: Place = Place()
