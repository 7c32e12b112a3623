"""A seller on the official x402 v2 SDK: its middleware in front of the goods."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import goods
from fastapi import FastAPI, Request
from x402 import x402ResourceServer
from x402.extensions.bazaar import declare_discovery_extension
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig
from x402.mechanisms.evm.exact import register_exact_evm_server

NETWORK = "eip155:84532"
FOR_SALE = ("GET /v1/paid-models", "POST /v1/chat/completions")

# In base64 these make a header of about 30 KB: more than 24 KiB, less than 32 KiB.
FAT_PROPERTIES = 240


def _fat_schema() -> dict[str, Any]:
    properties = {
        f"option_{number:03}": {"type": "string", "description": "One of many options. " * 2}
        for number in range(FAT_PROPERTIES)
    }
    return {"type": "object", "properties": properties}


def _extensions(route: str, options: Namespace) -> dict[str, Any] | None:
    """A discovery entry with a schema that is as long as real ones get, where asked for."""
    if not options.fat:
        return None
    body_type = "json" if route.startswith("POST") else None
    return declare_discovery_extension(
        input={"option_000": "a"}, input_schema=_fat_schema(), body_type=body_type
    )


def _route(route: str, options: Namespace) -> RouteConfig:
    accepted = PaymentOption(
        scheme="exact",
        network=NETWORK,
        pay_to=options.pay_to,
        price=f"${options.price}",
        max_timeout_seconds=options.max_timeout_s,
    )
    return RouteConfig(
        accepts=accepted,
        description="One call of the test seller",
        mime_type="application/json",
        extensions=_extensions(route, options),
    )


def build(options: Namespace) -> FastAPI:
    """The goods, behind the SDK's middleware."""
    config = FacilitatorConfig(url=options.facilitator, timeout=options.facilitator_wait_s)
    server = x402ResourceServer(HTTPFacilitatorClient(config))
    register_exact_evm_server(server)
    charge = payment_middleware({route: _route(route, options) for route in FOR_SALE}, server)
    app = goods.build()

    @app.middleware("http")
    async def pay_first(request: Request, call_next: Any) -> Any:
        return await charge(request, call_next)

    return app


def main() -> None:
    """Serve until stopped."""
    parser = goods.arguments(__doc__ or "")
    parser.add_argument("--fat", action="store_true", help="make the challenge header 30 KB long")
    parser.add_argument("--max-timeout-s", type=int, default=300)
    parser.add_argument("--facilitator-wait-s", type=float, default=60)
    options = parser.parse_args()
    goods.serve(build(options), options)


if __name__ == "__main__":
    main()
