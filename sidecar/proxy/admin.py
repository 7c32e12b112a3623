"""The other port: probes, metrics and status; the switch that stops all signing; approvals.

    /livez    the process answers         no IO
    /readyz   it could pay now            200, or 503 and what is wrong
    /metrics  for Prometheus
    /         the status page, which listens to
    /events   what /status says, again whenever it changed
    /status   for programs
    /freeze   POST, with the admin token: no payment is signed any more, until
    /unfreeze POST, with the admin token
    /reload   POST, with the admin token: the config is read again
    /approve/PAYMENT  POST, with the admin token: what waits for a person is paid
    /refuse/PAYMENT   POST, with the admin token: it is not
    /top-up/ROUTE     POST, with the admin token: credit is bought; /ACCOUNT where it has several

A web page can reach this port too, so the door is the data port's (``admission``). What only shows
wants no token; what changes anything wants one that apps do not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sidecar.errors import LedgerError
from sidecar.proxy import web
from sidecar.proxy.admin_office import (
    DECISIONS,
    PAGES,
    SWITCHES,
    TOP_UP,
    Office,
    Said,
    in_json,
    is_switch,
)
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.answers import Answer
from sidecar.proxy.feed import LISTENERS_MAX, Feed
from sidecar.proxy.status_page import FILES, page_file

EVENTS = "/events"
_CROWDED = f"{LISTENERS_MAX} pages are open already; close one"
ADMIN = Caller("admin")
_METHODS = frozenset({"GET", "HEAD"})
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class AdminHandler:
    """Answers on the admin port. ``hosts``: the names, with port, that it may be called by.

    ``token``: what lets a request change something.
    """

    def __init__(self, office: Office, hosts: Callable[[], frozenset[str]], token: str) -> None:
        self._office = office
        self._hosts = hosts
        self._tokens = {token: ADMIN}
        self._feed = Feed(office, office.describe)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        headers = tuple(request.headers.items())
        admitted = Gate(self._hosts(), tokens=None).admit(request.method, request.raw_path, headers)
        if isinstance(admitted, Answer):
            return _json(admitted.status, {"error": admitted.message})
        path = request.raw_path.partition("?")[0]
        if is_switch(path):
            return await self._switch(request, path)
        if path not in PAGES and path != EVENTS and path not in FILES:
            decisions = (f"{path}PAYMENT" for path in DECISIONS)
            known = ("/", EVENTS, *PAGES, *SWITCHES, *decisions, f"{TOP_UP}ROUTE")
            return _json(404, {"error": f"there is {', '.join(known)}"})
        if request.method not in _METHODS:
            return _not_allowed("this only shows; use GET", "GET, HEAD")
        if path in PAGES:
            return _answer(await self._office.page(path, request.headers.get("Accept", "")))
        if path in FILES:
            return await page_file(path)
        listened = await self._feed.listen(request)
        return _json(503, {"error": _CROWDED}) if listened is None else listened

    async def _switch(self, request: web.BaseRequest, path: str) -> web.Response:
        if request.method != "POST":
            return _not_allowed("this changes something; use POST", "POST")
        headers = tuple(request.headers.items())
        admitted = Gate(self._hosts(), self._tokens).admit("POST", request.raw_path, headers)
        if isinstance(admitted, Answer):
            error = "this wants the token in admin.token of the state folder, as a bearer token"
            return _json(admitted.status, {"error": error})
        try:
            return _answer(await self._office.switch(path))
        except LedgerError as fault:
            return _json(503, {"error": fault.diagnostics()})


def _answer(said: Said) -> web.Response:
    headers = {**_HEADERS, "Content-Type": said.content_type}
    return web.Response(status=said.status, body=said.body, headers=headers)


def _not_allowed(error: str, allowed: str) -> web.Response:
    response = _json(405, {"error": error})
    response.headers["Allow"] = allowed
    return response


def _json(status: int, value: Mapping[str, Any]) -> web.Response:
    return _answer(in_json(status, value))
