"""What a vendor sends back: JSON, goods whole or streamed, and refusals that are written down."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from aiohttp import web

from sidecar.clock import Clock
from sidecar.sandbox.goods import Goods
from sidecar.sandbox.vendors.accounts import Account, VendorBooks

MINUTE_S = 60.0


def json_answer(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response. Money stands in it as vendors write it: as a number."""
    return web.Response(
        status=status,
        body=json.dumps(document, default=_number).encode(),
        headers=headers,
        content_type="application/json",
    )


def refusal(
    holder: Account | VendorBooks,
    request: web.Request,
    status: int,
    document: Mapping[str, object],
    *,
    code: str,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A refusal, written down where it belongs: with an account, or with nobody's."""
    holder.refuse(request.path, status, code, detail)
    return json_answer(document, status, headers)


def garbage() -> web.Response:
    """What stands in for an answer that nobody can read."""
    return web.Response(text="<html><body>Bad luck</body></html>", content_type="text/html")


async def send_goods(
    request: web.Request, goods: Goods, headers: Mapping[str, str], clock: Clock, delay_s: float
) -> web.StreamResponse:
    """Send the goods; a stream part by part, with this delay after each."""
    response = web.StreamResponse(status=goods.status, headers=headers)
    response.content_type = goods.content_type
    if goods.streamed:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(goods.body)
    try:
        await response.prepare(request)
        for part in goods.parts:
            await response.write(part)
            if goods.streamed:
                await clock.sleep(delay_s)
        await response.write_eof()
    except ConnectionError:
        # The client has gone; what was made for it is charged all the same.
        return response
    return response


class PerMinute:
    """At most so many in any sixty seconds, for each key."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._seen: dict[str, deque[float]] = {}

    def allows(self, key: str) -> bool:
        """Whether one more may come now. One that is refused is not counted."""
        now_s = self._clock.monotonic_s()
        seen = self._seen.setdefault(key, deque())
        while seen and now_s - seen[0] >= MINUTE_S:
            seen.popleft()
        if len(seen) >= self._most:
            return False
        seen.append(now_s)
        return True


def _number(value: object) -> float:
    assert isinstance(value, Decimal), value
    return float(value)
