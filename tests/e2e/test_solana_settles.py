"""Solana payments settle with the official SDK's facilitator, on real token accounts.

First the SDK pays itself, which proves the world: our JSON-RPC, LiteSVM, seller and facilitator.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from tests.world.processes import wait_until
from tests.world.sellers import PRICE
from tests.world.solana_rpc import SolanaChain
from tests.world.solana_sellers import SolanaFacilitator, SolanaSeller, buy_with_sdk

FUNDS = 10 * PRICE
PATH = "/v1/paid-models"


@pytest.fixture(scope="module")
def solana() -> Iterator[SolanaChain]:
    """A Solana with USDC on it."""
    with SolanaChain() as running:
        yield running


@pytest.fixture(scope="module")
def facilitator(logs: Path, solana: SolanaChain) -> Iterator[SolanaFacilitator]:
    """The official one, on that Solana."""
    with SolanaFacilitator(logs, solana) as running:
        yield running


@pytest.fixture(scope="module")
def seller(
    logs: Path, facilitator: SolanaFacilitator, solana: SolanaChain
) -> Iterator[SolanaSeller]:
    """The official SDK as a seller."""
    with SolanaSeller(logs, facilitator, solana, str(Keypair().pubkey())) as running:
        yield running


@pytest.fixture
def payer(solana: SolanaChain) -> Keypair:
    """A new account with money."""
    keypair = Keypair()
    solana.fund(str(keypair.pubkey()), FUNDS)
    return keypair


def present(url: str, payment: str) -> tuple[int, dict[str, Any]]:
    """Present a payment by hand: the status, and what the receipt or the challenge says."""
    call = urllib.request.Request(url, headers={"PAYMENT-SIGNATURE": payment})
    try:
        with urllib.request.urlopen(call, timeout=60) as response:
            return response.status, _decoded(response.headers["PAYMENT-RESPONSE"])
    except urllib.error.HTTPError as refusal:
        with refusal:
            headers = refusal.headers
            return refusal.code, _decoded(
                headers["PAYMENT-RESPONSE"] or headers["PAYMENT-REQUIRED"]
            )


def _decoded(header: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(base64.b64decode(header))
    return document


def test_sdk_pays_sdk(solana: SolanaChain, seller: SolanaSeller, payer: Keypair) -> None:
    """The official client pays: balances move by the price, and a replay is refused."""
    owner = str(payer.pubkey())
    before = solana.balance_of(seller.pay_to)
    bought = buy_with_sdk(seller.url + PATH, solana, str(payer))
    assert 200 == bought.status, bought
    replay, told = present(seller.url + PATH, bought.payment)
    wait_until(lambda: len(solana.transfers(owner)) == 1, "the transfer is confirmed")
    (transfer,) = solana.transfers(owner)

    assert (200, True, owner) == (
        bought.status,
        bought.told["success"],
        bought.told["payer"],
    )
    assert (bought.told["transaction"], None) == (transfer["signature"], transfer["err"])
    assert FUNDS - PRICE == solana.balance_of(owner)
    assert before + PRICE == solana.balance_of(seller.pay_to)
    assert (402, "transaction_simulation_failed") == (replay, told.get("error"))
