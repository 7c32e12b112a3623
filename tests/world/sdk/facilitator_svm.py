"""The official SDK's SVM facilitator behind HTTP.

It verifies and settles over the JSON-RPC that it is given, and signs as the fee payer.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser

import facilitator
import uvicorn
from x402 import x402FacilitatorSync
from x402.mechanisms.svm import FacilitatorKeypairSigner
from x402.mechanisms.svm.exact import register_exact_svm_facilitator


def main() -> None:
    """Serve until stopped."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rpc", required=True, help="the chain's URL")
    parser.add_argument("--network", required=True)
    options = parser.parse_args()

    key = os.environ[facilitator.KEY_VARIABLE]
    signer = FacilitatorKeypairSigner.from_base58(key, rpc_url=options.rpc)
    judge = x402FacilitatorSync()
    register_exact_svm_facilitator(judge, signer, networks=options.network)
    app = facilitator.build(judge, answer_delay_s=0)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
