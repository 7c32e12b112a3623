"""The sandbox's Solana: one USDC mint, and the programs of mainnet to move it.

    ledger        Ledger: the facilitator (verify, settle, submit) and the network (send, advance)
    rules         what a payment must look like, as strict as both official facilitators
    blocks        heights, slots, blockhashes and commitments, by the sandbox's clock
    bank          the token accounts, run by LiteSVM; programs: fixed addresses; instructions
    history       what landed; views: how it is shown
    node          SolanaNode: POST /rpc/solana; requests: what may be asked

Nothing here is imported from the sidecar's wallets, so that a misunderstanding there does not
agree with itself.
"""

from sidecar.sandbox.solana.blocks import Block, Blocks, Commitment
from sidecar.sandbox.solana.history import Landed
from sidecar.sandbox.solana.ledger import Ledger, Settled
from sidecar.sandbox.solana.node import SolanaNode
from sidecar.sandbox.solana.rules import Expected, Refused, Tendered

__all__ = [
    "Block",
    "Blocks",
    "Commitment",
    "Expected",
    "Landed",
    "Ledger",
    "Refused",
    "Settled",
    "SolanaNode",
    "Tendered",
]
