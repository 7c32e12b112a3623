"""A seller to rehearse with: real x402 terms, a made-up chain, no money.

It is the strict counterparty: it verifies every payment with code of its own, settles an
authorization at most once, and counts what was presented, settled and delivered, so that a mistake
of the sidecar shows up here. It can also be told to misbehave.

    server        Sandbox, serve: the running whole
    seller        one priced request, start to finish
    options       every choice; terms, decoys: what is offered, honestly and not
    payment       the payment header, read strictly; identifiers: the payment-identifier extension
    facilitator   whether a payment is good; signatures: who signed it
    cashier       puts a good payment on its chain
    chain         balances, nonces, blocks; permits: EIP-2612; receipts: their logs
    node          the JSON-RPC over the chain; jsonrpc: what both nodes have in common
    goods         what is sold; responses: in OpenAI's newer API; shelf: at which paths
    samples       what is free; replies: how all of it is sent
    faults        what can be asked for; misconduct: what is done then
    books         what was counted, by purchase; office: the endpoints that show it
    solana        a Solana with USDC, beside the EVM chain
    vendors       Venice, Nodit and others, under path prefixes of their own
"""

from sidecar.sandbox.books import (
    Books,
    Outcome,
    Presentation,
    SeenAuthorization,
    Settlement,
)
from sidecar.sandbox.chain import Chain, Reverted, Settled, Transfer
from sidecar.sandbox.faults import Fault, FaultPlan, Moment
from sidecar.sandbox.office import start_text
from sidecar.sandbox.options import PAY_TO, SandboxOptions
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.server import Sandbox, serve

__all__ = [
    "PAY_TO",
    "Books",
    "Chain",
    "Fault",
    "FaultPlan",
    "Moment",
    "Outcome",
    "Presentation",
    "Purchase",
    "Reverted",
    "Sandbox",
    "SandboxOptions",
    "SeenAuthorization",
    "Settled",
    "Settlement",
    "Transfer",
    "serve",
    "start_text",
]
