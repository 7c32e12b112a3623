"""What kind of seller the sandbox is: every choice that a rehearsal can make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sidecar.chains import NETWORK_NAMES, V1_NETWORKS, is_evm
from sidecar.money import Usdc
from sidecar.sandbox.addresses import is_address
from sidecar.sandbox.solana.rules import MEMO_BYTES_MAX
from sidecar.sandbox.vendors.options import VendorOptions
from sidecar.values import dataclass

# The last twenty bytes of a hash: nobody holds its key, so money sent here by mistake on a real
# network helps nobody to cheat, and a config can pin it.
PAY_TO = "0xbA75b619192eC89Dcf3d91F0224766c730d70eF6"


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The seller's terms, its chain's habits, and the limits of its patience."""

    price: Usdc = field(default=Usdc(10_000))
    network: str = "eip155:84532"
    x402_version: int = 2
    # Offered verbatim: a lower-case spelling is a real dialect.
    pay_to: str = PAY_TO
    max_timeout_seconds: int = 300
    # More keys for `extra`; a payment that drops one does not match what was offered.
    extra: Mapping[str, object] = field(default_factory=dict)
    # Many live services put the v2 document into the body, and send no header.
    challenge_in_body: bool = False
    challenge_padding_bytes: int = 0
    payment_identifier: bool = False

    # A settled authorization that comes again: True gives the answer that was never fully
    # delivered, False says nonce_already_used. Sellers differ.
    replays: bool = True
    # Give it again even when the last byte had been written: the kernel may have taken bytes
    # that a killed client never read.
    replays_delivered: bool = False

    starting_balance: Usdc = field(default=Usdc(100_000_000))
    finality_s: int = 2
    validity_max_s: int = 600
    logs_range_max: int = 10_000

    handler_delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    pending_s: float = 1.0
    slow_head_s: float = 2.0
    hang_max_s: float = 30.0
    stop_grace_s: float = 0.25

    body_bytes_max: int = 64 * 2**20
    transfer_bytes_max: int = 16 * 2**30
    records_max: int = 1_000_000
    # What the plain seller is paid on. Of Solana, the network and the payee are the vendors'.
    evm: bool = True
    solana: bool = False
    # A memo that every Solana payment must carry; none where it is empty.
    solana_memo: str = ""
    # Puts a recent blockhash into Solana's terms, so that a payer has to ask nobody.
    solana_blockhash: bool = False
    # For how many purchases an odd offer is remembered, so that it can be paid.
    decoys_max: int = 10_000

    vendors: VendorOptions = field(default_factory=VendorOptions)

    def __post_init__(self) -> None:
        if self.network not in NETWORK_NAMES or not is_evm(self.network):
            raise ValueError(f"not a network that we know: {self.network!r}")
        if self.x402_version not in (1, 2):
            raise ValueError(f"x402 has versions 1 and 2, not {self.x402_version!r}")
        if self.x402_version == 1 and self.network not in V1_NETWORKS.values():
            raise ValueError(f"x402 v1 has no name for {self.network}")
        if not is_address(self.pay_to):
            raise ValueError(f"not an address: {self.pay_to!r}")
        if not (self.evm or self.solana):
            raise ValueError("a seller that takes no money sells nothing")
        if len(self.solana_memo.encode()) > MEMO_BYTES_MAX:
            raise ValueError(f"a memo has at most {MEMO_BYTES_MAX} bytes")
        if self.price.atomic == 0:
            raise ValueError("a price of zero is no price")
