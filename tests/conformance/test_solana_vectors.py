"""Solana by recorded vectors, and by running what we sign on the real programs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN
from solders.token.state import Mint, TokenAccount, TokenAccountState
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from sidecar.chains import SOLANA, usdc_on
from sidecar.money import Usdc
from sidecar.siwx import SignInMessage
from sidecar.wallets.solana import SolanaWallet, token_account
from sidecar.wallets.solana_keys import parse_secret_key
from sidecar.wallets.solana_layout import BARE, STANDARD, Layout
from sidecar.x402.types import Authorization, PaymentRequirements
from tests.conformance.recorded import load
from tests.world.exchanges import in_silence

VECTORS = load("vectors.json")
CAPTURED = load("x402-openai-py.json")["scenarios"]["v2sol"]
CHALLENGE = CAPTURED[0]["response"]["decoded_headers"]["PAYMENT-REQUIRED"]["accepts"][0]
(PAID,) = CAPTURED[-1]["decoded_headers"]
MINT = usdc_on(SOLANA).address
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FUNDS = 1_000_000


def wallet(layout: Layout = STANDARD) -> SolanaWallet:
    """The recorded key's."""
    return SolanaWallet(parse_secret_key(VECTORS["solana_seed_hex"]), {}, layout)


def requirements(**extra: object) -> PaymentRequirements:
    """The captured offer."""
    return PaymentRequirements(
        scheme=CHALLENGE["scheme"],
        network=CHALLENGE["network"],
        asset=CHALLENGE["asset"],
        amount=CHALLENGE["amount"],
        pay_to=CHALLENGE["payTo"],
        max_timeout_seconds=CHALLENGE["maxTimeoutSeconds"],
        extra={**CHALLENGE["extra"], **extra},
        original=CHALLENGE,
    )


def authorize(offer: PaymentRequirements, nonce: bytes, layout: Layout = STANDARD) -> Authorization:
    """What the wallet makes of an offer."""
    amount = Usdc(int(offer.amount))
    return in_silence(wallet(layout).authorize(offer, amount, nonce, AT, 120))


def test_address() -> None:
    """The recorded seed has the recorded address."""
    assert VECTORS["solana_address"] == wallet().address


@pytest.mark.parametrize(
    "recorded",
    [
        VECTORS["siwx"]["venice_solana"]["payload"],
        VECTORS["siwx"]["nodit_solana"]["body"],
    ],
)
def test_sign_in(recorded: Mapping[str, str]) -> None:
    """The recorded sign-ins are signed with the recorded bytes."""
    message = SignInMessage.parse(recorded["message"])

    assert recorded["message"] == message.text()
    assert recorded["signature"] == wallet().sign_in(message)


def test_captured_transaction() -> None:
    """From the inputs of the official client come its bytes, to the last one."""
    captured = PAID["decoded"]["payload"]["transaction"]
    decoded = PAID["solana_tx"]
    memo = bytes.fromhex(decoded["instructions"][-1]["data_hex"]).decode()
    offer = requirements(recentBlockhash=decoded["recent_blockhash"])

    payload = wallet().sign(authorize(offer, bytes.fromhex(memo) + bytes(16)))

    assert decoded == described(payload["transaction"])
    assert {"transaction": captured} == payload


def described(transaction: str) -> dict[str, Any]:
    """The transaction in the words of the capture."""
    read = VersionedTransaction.from_bytes(base64.b64decode(transaction))
    message = read.message
    assert isinstance(message, MessageV0)
    keys = [str(key) for key in message.account_keys]
    return {
        "num_required_signatures": message.header.num_required_signatures,
        "fee_payer": keys[0],
        "signatures": ["present" if any(bytes(one)) else "zero" for one in read.signatures],
        "account_keys": keys,
        "recent_blockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "program": keys[one.program_id_index],
                "accounts": [keys[index] for index in one.accounts],
                "data_hex": bytes(one.data).hex(),
            }
            for one in message.instructions
        ],
    }


