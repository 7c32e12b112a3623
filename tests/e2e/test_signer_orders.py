"""A proxy that has been taken over, at the socket of the signer's own process.

Whoever writes these tests has what such a proxy has: the socket, and any bytes. Signatures are
counted in what comes back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar.chains import SOLANA, usdc_on
from sidecar.money import Usdc
from sidecar.siwx import SignInMessage
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.remote import RemoteWallet
from sidecar.wallets.solana import SolanaWallet
from sidecar.x402.types import Authorization, PaymentRequirements
from tests.world.bad_signer_orders import BAD_BYTES, bad_orders, bad_solana_orders
from tests.world.exchanges import answered, hold, in_silence, question_in
from tests.world.signer_orders import (
    ADDRESS,
    BASE,
    BLOCKHASH,
    FEE_PAYER,
    KEY,
    PAYEE,
    SEED,
    SIGNATURE,
    SOL_PAYEE,
    fresh,
    sign_in,
    signatures,
)
from tests.world.signer_process import SignerProcess, rules_of, start_signer


@pytest.fixture(scope="module")
def evm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    """A signer with an EVM key, for one payee and one domain."""
    folder = tmp_path_factory.mktemp("evm")
    rules = rules_of(folder, permits=True, sign_in_domains=["api.seller.example"])
    with start_signer(folder, KEY.hex(), rules) as signer:
        yield signer


@pytest.fixture(scope="module")
def solana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    """A signer with a Solana key, for one payee."""
    folder = tmp_path_factory.mktemp("solana")
    rules = rules_of(folder, kind="solana", networks=[SOLANA], pay_to=[SOL_PAYEE])
    with start_signer(folder, SEED.hex(), rules) as signer:
        yield signer


def both(question: object) -> list[object]:
    """What is asked, and for an order to be signed, the same to be admitted."""
    if isinstance(question, dict) and question.get("method") == "sign":
        return [question, {**question, "method": "admit"}]
    return [question]


@pytest.mark.parametrize("name", bad_orders())
def test_bad_order(evm: SignerProcess, name: str) -> None:
    """Each order that a thief would like is refused by the rule for it, and signed by nobody."""
    question, rule = bad_orders()[name]
    for asked in both(question):
        answer = evm.ask(asked)

        assert rule == answer["refused"]["rule"]
        assert 0 == signatures(answer)
    assert b"" == (evm.folder / "signer.journal").read_bytes()


@pytest.mark.parametrize("name", bad_solana_orders())
def test_bad_solana_order(solana: SignerProcess, name: str) -> None:
    """Each Solana order that a thief would like is refused by the rule for it."""
    question, rule = bad_solana_orders()[name]
    for asked in both(question):
        answer = solana.ask(asked)

        assert rule == answer["refused"]["rule"]
        assert 0 == signatures(answer)
    assert b"" == (solana.folder / "signer.journal").read_bytes()


@pytest.mark.parametrize("name", BAD_BYTES)
def test_bad_bytes(evm: SignerProcess, name: str) -> None:
    """Bytes that are no request get a refusal or silence, and the next request an answer."""
    answer = evm.send(BAD_BYTES[name])

    assert b"" == answer or b"request" in answer
    assert [] == SIGNATURE.findall(answer)
    assert ADDRESS == evm.ask({"method": "address"})["result"]["address"]


def requirements(**changed: object) -> PaymentRequirements:
    """What a seller asks: a cent of USDC on Base."""
    known = PaymentRequirements(
        scheme="exact",
        network="eip155:8453",
        asset=BASE,
        amount="10000",
        pay_to=PAYEE,
        max_timeout_seconds=120,
        extra={},
        original={},
    )
    return replace(known, **changed)  # type: ignore[arg-type]


def drawn_up(
    wallet: RemoteWallet, what: PaymentRequirements, amount: int = 10_000
) -> Authorization:
    """An authorization of this moment, whose Permit number is 3 at block 9."""
    nonce = bytes.fromhex(fresh()[2:])

    def chain(request: Any) -> Any:
        asked = question_in(request)[0]
        block = {"number": "0x9", "timestamp": "0x1", "hash": "0x" + "00" * 32}
        return answered("0x" + f"{3:064x}" if asked == "eth_call" else block)

    return hold(wallet.authorize(what, Usdc(amount), nonce, datetime.now(UTC), 120), chain)


async def test_good_orders(tmp_path: Path) -> None:
    """A transfer and a Permit are signed with the bytes that the wallet itself would make."""
    rules = rules_of(tmp_path, permits=True, pay_to=[PAYEE.lower()])
    with start_signer(tmp_path, f"0x{KEY.hex()}\n", rules) as signer:
        wallet = signer.wallet(**{"eip155:8453": "https://base.example"})
        kinds = requirements(), requirements(scheme="upto", extra={"primaryType": "Permit"})
        for what in kinds:
            authorization = drawn_up(wallet, what)
            assert await wallet.admit(authorization) is None
            payload = await wallet.payload(authorization)

            assert EvmWallet(KEY).sign(authorization) == payload
            assert 1 == signatures(payload)

    assert 2 == (tmp_path / "signer.journal").read_bytes().count(b"\n")


async def test_good_solana_order(solana: SignerProcess) -> None:
    """A Solana transfer is signed with the bytes that the wallet itself would make."""
    wallet, own = solana.wallet(), SolanaWallet(SEED, {})
    extra = {"feePayer": FEE_PAYER, "recentBlockhash": BLOCKHASH}
    what = requirements(
        network=SOLANA, asset=usdc_on(SOLANA).address, pay_to=SOL_PAYEE, extra=extra
    )
    authorization = in_silence(
        wallet.authorize(what, Usdc(10_000), os.urandom(32), datetime.now(UTC), 120)
    )

    assert own.sign(authorization) == await wallet.payload(authorization)


def test_good_sign_in(evm: SignerProcess) -> None:
    """A sign-in at a domain of the rules is signed with the wallet's own bytes."""
    message = SignInMessage(**sign_in(resources=("https://api.seller.example/v1",))["message"])

    assert EvmWallet(KEY).sign_in(message) == evm.wallet().sign_in(message)
