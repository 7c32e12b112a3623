"""A request that the fast lane sent, and that goes on in the ordinary way from here.

The lane relays what is ordinary. Any other answer, and any fault, it hands over with all that it
has: so there is one code that pays, that retries, and that tells of what went wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from aiohttp.connector import Connection

from sidecar.errors import SidecarError
from sidecar.http import HttpRequest, Reply
from sidecar.providers.base import Credential
from sidecar.proxy.admission import Caller
from sidecar.proxy.calls import Asked
from sidecar.proxy.route import Route
from sidecar.proxy.upstream import HttpUpstream
from sidecar.proxy.wires import Wire
from sidecar.values import dataclass


class Outcome(Protocol):
    """What became of it upstream. One of the two is called, once."""

    async def reply(self, request: HttpRequest) -> Reply:
        """The reply, or the fault raised; ``request`` is what was sent, should it go again."""
        ...

    def drop(self) -> None:
        """Nobody asks for the reply any more."""
        ...


class Answered:
    """A reply that is on its way, and of which this much is here. Nobody asks the wire after it."""

    def __init__(
        self,
        upstream: HttpUpstream,
        wire: Wire,
        method: str,
        data: bytes,
        waits_s: tuple[float, float],
    ) -> None:
        upstream.expect(wire.handler, method)
        self._upstream = upstream
        self._connection: Connection = wire.hand_over(data)
        self._wait_s, self._left_s = waits_s

    async def reply(self, request: HttpRequest) -> Reply:
        return await self._upstream.finish(
            request, self._connection, wait_s=self._wait_s, left_s=self._left_s
        )

    def drop(self) -> None:
        self._connection.close()


class Failed:
    """A fault in place of the reply."""

    def __init__(self, fault: SidecarError) -> None:
        self._fault = fault

    async def reply(self, request: HttpRequest) -> Reply:
        raise self._fault

    def drop(self) -> None:
        pass


# Not frozen, at a quarter of the price: every call that is paid for makes one.
@dataclass(slots=True)
class Begun:
    """What is known of it. Whoever takes it calls ``give_back`` once, at its end."""

    request_id: str
    began_s: float
    upstream_s: float
    caller: Caller
    route: Route
    target: str
    credential: Credential = field(repr=False)
    asked: Asked = field(repr=False)
    body: bytes = field(repr=False)
    taken: int
    outcome: Outcome
    give_back: Callable[[], None]
