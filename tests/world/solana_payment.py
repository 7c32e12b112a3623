"""A payment on Solana, and the cluster that it may get into."""

from __future__ import annotations

import base64
from dataclasses import replace

from sidecar.chains import SOLANA, usdc_on
from sidecar.ledger.model import Payment, PaymentState, Purchase
from sidecar.money import Usdc
from sidecar.payments.evidence import Finding
from sidecar.payments.solana_evidence import examine
from sidecar.wallets.solana import SolanaWallet
from sidecar.wallets.solana_layout import STANDARD, Layout
from sidecar.x402.types import PaymentRequirements
from tests.world.exchanges import hold, in_silence
from tests.world.fakes import NOON
from tests.world.solana_cluster import SolanaCluster

URL = "https://solana.example/rpc"
BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
SEED = bytes(range(32))
AGE_S = 1_000
VALID_BLOCKS = 150
# Until the last block that takes it, and from there until that one is final.
VALID_S = VALID_BLOCKS * 0.4
FINAL_S = 32 * 0.4


class Paid:
    """A payment that was authorized at noon, and the cluster that it may get into."""

    def __init__(
        self, layout: Layout = STANDARD, *, memo: str = "", own_blockhash: bool = True
    ) -> None:
        wallet = SolanaWallet(SEED, {}, layout)
        account = wallet.usdc_account(SOLANA)
        self.cluster = SolanaCluster(SOLANA, account, int(NOON.timestamp()) - AGE_S)
        self.cluster.wait(AGE_S)
        requirements = PaymentRequirements(
            scheme="exact",
            network=SOLANA,
            asset=usdc_on(SOLANA).address,
            amount="100",
            pay_to="8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL",
            max_timeout_seconds=60,
            extra={
                "feePayer": "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F",
                "recentBlockhash": BLOCKHASH,
                "memo": memo,
            },
            original={},
        )
        authorization = in_silence(
            wallet.authorize(requirements, Usdc(100), b"\xab" * 32, NOON, 120)
        )
        fields = dict(authorization.fields)
        if own_blockhash:
            fields["last_valid_block_height"] = str(self.cluster.height + VALID_BLOCKS)
        self.memo = fields["memo"] or None
        signed = wallet.sign(replace(authorization, fields=fields))["transaction"]
        self.message = base64.b64decode(signed)[129:]
        self.payment = Payment(
            id="pay_1",
            purchase=Purchase("key", explicit=False),
            state=PaymentState.AUTHORIZED,
            route="r",
            caller="c",
            purpose="request",
            scheme="exact",
            network=SOLANA,
            asset=requirements.asset,
            pay_to=requirements.pay_to,
            amount=Usdc(100),
            envelope={},
            authorization=replace(authorization, fields=fields),
            proof=None,
            reserved_at=NOON,
            authorized_at=NOON,
            settled_at=None,
            delivered_at=None,
            closed_at=None,
            confirmed=False,
        )

    def settle(self, error: object = None) -> str:
        """The facilitator puts it into a block; its id."""
        return self.cluster.land(self.message, self.memo, error)

    def look(self, finality: str = "finalized") -> Finding:
        """What an endpoint proves now."""
        return hold(examine(URL, self.payment, finality), self.cluster)
