"""`sidecar resolve` as a person types it: beside a chain or none, and beside a running sidecar.

The chain is the sandbox's, behind a socket of its own; where a sidecar runs, it is anvil's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.clock import SystemClock
from sidecar.ledger.model import Payment, TopUpRule
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.sandbox.chain import Settled
from tests.e2e.shell import on_terminal, serving, sidecar, write_config
from tests.e2e.test_recovery import ask, asked, slow_world
from tests.unit.payments.test_evidence import Asked
from tests.world.intents import intent
from tests.world.processes import wait_until
from tests.world.sellers import PRICE
from tests.world.witnesses import usdc

AGO = timedelta(hours=3)
# A chain that is searched whole, whatever time it is.
YOUNG = timedelta(minutes=2)


@contextmanager
def endpoint(chain: Asked) -> Iterator[str]:
    """Where this chain is asked."""

    def answer(_: str, question: bytes) -> tuple[int, bytes]:
        return 200, json.dumps(chain.node.answer(json.loads(question))).encode()

    with serving(answer) as address:
        yield f"http://{address}"


async def _write(path: Path, purpose: str) -> None:
    written_at = SystemClock().now() - AGO
    payment = Asked(at=written_at).payment()
    top_up = TopUpRule(written_at, 10) if purpose == "top_up" else None
    wanted = replace(intent("pay_1", top_up=top_up), pay_to=payment.pay_to, asset=payment.asset)
    ledger = await SqliteLedger.open(path, "instance")
    assert isinstance(await ledger.reserve(replace(wanted, amount=Usdc(100)), written_at), Payment)
    assert payment.authorization is not None
    await ledger.authorize("pay_1", payment.authorization, written_at)
    await ledger.close()


def in_doubt(folder: Path, rpc: str = "", purpose: str = "request") -> None:
    """A config, and a ledger with one payment in doubt that expired long ago."""
    path = write_config(folder, rpc=rpc or "http://127.0.0.1:1")
    if not rpc:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("chains:")))
    asyncio.run(_write(folder / "state" / "ledger.db", purpose))


def rows(folder: Path) -> list[tuple[str, str | None, str | None]]:
    """Every payment's state, proof, and whether a person settled it."""
    found = json.loads(sidecar(folder, "payments", "--json").stdout)
    return [(row["state"], row["proof"], row["resolved_by"] and "somebody") for row in found]


@pytest.mark.parametrize("word", ["posted", "voided"])
def test_without_an_endpoint(tmp_path: Path, word: str) -> None:
    """Where no chain can be asked, a person's word settles it, and stays in the books."""
    in_doubt(tmp_path)
    ran = sidecar(tmp_path, "resolve", "pay_1", f"--{word}", "--yes", "--json")
    again = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--yes")

    assert (0, 3) == (ran.returncode, again.returncode), ran.stderr
    assert (word, "person", False) == (
        json.loads(ran.stdout)["state"],
        json.loads(ran.stdout)["proof"],
        json.loads(ran.stdout)["confirmed"],
    )
    assert f"payment pay_1: it is {word} already, and stays so" in again.stderr
    assert [(word, "person", "somebody")] == rows(tmp_path)


def test_transaction(tmp_path: Path) -> None:
    """Whoever names the transaction confirms it; what is no transaction is a mistake."""
    in_doubt(tmp_path)
    hashed = "0x" + "ab" * 32
    odd = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--transaction", "0xab", "--yes")
    void = sidecar(tmp_path, "resolve", "pay_1", "--voided", "--transaction", hashed, "--yes")
    ran = sidecar(
        tmp_path, "resolve", "pay_1", "--posted", "--transaction", hashed, "--yes", "--json"
    )

    assert (2, 2, 0) == (odd.returncode, void.returncode, ran.returncode)
    assert (hashed, True) == (
        json.loads(ran.stdout)["transaction"],
        json.loads(ran.stdout)["confirmed"],
    )


def test_the_chain_has_it(tmp_path: Path) -> None:
    """What the chain has is not voided by anybody; posted, it is on the chain's word."""
    chain = Asked(YOUNG, SystemClock().now() - AGO)
    chain.clock.advance(5)
    settled = chain.chain.settle(chain.transfer())
    chain.clock.advance(600)
    with endpoint(chain) as url:
        in_doubt(tmp_path, url)
        voided = sidecar(tmp_path, "resolve", "pay_1", "--voided", "--yes")
        before = rows(tmp_path)
        posted = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--yes")

    assert isinstance(settled, Settled)
    assert 3 == voided.returncode
    assert f"its chain has the transfer, in {settled.transaction.hash}" in voided.stderr
    assert [("authorized", None, None)] == before
    assert 0 == posted.returncode
    assert [("posted", "chain", "somebody")] == rows(tmp_path)


