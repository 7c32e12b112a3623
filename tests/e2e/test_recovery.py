"""Payments in doubt, and what the chain says of them later.

Each test has a chain of its own, whose blocks it stops and whose time it moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import openai
from eth_account import Account

from tests.world.chain import Anvil
from tests.world.processes import wait_until
from tests.world.sellers import PRICE, Facilitator, Protocol, Seller
from tests.world.sidecar_process import SidecarProcess
from tests.world.witnesses import Books, Scene, usdc

FUNDS = 10 * PRICE
PAST_VALIDITY_S = 301  # the longest validity that the sidecar signs is 300 s
THREE_PASSES_S = 3.5  # of a recovery that runs every second


@contextmanager
def slow_world(folder: Path, *facilitator_options: str) -> Iterator[Scene]:
    """A sidecar, a seller and a chain that can be stopped."""
    with ExitStack() as stack:
        chain = stack.enter_context(Anvil(folder))
        chain.setup_usdc()
        facilitator = stack.enter_context(Facilitator(folder, chain, *facilitator_options))
        payee = Account.create().address
        seller = stack.enter_context(Seller(folder, facilitator, Protocol.V2, payee))
        sidecar = stack.enter_context(SidecarProcess(folder, seller.url, chain.url))
        chain.fund(sidecar.payer, FUNDS)
        yield Scene(chain, seller, sidecar)


def ask(scene: Scene) -> int:
    """One call of the app, without retries: the status that it got."""
    with scene.sidecar.client() as client:
        try:
            client.chat.completions.create(
                model="test-model", messages=[{"role": "user", "content": "hello"}]
            )
        except openai.APIStatusError as refusal:
            return refusal.status_code
    return 200


@contextmanager
def asked(scene: Scene) -> Iterator[Future[int]]:
    """One call that is under way, its settlement in the pool of a chain that does not mine."""
    scene.chain.stop_mining()
    with ThreadPoolExecutor(1) as app:
        status = app.submit(ask, scene)

        def sent() -> bool:
            assert not status.done(), f"{status.result()}\n{scene.sidecar.process.output()}"
            return len(scene.chain.pool()) == 1

        wait_until(sent, "the settlement is in the pool")
        yield status


def test_seller_dies(tmp_path: Path) -> None:
    """A payment whose seller died after sending it to the chain is posted once the chain has it."""
    with slow_world(tmp_path) as scene:
        with asked(scene) as status:
            scene.seller.process.kill()
            assert 503 == status.result()
        assert 1 == len(scene.rows("authorized"))
        scene.chain.resume_mining()
        row = scene.wait_for_state("posted")

        assert {row["transaction"]} == scene.transactions()
        assert FUNDS - PRICE == scene.chain.balance_of(scene.sidecar.payer)
        assert PRICE == usdc(scene.sidecar.metric("sidecar_spend_usdc_total"))
        assert 0 == scene.sidecar.metric("sidecar_in_doubt_usdc")


def test_settlement_pending(tmp_path: Path) -> None:
    """A 402 that says `settlement_pending` is not a refusal: the chain posts the payment."""
    with slow_world(tmp_path, "--confirmation-wait-s", "1") as scene:
        with asked(scene) as status:
            assert 503 == status.result()
        assert 1 == len(scene.rows("authorized"))
        assert PRICE == usdc(scene.sidecar.metric("sidecar_in_doubt_usdc"))
        scene.chain.resume_mining()
        row = scene.wait_for_state("posted")

        assert {row["transaction"]} == scene.transactions()
        assert FUNDS - PRICE == scene.chain.balance_of(scene.sidecar.payer)


def test_slow_answer(tmp_path: Path) -> None:
    """A payment that the chain proves before its seller has answered is posted and counted once."""
    with slow_world(tmp_path, "--answer-delay-s", "3") as scene:
        assert 200 == ask(scene)

        assert Books.of(calls=1) == scene.books()


def test_never_settled(tmp_path: Path) -> None:
    """A payment that never reached the chain is voided, but not before its expiry is final."""
    with slow_world(tmp_path) as scene:
        chain, sidecar = scene.chain, scene.sidecar
        with asked(scene) as status:
            (settlement,) = chain.pool()
            chain.drop(settlement)
            scene.seller.process.kill()
            assert 503 == status.result()
        chain.increase_time(PAST_VALIDITY_S)
        chain.mine(1)
        time.sleep(THREE_PASSES_S)
        assert chain.block("latest")[1] - chain.block("finalized")[1] >= PAST_VALIDITY_S
        assert 1 == len(scene.rows("authorized"))
        assert PRICE == usdc(sidecar.metric("sidecar_budget_reserved_usdc", budget="day"))

        chain.mine(2)
        scene.wait_for_state("voided")

        assert 0 == sidecar.metric("sidecar_budget_reserved_usdc", budget="day")
        assert 5.0 == sidecar.metric("sidecar_budget_remaining_usdc", budget="day")
        assert FUNDS == chain.balance_of(sidecar.payer)
        assert set() == scene.transactions()
