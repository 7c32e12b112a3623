"""A request that the fast lane sent, and that goes on in the ordinary way from here.

The lane relays what is ordinary. Any other answer, and any fault, it hands over with all that it
has: so there is one code that pays, that retries, and that tells of what went wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sidecar.http import HttpRequest, Reply
from sidecar.providers.base import Credential
from sidecar.proxy.admission import Caller
from sidecar.proxy.route import Route


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of it. Whoever takes it calls ``give_back`` once, at its end."""

    request_id: str
    began_s: float
    upstream_s: float
    caller: Caller
    route: Route
    target: str
    credential: Credential = field(repr=False)
    body: bytes = field(repr=False)
    taken: int
    # The reply, or the fault raised; the request is what was sent, should it have to go again.
    answer: Callable[[HttpRequest], Awaitable[Reply]]
    # What to do when nobody asks for the answer any more.
    drop: Callable[[], None]
    give_back: Callable[[], None]
