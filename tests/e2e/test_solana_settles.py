"""Solana payments settle with the official SDK's facilitator, on real token accounts.

First the SDK pays itself, which proves the world: our JSON-RPC, LiteSVM, seller and facilitator.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from solders.keypair import Keypair

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import PaymentState, Proof
from sidecar.money import Usdc
from sidecar.service import Ports, Service, open_all
from sidecar.wallets.solana import SolanaWallet
from sidecar.x402.codec import read_payment_required
from sidecar.x402.encode import envelope_for, payment_header
from tests.world.processes import wait_until
from tests.world.running import write_private
from tests.world.sellers import PRICE
from tests.world.solana_rpc import SolanaChain
from tests.world.solana_sellers import SolanaFacilitator, SolanaSeller, buy_with_sdk
from tests.world.switches import SWITCHES

CONFIG = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
auth: none
state_dir: {folder}
log: {{level: error}}
wallets:
  main: {{kind: solana, key: {{file: {folder}/solana.key}}}}
chains:
  "{network}": {{rpc: ["{rpc}"]}}
budgets:
  - {{name: day, limit: "1.00 USDC", window: 1d}}
routes:
  seller:
    provider: pay_per_request
    upstream: {upstream}
    default: true
    wallet: main
    networks: ["{network}"]
    max_payment: "0.10 USDC"
    budgets: [day]
"""
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


def fetch(request: HttpRequest) -> HttpResponse:
    """One request, its response whole."""
    call = urllib.request.Request(
        request.url, request.body or None, dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(call, timeout=60) as response:
            return HttpResponse(response.status, tuple(response.headers.items()), response.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return HttpResponse(refusal.code, tuple(refusal.headers.items()), refusal.read())


def header_of_ours(url: str, wallet: SolanaWallet) -> str:
    """Our own wallet's payment for what this costs."""
    required = read_payment_required(fetch(HttpRequest("GET", url)))
    assert required is not None
    (requirements,) = required.accepts
    asking = wallet.authorize(requirements, Usdc(PRICE), os.urandom(32), datetime.now(UTC), 60)
    try:
        request = next(asking)
        while True:
            request = asking.send(fetch(request))
    except StopIteration as done:
        authorization = done.value
    envelope = envelope_for(required, requirements, "pay_" + "0" * 32)
    return payment_header(envelope, wallet.sign(authorization))[1]


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


@pytest.mark.parametrize("asks", [True, False])
def test_our_wallet_pays_sdk(
    logs: Path,
    facilitator: SolanaFacilitator,
    solana: SolanaChain,
    payer: Keypair,
    asks: bool,
) -> None:
    """Our wallet's payment settles, its blockhash from the network or from the seller's terms."""
    owner = str(payer.pubkey())
    wallet = SolanaWallet(payer.secret(), {solana.network: solana.url} if asks else {})
    options = () if asks else ("--rpc", solana.url)
    with SolanaSeller(logs, facilitator, solana, str(Keypair().pubkey()), *options) as seller:
        payment = header_of_ours(seller.url + PATH, wallet)
        status, told = present(seller.url + PATH, payment)
        replay, refused = present(seller.url + PATH, payment)
        other, _ = present(seller.url + PATH, header_of_ours(seller.url + PATH, wallet))

        assert (200, True, owner) == (status, told["success"], told["payer"])
        assert (402, "transaction_simulation_failed") == (replay, refused.get("error"))
        assert 200 == other
        assert FUNDS - 2 * PRICE == solana.balance_of(owner)
        assert 2 * PRICE == solana.balance_of(seller.pay_to)


def test_sellers_memo(
    logs: Path, facilitator: SolanaFacilitator, solana: SolanaChain, payer: Keypair
) -> None:
    """A memo that the seller dictates is in the payment, which settles."""
    wallet = SolanaWallet(payer.secret(), {solana.network: solana.url})
    pay_to = str(Keypair().pubkey())
    with SolanaSeller(logs, facilitator, solana, pay_to, "--memo", "inv-42") as seller:
        status, _ = present(seller.url + PATH, header_of_ours(seller.url + PATH, wallet))
    wait_until(lambda: len(solana.transfers(pay_to)) == 1, "the transfer is confirmed")

    assert 200 == status
    assert ["[6] inv-42"] == [one["memo"] for one in solana.transfers(pay_to)]


def test_expired(solana: SolanaChain, seller: SolanaSeller, payer: Keypair) -> None:
    """A payment whose blockhash has expired is refused, and nothing moves."""
    wallet = SolanaWallet(payer.secret(), {solana.network: solana.url})
    payment = header_of_ours(seller.url + PATH, wallet)
    solana.advance(151)
    status, told = present(seller.url + PATH, payment)

    assert (402, "transaction_simulation_failed") == (status, told.get("error"))
    assert FUNDS == solana.balance_of(str(payer.pubkey()))


async def test_sidecar_pays_sdk(
    tmp_path: Path, solana: SolanaChain, seller: SolanaSeller, payer: Keypair
) -> None:
    """A plain HTTP client through the sidecar: balances, ledger and receipt agree to the unit."""
    owner = str(payer.pubkey())
    before = solana.balance_of(seller.pay_to)
    write_private(tmp_path / "solana.key", str(payer))
    text = CONFIG.format(
        folder=tmp_path, network=solana.network, rpc=solana.url, upstream=seller.url
    )
    config = parse_config(text, SWITCHES, {}, tmp_path)
    opened = open_all(config, {}, SystemEntropy())
    service = await Service.start(config, opened, lambda event: None, Ports())
    try:
        url = f"http://127.0.0.1:{service.port}{PATH}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            status, body = response.status, await response.json()
        ledger = service._ledger
        assert ledger is not None
        (row,) = await ledger.payments(None, 10)
    finally:
        await service.stop()
    (transfer,) = solana.transfers(owner)

    assert 200 == status, body
    assert FUNDS - PRICE == solana.balance_of(owner)
    assert before + PRICE == solana.balance_of(seller.pay_to)
    assert Proof("receipt", transfer["signature"]) == row.proof
    assert (Usdc(PRICE), PaymentState.POSTED) == (row.amount, row.state)
