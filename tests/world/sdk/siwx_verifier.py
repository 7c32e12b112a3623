"""The official SDK as a seller that knows its members: it asks for a sign-in, and judges it.

``GET /members`` is the SDK's own middleware with its sign-in-with-x extension, on a route where
nothing is for sale. ``POST /verify`` says what the SDK makes of one header: its own code for the
refusal, or "" where it is accepted.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from x402 import x402ResourceServer
from x402.extensions.sign_in_with_x import (
    CreateSIWxResourceServerExtensionOptions,
    DeclareSIWxOptions,
    InMemorySIWxStorage,
    create_siwx_resource_server_extension,
    declare_siwx_extension,
    parse_siwx_header,
    validate_siwx_message,
    verify_siwx_signature,
)
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import RouteConfig

NETWORKS = ["eip155:84532", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"]


async def verdict(header: str, origin: str) -> str:
    """The SDK's code for why it refuses this header at this origin; "" if it accepts it."""
    try:
        payload = parse_siwx_header(header)
    except ValueError as fault:
        return f"unreadable: {fault}"
    validation = await validate_siwx_message(payload, origin)
    if not validation.is_valid:
        return str(validation.invalid_reason)
    verification = await verify_siwx_signature(payload)
    if not verification.is_valid:
        return str(verification.invalid_reason)
    return "" if verification.payer == payload.address else "another payer"


def build(origin: str) -> FastAPI:
    """The seller at ``origin``."""
    options = CreateSIWxResourceServerExtensionOptions(storage=InMemorySIWxStorage(), origin=origin)
    server = x402ResourceServer()
    server.register_extension(create_siwx_resource_server_extension(options))
    asked = declare_siwx_extension(
        DeclareSIWxOptions(statement="Sign in, please", network=NETWORKS, expirationSeconds=60)
    )
    route = RouteConfig(accepts=[], description="For members", extensions=asked)
    # Nothing is for sale, so there is no facilitator to ask what it supports.
    charge = payment_middleware({"GET /members": route}, server, sync_facilitator_on_start=False)
    app = FastAPI()

    @app.middleware("http")
    async def sign_in_first(request: Request, call_next: Any) -> Any:
        return await charge(request, call_next)

    @app.get("/members")
    async def members() -> dict[str, str]:
        return {"for": "members"}

    @app.post("/verify")
    async def verify(question: dict[str, str]) -> dict[str, str]:
        return {"code": await verdict(question["header"], question["origin"])}

    return app


def main() -> None:
    """Serve until stopped."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    app = build(f"http://127.0.0.1:{port}")
    uvicorn.run(app, host="127.0.0.1", port=port, http="h11", log_level="warning")


if __name__ == "__main__":
    main()
