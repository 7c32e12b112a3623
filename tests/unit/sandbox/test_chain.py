"""The chain keeps the rules of Circle's contract, and its blocks keep time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sidecar.chains import usdc_on
from sidecar.money import Usdc
from sidecar.sandbox import Chain, Reverted, Settled, Transfer
from tests.world.fakes import NOON, FakeClock

PAYEE = "0x" + "0B" * 20
PAYER = "0x" + "0A" * 20
NOON_S = int(NOON.timestamp())
TRANSFER = Transfer(PAYER, PAYEE, 100, 0, NOON_S + 60, "0x" + "01" * 32)

USED = Reverted("invalid_exact_evm_nonce_already_used")
EXPIRED = Reverted("invalid_exact_evm_payload_authorization_valid_before")
EARLY = Reverted("invalid_exact_evm_payload_authorization_valid_after")
POOR = Reverted("invalid_exact_evm_insufficient_balance")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def chain(clock: FakeClock) -> Chain:
    return Chain(
        usdc_on("eip155:84532"), clock, starting_balance=Usdc(1_000), payee=PAYEE, finality_s=2
    )


def held(chain: Chain) -> tuple[int, int]:
    """What the payer and the payee hold."""
    head = chain.head()
    return chain.balance(PAYER, head).atomic, chain.balance(PAYEE, head).atomic


def test_settle(chain: Chain) -> None:
    """A transfer moves its value, once; the same authorization again reverts."""
    first = chain.settle(TRANSFER)

    assert isinstance(first, Settled)
    assert (900, 100) == held(chain)
    assert USED == chain.settle(replace(TRANSFER, payer=PAYER.lower(), value=7))
    assert (900, 100) == held(chain)
    assert (first.transaction,) == chain.transfers()
    assert first.transaction == chain.find(first.transaction.hash)


def test_two_nonces_are_two_transfers(chain: Chain) -> None:
    """Two nonces are two transfers, in one block, each with its own place in it."""
    chain.settle(TRANSFER)
    chain.settle(replace(TRANSFER, nonce="0x" + "02" * 32))

    assert (800, 200) == held(chain)
    assert [0, 1] == [found.index for found in chain.transfers()]


@pytest.mark.parametrize(
    ("after_s", "before_s", "reverted"),
    [(-1, 1, None), (0, 60, EARLY), (1, 60, EARLY), (-60, 0, EXPIRED), (-60, -1, EXPIRED)],
)
def test_window_is_strict(
    chain: Chain, after_s: int, before_s: int, reverted: Reverted | None
) -> None:
    """Block time lies strictly between validAfter and validBefore."""
    window = replace(TRANSFER, valid_after=NOON_S + after_s, valid_before=NOON_S + before_s)
    outcome = chain.settle(window)

    assert reverted == (outcome if isinstance(outcome, Reverted) else None)


def test_funds(chain: Chain) -> None:
    """A transfer of more than the payer holds reverts, and leaves the nonce unused."""
    assert POOR == chain.settle(replace(TRANSFER, value=1_001))
    assert not chain.authorization_used(PAYER, TRANSFER.nonce, chain.head())
    assert isinstance(chain.settle(replace(TRANSFER, value=1_000)), Settled)


def test_cancel(chain: Chain) -> None:
    """A cancelled authorization is used, moved nothing, and cannot settle any more."""
    chain.cancel(PAYER, TRANSFER.nonce)

    assert chain.authorization_used(PAYER, TRANSFER.nonce, chain.head())
    assert USED == chain.settle(TRANSFER)
    assert USED == chain.cancel(PAYER, TRANSFER.nonce)
    assert ((1_000, 0), ()) == (held(chain), chain.transfers())


def test_a_block_a_second(chain: Chain, clock: FakeClock) -> None:
    """Every second has a block with its time; the finalized one is two behind."""
    first = chain.head()
    clock.advance(10.5)
    head = chain.head()

    assert (first.number + 10, NOON_S + 10) == (head.number, head.timestamp)
    assert (head.number - 2, NOON_S + 8) == (chain.finalized().number, chain.finalized().timestamp)
    assert head.number - 1 == chain.safe().number
    assert chain.block(first.number) == first
    assert chain.block(head.number + 1) is None
    assert chain.block(-1) is None
    assert head.hash != first.hash


def test_time_never_goes_back(chain: Chain, clock: FakeClock) -> None:
    """When the clock is set back the chain stays where it was."""
    clock.advance(10)
    head = chain.head()
    clock.set_wall(NOON - timedelta(hours=1))

    assert head == chain.head()


def test_finality(chain: Chain, clock: FakeClock) -> None:
    """What has just settled is seen at the head and not yet in the finalized block."""
    chain.settle(TRANSFER)
    seen = []
    for _ in range(3):
        finalized = chain.finalized()
        seen.append(
            (
                chain.authorization_used(PAYER, TRANSFER.nonce, finalized),
                chain.balance(PAYEE, finalized).atomic,
                chain.balance(PAYER, finalized).atomic,
            )
        )
        clock.advance(1)

    assert [(False, 0, 1_000), (False, 0, 1_000), (True, 100, 900)] == seen


def test_lands_later(chain: Chain, clock: FakeClock) -> None:
    """A submitted transfer lands in the block of the second it was due, whoever looks when."""
    promised = chain.submit(TRANSFER, delay_s=3)
    clock.advance(2.9)
    before = chain.find(promised)
    clock.advance(60)
    after = chain.find(promised)

    assert before is None
    assert after is not None
    assert NOON_S + 3 == after.block.timestamp
    assert (after,) == chain.transfers()


def test_lands_too_late(chain: Chain, clock: FakeClock) -> None:
    """A submitted transfer that is due after it expired never lands."""
    promised = chain.submit(TRANSFER, delay_s=60)
    clock.advance(120)

    assert chain.find(promised) is None
    assert (1_000, 0) == held(chain)


def test_overtaken(chain: Chain, clock: FakeClock) -> None:
    """A submitted transfer that somebody settles first is one transfer, not two."""
    promised = chain.submit(TRANSFER, delay_s=3)
    settled = chain.settle(TRANSFER)
    clock.advance(10)

    assert isinstance(settled, Settled)
    assert promised == settled.transaction.hash
    assert (900, 100) == held(chain)


def test_set_balance(chain: Chain) -> None:
    """A balance can be set; it counts for the past as well."""
    chain.settle(TRANSFER)
    chain.set_balance(PAYER, Usdc(5))

    assert Usdc(5) == chain.balance(PAYER, chain.head())
    assert Usdc(105) == chain.balance(PAYER, chain.finalized())
