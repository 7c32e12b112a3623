"""A proxy on the official x402 client for Python: Starlette before its httpx transport.

python_x402.py PORT UPSTREAM KEY, in the environment of the official SDK.
"""

# What it imports is in that environment alone.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from eth_account import Account
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import register_exact_evm_client

PORT, UPSTREAM, KEY = sys.argv[1:]
HOPS = {"host", "connection", "transfer-encoding", "content-length", "authorization"}


@asynccontextmanager
async def client(app: Starlette) -> AsyncIterator[None]:
    """One client for the life of the application, without limits of its own."""
    payer = x402Client()
    register_exact_evm_client(payer, EthAccountSigner(Account.from_key(KEY)))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    transport = x402AsyncTransport(payer, httpx.AsyncHTTPTransport(limits=limits))
    async with httpx.AsyncClient(transport=transport, timeout=None) as app.state.http:
        yield


async def relay(request: Request) -> StreamingResponse:
    """Send it on with another key, and stream the answer back."""
    headers = [(name, value) for name, value in request.headers.items() if name not in HOPS]
    headers.append(("authorization", "Bearer sk-upstream"))
    url = UPSTREAM + request.url.path
    http: httpx.AsyncClient = request.app.state.http
    reply = await http.send(
        http.build_request(request.method, url, headers=headers, content=await request.body()),
        stream=True,
    )
    kept = {name: value for name, value in reply.headers.items() if name not in HOPS}
    return StreamingResponse(
        reply.aiter_raw(), reply.status_code, kept, background=BackgroundTask(reply.aclose)
    )


METHODS = ["GET", "POST"]
app = Starlette(routes=[Route("/{path:path}", relay, methods=METHODS)], lifespan=client)
uvicorn.run(app, host="127.0.0.1", port=int(PORT), log_level="error", access_log=False)