def test_the_chain_has_it_not(tmp_path: Path) -> None:
    """What can never be paid is not posted by anybody; voided, it is on the chain's word."""
    chain = Asked(YOUNG, SystemClock().now() - AGO)
    chain.clock.advance(600)
    with endpoint(chain) as url:
        in_doubt(tmp_path, url)
        posted = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--yes")
        voided = sidecar(tmp_path, "resolve", "pay_1", "--voided", "--yes")

    assert (3, 0) == (posted.returncode, voided.returncode), voided.stderr
    assert "its chain proves that it can never be paid (expired)" in posted.stderr
    assert [("voided", "expired", "somebody")] == rows(tmp_path)


def test_the_chain_may_tell(tmp_path: Path) -> None:
    """While an endpoint may yet tell, or cannot be reached now, nobody voids."""
    chain = Asked(YOUNG, SystemClock().now() - AGO)
    with endpoint(chain) as url:
        in_doubt(tmp_path, url)
        alive = sidecar(tmp_path, "resolve", "pay_1", "--voided", "--yes")
    gone = sidecar(tmp_path, "resolve", "pay_1", "--voided", "--yes")

    assert (8, 8) == (alive.returncode, gone.returncode)
    assert "its chain may tell yet (not used so far)" in alive.stderr
    assert [("authorized", None, None)] == rows(tmp_path)


def test_asks_first(tmp_path: Path) -> None:
    """A person sees what is settled and what it means, and anything but yes changes nothing."""
    in_doubt(tmp_path)
    deaf = sidecar(tmp_path, "resolve", "pay_1", "--posted")
    refused, seen = on_terminal(tmp_path, "no\n", "resolve", "pay_1", "--voided")
    before = rows(tmp_path)
    agreed, _ = on_terminal(tmp_path, "yes\n", "resolve", "pay_1", "--voided")

    assert (2, 2, 0) == (deaf.returncode, refused, agreed)
    assert "no terminal to ask on; --yes says it" in deaf.stderr
    for words in (
        "pay_1",
        "0.0001 USDC",
        "valid before",
        "free to be spent again",
        "not confirmed",
    ):
        assert words in seen
    assert [("authorized", None, None)] == before
    assert [("voided", "person", "somebody")] == rows(tmp_path)


def test_top_up(tmp_path: Path) -> None:
    """A top-up in doubt is posted by one word, and ended by another."""
    in_doubt(tmp_path, purpose="top_up")
    early = sidecar(tmp_path, "resolve", "pay_1", "--lost", "--yes")
    posted = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--yes")
    lost = sidecar(tmp_path, "resolve", "pay_1", "--lost", "--yes", "--json")
    late = sidecar(tmp_path, "resolve", "pay_1", "--credited", "--yes")

    assert [3, 0, 0, 3] == [ran.returncode for ran in (early, posted, lost, late)]
    assert json.loads(lost.stdout)["closed_at"]


def test_no_such_payment(tmp_path: Path) -> None:
    """An id that nobody has is a mistake, and so is no word, or two."""
    in_doubt(tmp_path)
    unknown = sidecar(tmp_path, "resolve", "pay_9\x1b", "--posted", "--yes")
    silent = sidecar(tmp_path, "resolve", "pay_1", "--yes")
    double = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--voided", "--yes")
    nowhere = sidecar(tmp_path, "resolve", "pay_1", "--posted", "--yes", "--state-dir", "other")

    assert [2, 2, 2, 7] == [ran.returncode for ran in (unknown, silent, double, nowhere)]
    assert "there is no pay_9? in " in unknown.stderr


def test_beside_a_running_sidecar(tmp_path: Path) -> None:
    """A running sidecar's payment is held, then not voided before its time, then posted for good.

    What the chain does with it later is confirmed, and counted once.
    """
    with slow_world(tmp_path) as scene:
        config = ("--config", scene.sidecar.config)
        with asked(scene) as status:
            (row,) = scene.rows("authorized")
            held = sidecar(tmp_path, "resolve", row["id"], "--posted", "--yes", *config)
            scene.seller.process.kill()
            assert 503 == status.result()
        early = sidecar(tmp_path, "resolve", row["id"], "--voided", "--yes", *config)
        posted = sidecar(tmp_path, "resolve", row["id"], "--posted", "--yes", *config)
        doubt = scene.sidecar.metric("sidecar_in_doubt_usdc")
        spent = usdc(scene.sidecar.metric("sidecar_budget_spent_usdc", budget="day"))
        scene.chain.resume_mining()
        wait_until(lambda: scene.sidecar.payments()[0]["proof"] == "chain", "the chain confirms it")

        assert [8, 3, 0] == [ran.returncode for ran in (held, early, posted)], posted.stderr
        assert (0, PRICE) == (doubt, spent)
        assert PRICE == usdc(scene.sidecar.metric("sidecar_budget_spent_usdc", budget="day"))
        assert 1 == len(scene.transactions())
        assert ask(scene) in (502, 503)
