"""The official SDK's SVM client: pays for one GET, and prints the status, receipt and payment."""

from __future__ import annotations

import asyncio
import json
import os
from argparse import ArgumentParser, Namespace

import httpx
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.mechanisms.svm import KeypairSigner
from x402.mechanisms.svm.exact import register_exact_svm_client

KEY_VARIABLE = "CLIENT_KEY"


class Recording(httpx.AsyncHTTPTransport):
    """What goes to the network, and keeps the last payment that went."""

    payment = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.payment = request.headers.get("payment-signature", self.payment)
        return await super().handle_async_request(request)


async def pay(options: Namespace) -> None:
    """One paid call."""
    signer = KeypairSigner.from_base58(os.environ[KEY_VARIABLE])
    client = x402Client()
    register_exact_svm_client(client, signer, rpc_url=options.rpc)
    recording = Recording()
    transport = x402AsyncTransport(client, recording)
    async with httpx.AsyncClient(transport=transport, timeout=60) as http:
        response = await http.get(options.url)
    print(
        json.dumps(
            {
                "status": response.status_code,
                "receipt": response.headers.get("payment-response", ""),
                "challenge": response.headers.get("payment-required", ""),
                "payment": recording.payment,
            }
        )
    )


def main() -> None:
    """Pay once."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rpc", required=True, help="the chain's URL")
    asyncio.run(pay(parser.parse_args()))


if __name__ == "__main__":
    main()
