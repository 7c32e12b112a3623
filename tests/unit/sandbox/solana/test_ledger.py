"""The ledger settles a payment once, moves exactly its amount, and remembers what landed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from sidecar.chains import SOLANA, SOLANA_DEVNET, usdc_on
from sidecar.money import Usdc
from sidecar.sandbox.solana import Commitment, Ledger, Refused, Settled, Tendered
from sidecar.sandbox.solana.ledger import DUPLICATE, SIMULATION_FAILED
from tests.unit.sandbox.solana.building import (
    FINALITY_BLOCKS,
    FUNDS,
    PAYEE,
    PAYER,
    PRICE,
    STRANGER,
    Bench,
    limit,
    memo,
)
from tests.world.fakes import FakeClock


@pytest.fixture
def bench() -> Bench:
    """A ledger with one payer who has money."""
    return Bench()


@pytest.mark.parametrize("network", [SOLANA, SOLANA_DEVNET])
def test_settles(network: str) -> None:
    """A good payment moves its amount from the payer to the payee, and the fee payer pays."""
    bench = Bench(network)
    fees = bench.ledger.bank.lamports(bench.ledger.fee_payer)
    settled = bench.ledger.settle(bench.build().base64(), bench.expected())

    assert isinstance(settled, Settled)
    assert (PAYER.pubkey(), PRICE) == (settled.payer, settled.amount)
    assert (FUNDS - PRICE, PRICE) == bench.balances
    assert 10_001 == fees - bench.ledger.bank.lamports(bench.ledger.fee_payer)
    assert (settled.landed,) == bench.ledger.history.all
    assert usdc_on(network).address == str(bench.ledger.mint)


def test_verify_moves_nothing(bench: Bench) -> None:
    """Judging a payment changes nothing, however often."""
    text = bench.build().base64()
    first, again = (bench.ledger.verify(text, bench.expected()) for _ in range(2))

    assert isinstance(first, Tendered)
    assert first == again
    assert (FUNDS, 0) == bench.balances


def test_duplicate(bench: Bench) -> None:
    """The same message never settles twice; another memo makes another payment."""
    text = bench.build().base64()
    bench.ledger.settle(text, bench.expected())
    again = bench.ledger.settle(text, bench.expected())
    other = bench.ledger.settle(bench.build(rest=(memo(b"x"),)).base64(), bench.expected())

    assert isinstance(again, Refused)
    assert DUPLICATE == again.reason
    assert isinstance(other, Settled)
    assert (FUNDS - 2 * PRICE, 2 * PRICE) == bench.balances


def test_without_memo(bench: Bench) -> None:
    """Without a memo two equal payments under one blockhash are one, which is the client's loss."""
    first, second = (
        bench.ledger.settle(bench.build(rest=()).base64(), bench.expected()) for _ in range(2)
    )

    assert isinstance(first, Settled)
    assert isinstance(second, Refused)
    assert DUPLICATE == second.reason


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"amount": FUNDS + 1}, "Custom"),
        ({"first": limit(100)}, "ProgramFailedToComplete"),
    ],
)
def test_simulation(bench: Bench, change: dict[str, object], seen: str) -> None:
    """What the programs would refuse is refused before anything is signed."""
    amount = change.get("amount", PRICE)
    assert isinstance(amount, int)
    found = bench.ledger.settle(bench.build(**change).base64(), bench.expected(amount))

    assert isinstance(found, Refused)
    assert SIMULATION_FAILED == found.reason
    assert seen in found.detail or "Computational budget exceeded" in found.detail
    assert (FUNDS, 0) == bench.balances


def test_payee_without_account(bench: Bench) -> None:
    """Nobody opens a token account for a payee."""
    stranger = STRANGER.pubkey()
    text = bench.build(pay_to=stranger).base64()
    wanted = bench.expected()
    found = bench.ledger.verify(
        text, type(wanted)(stranger, wanted.mint, wanted.amount_min, wanted.amount_max)
    )

    assert isinstance(found, Refused)
    assert SIMULATION_FAILED == found.reason


@pytest.mark.parametrize(("blocks", "reason"), [(150, ""), (151, SIMULATION_FAILED)])
def test_blockhash_expires(bench: Bench, blocks: int, reason: str) -> None:
    """A payment lives for 150 blocks after the one that it names."""
    text = bench.build().base64()
    bench.ledger.advance(blocks)
    found = bench.ledger.settle(text, bench.expected())

    assert reason == (found.reason if isinstance(found, Refused) else "")


def test_strangers_have_the_starting_balance() -> None:
    """Every payer has money here, like on the sandbox's other chain."""
    ledger = Ledger(
        SOLANA_DEVNET,
        FakeClock(),
        payees=(str(PAYEE),),
        starting_balance=Usdc(FUNDS),
        finality_blocks=FINALITY_BLOCKS,
    )
    bench = Bench()
    bench.ledger = ledger
    settled = ledger.settle(bench.build(payer=STRANGER).base64(), bench.expected())

    assert isinstance(settled, Settled)
    assert FUNDS - PRICE == ledger.balance(str(STRANGER.pubkey()))


