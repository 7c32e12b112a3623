"""The connections to all upstreams: one pool, without aiohttp's limit of a hundred.

Paid streams live long; behind a limit the hundred and first app would wait for one to end.
"""

from __future__ import annotations

from weakref import WeakSet

from aiohttp import TCPConnector

from sidecar.http import Origin
from sidecar.proxy.upstream import HttpUpstream, ProxyFor, directly
from sidecar.proxy.wires import Wires
from sidecar.tasks import Supervisor

DNS_TTL_S = 30


class Pool:
    """Makes upstreams that share connections; closed once, at the end."""

    def __init__(self, tasks: Supervisor, proxy_for: ProxyFor = directly) -> None:
        self._tasks = tasks
        self._proxy_for = proxy_for
        self._connector = TCPConnector(limit=0, ttl_dns_cache=DNS_TTL_S)
        # A route that is no longer served is let go of, and so are its connections.
        self._wires: WeakSet[Wires] = WeakSet()

    def upstream(
        self, origins: frozenset[Origin], connect_wait_s: float, idle_s: float
    ) -> HttpUpstream:
        """A port that reaches these origins and no others."""
        return HttpUpstream(
            origins, self._connector, self._tasks, connect_wait_s, idle_s, self._proxy_for
        )

    def wires(self, upstream: HttpUpstream, base_url: str) -> Wires:
        """Connections for the fast lane to one of the upstream's origins."""
        wires = Wires(upstream, Origin.of(base_url))
        self._wires.add(wires)
        return wires

    async def close(self) -> None:
        """Close every connection."""
        for wires in tuple(self._wires):
            wires.close()
        await self._connector.close()
