"""The official SDK's EVM client before hostile sellers: which answers it pays, and how.

Reads one seller's answer a line from the standard input, as JSON: ``name``, ``headers``, ``body``
in base64. Writes one line for each: ``name``, the payment header that was sent ("" where none
was), and ``at``, the time when it was, in seconds. All its settings are its own defaults.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from typing import Any

import httpx
from eth_account import Account
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import register_exact_evm_client

KEY_VARIABLE = "CLIENT_KEY"
URL = "https://seller.example/v1/chat"
WAIT_S = 20.0


class HostileSeller(httpx.AsyncBaseTransport):
    """Answers as it is told, and keeps the last payment that it got."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case
        self.payment = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        payment = request.headers.get("payment-signature", request.headers.get("x-payment", ""))
        if payment:
            self.payment = payment
            return httpx.Response(200, json={}, request=request)
        headers = [
            (name.encode("utf-8", "replace"), value.encode("utf-8", "replace"))
            for name, value in self._case["headers"]
        ]
        body = base64.b64decode(self._case["body"])
        return httpx.Response(402, headers=headers, stream=Body(body), request=request)


class Body(httpx.AsyncByteStream):
    """Bytes as they come from the network: not yet decoded."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> Any:
        yield self._body


async def meet(case: dict[str, Any]) -> dict[str, Any]:
    """One call to this seller, with a client of its own."""
    client = x402Client()
    register_exact_evm_client(client, EthAccountSigner(Account.from_key(os.environ[KEY_VARIABLE])))
    seller = HostileSeller(case)
    fault = ""
    async with httpx.AsyncClient(transport=x402AsyncTransport(client, seller)) as http:
        try:
            await asyncio.wait_for(http.get(URL), WAIT_S)
        # Whatever it raises, it did not pay.
        except Exception as error:
            fault = type(error).__name__
    return {"name": case["name"], "payment": seller.payment, "at": int(time.time()), "fault": fault}


async def main() -> None:
    """Meet them all."""
    for line in sys.stdin:
        print(json.dumps(await meet(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
