"""What changed, told to those who watch: server-sent events, each with the whole state.

A state is read once the one before was taken, so a listener who reads slowly holds up nobody and
has one state on its way at most. When the sidecar stops, the last state says so and the stream
ends: a stop does not wait for open pages, and these ask again until nobody answers.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from sidecar.proxy import web
from sidecar.proxy.status_page import HEADERS

LISTENERS_MAX = 8
RETRY_MS = 2_000
_HEADERS = {**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}
# These change by themselves: nothing has happened.
_PASSING = frozenset({"now", "uptime_s"})

State = Callable[[], Awaitable[Mapping[str, Any]]]


class News(Protocol):
    """Whoever knows when something has happened. See ``AdminView``."""

    async def news(self, seen: int) -> int:
        """How much has happened, once there is more than ``seen``, or it is time to look."""
        ...

    def is_stopping(self) -> bool:
        """Whether those who watch are to let go."""
        ...


class Feed:
    """The event streams of one admin port."""

    def __init__(self, view: News, state: State) -> None:
        self._view = view
        self._state = state
        self._listeners = 0

    async def listen(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Tell this listener until it hangs up, or until we stop. None: there are too many."""
        if self._listeners >= LISTENERS_MAX:
            return None
        response = web.StreamResponse(headers=_HEADERS)
        self._listeners += 1
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                await self._tell(response)
        finally:
            self._listeners -= 1
        return response

    async def _tell(self, response: web.StreamResponse) -> None:
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        told: Mapping[str, Any] | None = None
        happened = 0
        stopping = False
        while not stopping:
            # Looked at first: what is told last is how it is while we stop.
            stopping = self._view.is_stopping()
            state = await self._state()
            lasting = {name: value for name, value in state.items() if name not in _PASSING}
            if lasting == told:
                await response.write(_event("heartbeat", {"now": state["now"]}))
            else:
                await response.write(_event("state", state))
            told = lasting
            if not stopping:
                happened = await self._view.news(happened)


def _event(name: str, value: Mapping[str, Any]) -> bytes:
    # JSON has no line break of its own, and escapes those in texts.
    return f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()
