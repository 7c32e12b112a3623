"""What most would write: an aiohttp handler and a ClientSession. The proxy to compare with."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", ClientSession)
DROPPED = {"host", "authorization", "connection", "transfer-encoding", "content-length"}


async def relay(request: web.Request) -> web.StreamResponse:
    """Send it on with another key, and stream the answer back."""
    headers = [
        (name, value) for name, value in request.headers.items() if name.lower() not in DROPPED
    ]
    headers.append(("Authorization", "Bearer sk-upstream"))
    url = request.app[UPSTREAM] + request.path_qs
    body = await request.read()
    async with request.app[SESSION].request(
        request.method, url, headers=headers, data=body
    ) as reply:
        response = web.StreamResponse(status=reply.status)
        response.content_type = reply.content_type
        await response.prepare(request)
        async for chunk in reply.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def session(app: web.Application) -> AsyncIterator[None]:
    """One ClientSession for the life of the application."""
    app[SESSION] = ClientSession()
    yield
    await app[SESSION].close()


if __name__ == "__main__":
    naive = web.Application(client_max_size=1 << 30)
    naive[UPSTREAM] = sys.argv[2]
    naive.cleanup_ctx.append(session)
    naive.router.add_route("*", "/{path:.*}", relay)
    web.run_app(naive, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
