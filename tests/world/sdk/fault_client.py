"""The official SDK's EVM client before a seller that misbehaves: what its app got.

Reads one case a line from the standard input, as JSON: ``name``, ``url``, ``body``, ``tries`` and
``wait_s``. Writes one line for each: ``name`` and ``heard``, the last status, 0 where the answer
broke off or none came. An app that tries more than once tries whatever fails. All the client's
settings are its own defaults.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
from eth_account import Account
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import register_exact_evm_client

KEY_VARIABLE = "CLIENT_KEY"
CALLS_MAX = 12
SERVED = 200
BROKEN = 0


async def heard(case: dict[str, Any]) -> int:
    """What the last try of this app came to."""
    client = x402Client()
    register_exact_evm_client(client, EthAccountSigner(Account.from_key(os.environ[KEY_VARIABLE])))
    status = BROKEN
    transport = x402AsyncTransport(client, httpx.AsyncHTTPTransport())
    async with httpx.AsyncClient(transport=transport, timeout=case["wait_s"]) as http:
        for _ in range(case["tries"]):
            try:
                status = (await http.post(case["url"], json=case["body"])).status_code
            # Whatever it raises, its app was not served.
            except Exception:
                status = BROKEN
            if status == SERVED:
                break
    return status


async def main() -> None:
    """Try them all, so many at once."""
    slots = asyncio.Semaphore(CALLS_MAX)

    async def answer(line: str) -> None:
        case = json.loads(line)
        async with slots:
            status = await heard(case)
        print(json.dumps({"name": case["name"], "heard": status}), flush=True)

    await asyncio.gather(*(answer(line) for line in sys.stdin))


if __name__ == "__main__":
    asyncio.run(main())