def test_fund(bench: Bench) -> None:
    """Funding adds; somebody nobody knows has nothing."""
    owner = str(Keypair().pubkey())
    before = bench.ledger.balance(owner)
    bench.ledger.fund(owner, 5)
    bench.ledger.fund(owner, 6)

    assert (0, 11) == (before, bench.ledger.balance(owner))


def test_balances_by_commitment(bench: Bench) -> None:
    """A payment is in the finalized balance only once its block is."""
    bench.ledger.settle(bench.build().base64(), bench.expected())
    owner = str(PAYER.pubkey())
    young = [bench.ledger.balance(owner, commitment) for commitment in Commitment]
    bench.ledger.advance(FINALITY_BLOCKS)

    assert [FUNDS - PRICE, FUNDS, FUNDS] == young
    assert FUNDS - PRICE == bench.ledger.balance(owner, Commitment.FINALIZED)


# --- later ---


def submitted(bench: Bench, delay_s: float) -> str:
    tendered = bench.ledger.verify(bench.build().base64(), bench.expected())
    assert isinstance(tendered, Tendered)
    return bench.ledger.submit(tendered, delay_s=delay_s)


def test_lands_later(bench: Bench) -> None:
    """What is submitted lands in the block of the moment when it is due, whoever looks then."""
    signature = submitted(bench, 2.0)
    start = bench.ledger.blocks.head().height
    early = bench.balances
    bench.clock.advance(10)
    late = bench.balances
    landed = bench.ledger.history.find(signature)

    assert ((FUNDS, 0), (FUNDS - PRICE, PRICE)) == (early, late)
    assert landed is not None
    assert start + 5 == landed.block.height


def test_never_lands(bench: Bench) -> None:
    """What is due after its blockhash has expired never lands."""
    signature = submitted(bench, 61.0)
    bench.clock.advance(3_600)

    assert (FUNDS, 0) == bench.balances
    assert bench.ledger.history.find(signature) is None


def test_submitted_is_a_duplicate(bench: Bench) -> None:
    """What is on its way is not taken again."""
    submitted(bench, 5.0)
    found = bench.ledger.verify(bench.build().base64(), bench.expected())

    assert isinstance(found, Refused)
    assert DUPLICATE == found.reason


# --- history ---


def test_failure_lands(bench: Bench) -> None:
    """A transaction that fails in a program is in a block with its error, and moved nothing."""
    text = bench.build(amount=FUNDS + 1)
    tendered = Tendered(text.signed(), PAYER.pubkey(), FUNDS + 1, None)
    landed = bench.ledger.send(bench.ledger.signed(tendered))

    assert not isinstance(landed, (str, dict))
    assert {"InstructionError": [2, {"Custom": 1}]} == landed.execution.error
    assert (FUNDS, 0) == bench.balances
    assert (landed,) == bench.ledger.history.all


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda bench: bench.ledger.advance(151), "BlockhashNotFound"),
        (
            lambda bench: bench.ledger.settle(bench.build().base64(), bench.expected()),
            "AlreadyProcessed",
        ),
    ],
)
def test_never_in_a_block(bench: Bench, spoil: Callable[[Bench], object], error: str) -> None:
    """What is stale or was there before gets into no block."""
    tendered = Tendered(bench.build().signed(), PAYER.pubkey(), PRICE, None)
    spoil(bench)
    landed = len(bench.ledger.history.all)

    assert error == bench.ledger.send(bench.ledger.signed(tendered))
    assert landed == len(bench.ledger.history.all)


def test_unsigned(bench: Bench) -> None:
    """Without the fee payer's signature nothing gets into a block."""
    assert "SignatureFailure" == bench.ledger.send(bench.build().signed())


def test_memo_in_history(bench: Bench) -> None:
    """The history tells the memo with its length."""
    settled = bench.ledger.settle(bench.build(rest=(memo(b"inv-42"),)).base64(), bench.expected())
    bare = bench.ledger.settle(bench.build(rest=()).base64(), bench.expected())

    assert isinstance(settled, Settled)
    assert isinstance(bare, Settled)
    assert ("[6] inv-42", None) == (settled.landed.memo, bare.landed.memo)


def test_accounts_in_history(bench: Bench) -> None:
    """A transaction is found under every account that it names, and under no other."""
    settled = bench.ledger.settle(bench.build().base64(), bench.expected())
    assert isinstance(settled, Settled)
    head = bench.ledger.blocks.head()
    source = bench.ledger.token_account(PAYER.pubkey())

    assert [settled.landed] == bench.ledger.history.naming(source, head)
    assert [settled.landed] == bench.ledger.history.naming(PAYER.pubkey(), head)
    assert [] == bench.ledger.history.naming(Pubkey.new_unique(), head)
    assert (-PRICE, 0) == (
        settled.landed.gained(source),
        settled.landed.gained(PAYER.pubkey()),
    )
