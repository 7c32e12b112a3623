"""The official SDK's EVM facilitator behind HTTP, for both versions of x402.

It verifies against the chain and settles on it: one real transaction for each payment.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from typing import Any

import uvicorn
from fastapi import FastAPI
from x402 import x402FacilitatorSync
from x402.mechanisms.evm import FacilitatorWeb3Signer
from x402.mechanisms.evm.exact import register_exact_evm_facilitator
from x402.schemas import PaymentPayload, PaymentRequirements
from x402.schemas.v1 import PaymentPayloadV1, PaymentRequirementsV1

KEY_VARIABLE = "FACILITATOR_KEY"


def read(body: dict[str, Any]) -> tuple[Any, Any]:
    """The payment and the requirements of one call, in the version that it names."""
    payload, requirements = body["paymentPayload"], body["paymentRequirements"]
    if body["x402Version"] == 1:
        return PaymentPayloadV1(**payload), PaymentRequirementsV1(**requirements)
    return PaymentPayload(**payload), PaymentRequirements(**requirements)


def build(facilitator: x402FacilitatorSync, answer_delay_s: float) -> FastAPI:
    """Its three endpoints: plain functions, because the SDK blocks while it waits for the chain."""
    app = FastAPI()

    @app.get("/supported")
    def supported() -> dict[str, Any]:
        return facilitator.get_supported().model_dump(by_alias=True, exclude_none=True)

    @app.post("/verify")
    def verify(body: dict[str, Any]) -> dict[str, Any]:
        return facilitator.verify(*read(body)).model_dump(by_alias=True)

    @app.post("/settle")
    def settle(body: dict[str, Any]) -> dict[str, Any]:
        result = facilitator.settle(*read(body)).model_dump(by_alias=True)
        time.sleep(answer_delay_s)
        return result

    return app


def main() -> None:
    """Serve until stopped."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rpc", required=True, help="the chain's URL")
    parser.add_argument("--network", default="eip155:84532")
    parser.add_argument("--confirmation-wait-s", type=float, default=60)
    parser.add_argument("--answer-delay-s", type=float, default=0, help="after it has settled")
    options = parser.parse_args()

    signer = FacilitatorWeb3Signer(
        os.environ[KEY_VARIABLE],
        options.rpc,
        confirmation_timeout_seconds=options.confirmation_wait_s,
    )
    facilitator = x402FacilitatorSync()
    register_exact_evm_facilitator(facilitator, signer, networks=options.network)
    app = build(facilitator, options.answer_delay_s)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
