"""The vendors' part of the sandbox's office, under /sandbox/vendors.

GET    /sandbox/vendors                          every vendor's books
GET    /sandbox/vendors/faults                   every misdeed and what it does
POST   /sandbox/vendors/<name>/faults            {"fault": name, "times": n, "seconds": s}
DELETE /sandbox/vendors/faults                   behave again
POST   /sandbox/vendors/<name>/accounts/<holder> {"balance": "0.05"}: what it has from now on
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from aiohttp import web

from sidecar.document import read_json
from sidecar.sandbox.replies import failure
from sidecar.sandbox.vendors.answers import json_answer
from sidecar.sandbox.vendors.conduct import TIMES_MAX, Conduct, Misdeed
from sidecar.sandbox.vendors.premises import Vendor

SECONDS_MAX = 3_600
DIGITS_MAX = 30


class VendorOffice:
    """The endpoints that watch the vendors and tell them how to misbehave."""

    def __init__(self, vendors: Sequence[Vendor], conduct: Conduct) -> None:
        self._vendors = {vendor.name: vendor for vendor in vendors}
        self._conduct = conduct

    def routes(self) -> Iterable[web.RouteDef]:
        """Everything under /sandbox/vendors."""
        return (
            web.get("/sandbox/vendors", self._books),
            web.get("/sandbox/vendors/faults", self._list_faults),
            web.delete("/sandbox/vendors/faults", self._clear_faults),
            web.post("/sandbox/vendors/{name}/faults", self._add_fault),
            web.post("/sandbox/vendors/{name}/accounts/{holder}", self._set_balance),
        )

    async def _books(self, request: web.Request) -> web.Response:
        return json_answer({name: found.books.to_json() for name, found in self._vendors.items()})

    async def _list_faults(self, request: web.Request) -> web.Response:
        return json_answer({misdeed.value: misdeed.meaning for misdeed in Misdeed})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._conduct.clear()
        return json_answer({})

    async def _add_fault(self, request: web.Request) -> web.Response:
        vendor = self._vendors.get(request.match_info["name"])
        if vendor is None:
            return failure(404, f"no vendor of that name; known: {', '.join(self._vendors)}")
        document = await _document(request)
        times, seconds = document.get("times", 1), document.get("seconds", 0)
        misdeed = next((one for one in Misdeed if one.value == document.get("fault")), None)
        if misdeed is None or document.keys() - {"fault", "times", "seconds"}:
            known = ", ".join(one.value for one in Misdeed)
            return failure(400, f'send {{"fault": name, "times": n, "seconds": s}}; known: {known}')
        if type(times) is not int or not 0 < times <= TIMES_MAX:
            return failure(400, f"times is 1 to {TIMES_MAX}")
        if not isinstance(seconds, int | float) or not 0 <= seconds <= SECONDS_MAX:
            return failure(400, f"seconds is 0 to {SECONDS_MAX}")
        self._conduct.add(vendor.name, misdeed, times=times, seconds=float(seconds))
        return json_answer({"fault": misdeed.value, "times": times, "seconds": seconds})

    async def _set_balance(self, request: web.Request) -> web.Response:
        vendor = self._vendors.get(request.match_info["name"])
        if vendor is None:
            return failure(404, f"no vendor of that name; known: {', '.join(self._vendors)}")
        document = await _document(request)
        balance = _amount(document.get("balance"))
        if balance is None or document.keys() != {"balance"}:
            return failure(400, 'send {"balance": "<decimal>"}')
        account = vendor.books.account(request.match_info["holder"])
        account.balance = balance
        return json_answer({"holder": account.holder, "balance": str(account.balance)})


async def _document(request: web.Request) -> dict[str, object]:
    """The body; what is not an object has nothing in it."""
    try:
        document = read_json(await request.read())
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _amount(text: object) -> Decimal | None:
    if not isinstance(text, str) or len(text) > DIGITS_MAX:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
