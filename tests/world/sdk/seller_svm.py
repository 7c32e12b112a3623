"""A seller on the official x402 v2 SDK that takes Solana: its middleware in front of the goods."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import goods
from fastapi import FastAPI, Request
from x402 import x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig
from x402.mechanisms.svm.exact import register_exact_svm_server

FOR_SALE = ("GET /v1/paid-models", "POST /v1/chat/completions")


def _route(options: Namespace) -> RouteConfig:
    extra = {"memo": options.memo} if options.memo else {}
    accepted = PaymentOption(
        scheme="exact",
        network=options.network,
        pay_to=options.pay_to,
        price=f"${options.price}",
        max_timeout_seconds=300,
        extra=extra,
    )
    return RouteConfig(
        accepts=accepted, description="One call of the test seller", mime_type="application/json"
    )


def build(options: Namespace) -> FastAPI:
    """The goods, behind the SDK's middleware."""
    config = FacilitatorConfig(url=options.facilitator, timeout=60)
    server = x402ResourceServer(HTTPFacilitatorClient(config))
    register_exact_svm_server(server, rpc_url=options.rpc)
    charge = payment_middleware({route: _route(options) for route in FOR_SALE}, server)
    app = goods.build()

    @app.middleware("http")
    async def pay_first(request: Request, call_next: Any) -> Any:
        return await charge(request, call_next)

    return app


def main() -> None:
    """Serve until stopped."""
    parser = goods.arguments(__doc__ or "")
    parser.add_argument("--network", required=True)
    parser.add_argument("--memo", help="wanted in every payment")
    parser.add_argument("--rpc", help="puts a recent blockhash into the terms")
    options = parser.parse_args()
    goods.serve(build(options), options)


if __name__ == "__main__":
    main()