class Cluster:
    """The real Token and Memo programs, a fee payer, and two funded token accounts."""

    def __init__(self, payee: str) -> None:
        self.svm = LiteSVM()
        self.fee_payer = Keypair()
        self.source = Pubkey.from_string(token_account(wallet().address, MINT))
        self.destination = Pubkey.from_string(token_account(payee, MINT))
        self.svm.airdrop(self.fee_payer.pubkey(), 10**9)
        mint = Mint(mint_authority=None, supply=10**15, decimals=6, is_initialized=True)
        self._put(Pubkey.from_string(MINT), bytes(mint))
        self._put(self.source, self._holding(wallet().address, FUNDS))
        self._put(self.destination, self._holding(payee, 0))

    def _put(self, address: Pubkey, data: bytes) -> None:
        lamports = self.svm.minimum_balance_for_rent_exemption(len(data))
        self.svm.set_account(address, Account(lamports, data, TOKEN))

    def _holding(self, owner: str, amount: int) -> bytes:
        held = TokenAccount(
            mint=Pubkey.from_string(MINT),
            owner=Pubkey.from_string(owner),
            amount=amount,
            delegate=None,
            state=TokenAccountState.Initialized,
            is_native=None,
            delegated_amount=0,
        )
        return bytes(held)

    def offer(self, **extra: object) -> PaymentRequirements:
        """The captured offer, with our fee payer, under our newest blockhash."""
        here = {
            "feePayer": str(self.fee_payer.pubkey()),
            "recentBlockhash": str(self.svm.latest_blockhash()),
        }
        return requirements(**here, **extra)

    def settle(self, payload: Mapping[str, str]) -> TransactionMetadata | FailedTransactionMetadata:
        """Sign as the fee payer, and execute."""
        partly = VersionedTransaction.from_bytes(base64.b64decode(payload["transaction"]))
        message = to_bytes_versioned(partly.message)
        signatures = [self.fee_payer.sign_message(message), partly.signatures[1]]
        return self.svm.send_transaction(VersionedTransaction.populate(partly.message, signatures))

    def amounts(self) -> tuple[int, int]:
        """What the payer and the payee have."""
        found = [self.svm.get_account(key) for key in (self.source, self.destination)]
        assert all(found)
        payer, payee = (TokenAccount.from_bytes(one.data).amount for one in found if one)
        return payer, payee


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(CHALLENGE["payTo"])


@pytest.mark.parametrize(
    ("layout", "extra"),
    [
        (STANDARD, {}),
        (STANDARD, {"memo": "i"}),
        (STANDARD, {"memo": "\u00e9" * 128}),
        (BARE, {}),
    ],
)
def test_moves_once(cluster: Cluster, layout: Layout, extra: dict[str, str]) -> None:
    """Settled, it moves the amount between the two accounts; settled again, nothing."""
    payload = wallet(layout).sign(authorize(cluster.offer(**extra), b"\xab" * 32, layout))
    first = cluster.settle(payload)
    after = cluster.amounts()
    second = cluster.settle(payload)

    assert isinstance(first, TransactionMetadata)
    assert (FUNDS - 1_000, 1_000) == after
    assert isinstance(second, FailedTransactionMetadata)
    assert after == cluster.amounts()


def test_two_payments(cluster: Cluster) -> None:
    """Two equal payments under one blockhash both move: the memo tells them apart."""
    for nonce in (b"\x01" * 32, b"\x02" * 32):
        assert isinstance(
            cluster.settle(wallet().sign(authorize(cluster.offer(), nonce))), TransactionMetadata
        )

    assert (FUNDS - 2_000, 2_000) == cluster.amounts()


def test_dies_with_its_blockhash(cluster: Cluster) -> None:
    """Under a blockhash that has expired it moves nothing."""
    payload = wallet().sign(authorize(cluster.offer(), b"\xab" * 32))
    cluster.svm.expire_blockhash()

    assert isinstance(cluster.settle(payload), FailedTransactionMetadata)
    assert (FUNDS, 0) == cluster.amounts()


def test_needs_the_fee_payer(cluster: Cluster) -> None:
    """Without the fee payer's own signature nothing moves."""
    payload = wallet().sign(authorize(cluster.offer(), b"\xab" * 32))
    partly = VersionedTransaction.from_bytes(base64.b64decode(payload["transaction"]))

    assert isinstance(cluster.svm.send_transaction(partly), FailedTransactionMetadata)
    assert (FUNDS, 0) == cluster.amounts()
