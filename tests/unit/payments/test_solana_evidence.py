"""What a Solana cluster proves about a payment, and what it does not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chains import SOLANA_DEVNET
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import Proof
from sidecar.payments import solana_evidence
from sidecar.payments.evidence import Dead, Moved, Unknown
from sidecar.payments.prover import SOLANA_BYTES_MAX
from sidecar.wallets.solana_layout import BARE, STANDARD, Layout
from tests.world.exchanges import answered, hold
from tests.world.fakes import NOON
from tests.world.solana_cluster import EMPTY_SLOTS
from tests.world.solana_payment import AGE_S, BLOCKHASH, FINAL_S, URL, VALID_S, Paid


@pytest.fixture
def paid() -> Paid:
    return Paid()


@pytest.mark.parametrize(
    ("layout", "memo"), [(STANDARD, ""), (STANDARD, "inv-1"), (BARE, "inv-1"), (BARE, "")]
)
def test_moved(layout: Layout, memo: str) -> None:
    """The payment in a final block is proof, with its transaction's id, whoever made its memo."""
    paid = Paid(layout, memo=memo)
    transaction = paid.settle()
    paid.cluster.wait(FINAL_S)

    assert Moved(Proof("chain", transaction)) == paid.look()


def test_moved_but_not_final(paid: Paid) -> None:
    """A block that may still be taken back proves nothing, unless the config trusts it."""
    transaction = paid.settle()
    paid.cluster.wait(1)

    assert Unknown("not in a block so far") == paid.look()
    assert Moved(Proof("chain", transaction)) == paid.look("safe")


def test_alive(paid: Paid) -> None:
    """Not there now proves nothing: until the last valid block is final, it may get in."""
    paid.cluster.wait(VALID_S + FINAL_S)

    assert Unknown("not in a block so far") == paid.look()


def test_dead(paid: Paid) -> None:
    """A final block after the last valid one, and a history without it: it never can."""
    paid.cluster.wait(VALID_S + FINAL_S + 0.4)

    assert Dead(Proof("expired")) == paid.look()


def test_dead_by_confirmed_blocks(paid: Paid) -> None:
    """With the config's leave, a confirmed block is enough."""
    paid.cluster.wait(VALID_S + 0.8)

    assert Unknown("not in a block so far") == paid.look()
    assert Dead(Proof("expired")) == paid.look("safe")


def test_moved_in_the_last_block(paid: Paid) -> None:
    """What got into the last valid block moved, however long ago."""
    paid.cluster.wait(VALID_S)
    transaction = paid.settle()
    paid.cluster.wait(10_000)

    assert Moved(Proof("chain", transaction)) == paid.look()


def test_expiry_is_read_first(paid: Paid) -> None:
    """The height is read before the history, and the history at nodes that are not behind it."""
    paid.cluster.wait(200)
    paid.look()

    assert ["getEpochInfo", "getSignaturesForAddress"] == paid.cluster.asked[1:3]


def test_late_node(paid: Paid) -> None:
    """A node that is behind does not get to say that nothing is there."""
    paid.cluster.wait(VALID_S - 2)
    paid.settle()
    paid.cluster.wait(200)
    paid.cluster.history_lags_blocks = 600

    with pytest.raises(RemoteProtocolError, match="Minimum context slot"):
        paid.look()


def test_failed(paid: Paid) -> None:
    """The payment in a transaction that failed moved nothing."""
    paid.settle(error={"InstructionError": [2, {"Custom": 1}]})
    paid.cluster.wait(20)

    assert Unknown("not in a block so far") == paid.look()
    paid.cluster.wait(200)
    assert Dead(Proof("expired")) == paid.look()
    assert "getTransaction" not in paid.cluster.asked


def test_history_and_transaction_disagree(paid: Paid) -> None:
    """A history that hides a failure does not make it a transfer."""
    paid.settle(error="AccountInUse")
    paid.cluster.wait(200)
    history = paid.cluster.history(paid.cluster.height, {"limit": 100})
    paid.cluster.changed["getSignaturesForAddress"] = answered([{**history[0], "err": None}])

    assert Dead(Proof("expired")) == paid.look()


def test_another_message_with_our_memo(paid: Paid) -> None:
    """Our memo in somebody's transaction is not our payment."""
    paid.cluster.land(paid.message[:-1] + b"x", paid.memo)
    paid.cluster.land(paid.message + b"x", paid.memo)
    paid.cluster.wait(200)

    assert Dead(Proof("expired")) == paid.look()


def test_memo_among_others(paid: Paid) -> None:
    """Our memo is found among several of one transaction."""
    transaction = paid.cluster.land(paid.message, f"a; [32] {paid.memo}")
    paid.cluster.wait(20)

    assert Moved(Proof("chain", transaction)) == paid.look()


def test_endpoint_without_memos(paid: Paid) -> None:
    """Where an endpoint keeps no memos, every transaction is looked into."""
    paid.cluster.keeps_memos = False
    transaction = paid.settle()
    paid.cluster.land(b"\x80another", "another")
    paid.cluster.wait(20)

    assert Moved(Proof("chain", transaction)) == paid.look()


@pytest.mark.parametrize("layout", [STANDARD, BARE])
def test_others_are_not_looked_into(layout: Layout) -> None:
    """A transaction with another memo, or one from before, is not even asked for."""
    paid = Paid(layout)
    paid.cluster.wait(-240)
    paid.cluster.land(b"\x80old")
    paid.cluster.wait(240)
    paid.cluster.land(b"\x80new", "another")
    paid.cluster.wait(200)

    assert Dead(Proof("expired")) == paid.look()
    assert "getTransaction" not in paid.cluster.asked


def test_paged(paid: Paid) -> None:
    """A busy account's history is read page by page."""
    transaction = paid.settle()
    for number in range(solana_evidence.PAGE_ENTRIES * 2):
        paid.cluster.land(b"\x80%d" % number, "another")
    paid.cluster.wait(200)

    assert Moved(Proof("chain", transaction)) == paid.look()
    assert 3 == paid.cluster.asked.count("getSignaturesForAddress")


def test_history_too_long(paid: Paid) -> None:
    """A history that is too long to be read back to the payment proves nothing."""
    for number in range(solana_evidence.PAGE_ENTRIES * solana_evidence.PAGES_MAX):
        paid.cluster.land(b"\x80%d" % number, "another")
    paid.cluster.wait(200)
    why = "our token account's history is too long to be searched"

    assert Unknown(why, lasting=True) == paid.look()


def test_too_many_to_look_into(paid: Paid) -> None:
    """Dust without memos is looked into up to a limit; beyond it nothing is proven."""
    for number in range(solana_evidence.TRANSACTIONS_MAX + 1):
        paid.cluster.land(b"\x80%d" % number)
    paid.cluster.wait(200)
    why = "too many transactions without a memo to look into"

    assert Unknown(why, lasting=True) == paid.look()


@pytest.mark.parametrize(("forgotten_s", "dies"), [(AGE_S - 121, True), (AGE_S - 119, False)])
def test_forgotten_history(paid: Paid, forgotten_s: int, dies: bool) -> None:
    """An endpoint that has forgotten the time before the payment cannot say it is not there."""
    paid.cluster.first_slot = EMPTY_SLOTS + round(forgotten_s / 0.4)
    paid.cluster.wait(200)

    assert dies == isinstance(paid.look(), Dead)


def test_young_cluster(paid: Paid) -> None:
    """A cluster that has its first block has forgotten nothing, however young it is."""
    assert paid.payment.authorized_at is not None
    paid.payment = replace(paid.payment, authorized_at=NOON - timedelta(seconds=AGE_S))
    paid.cluster.wait(200)

    assert isinstance(paid.look(), Dead)
    assert "getBlockTime" not in paid.cluster.asked


def test_entry_without_a_time(paid: Paid) -> None:
    """An entry whose time nobody knows does not end the search."""
    transaction = paid.settle()
    paid.cluster.land(b"\x80another", "another")
    paid.cluster.wait(20)
    newest, ours = paid.cluster.history(paid.cluster.height, {"limit": 2})
    page = answered([{**newest, "blockTime": None}, ours])
    paid.cluster.changed["getSignaturesForAddress"] = page

    assert Moved(Proof("chain", transaction)) == paid.look()


def test_another_network(paid: Paid) -> None:
    """Another network's endpoint has no such transaction, and that proves nothing."""
    paid.payment = replace(paid.payment, network=SOLANA_DEVNET)
    paid.cluster.wait(200)

    assert Unknown("the endpoint is of another network") == paid.look()


@pytest.mark.parametrize(
    ("first", "last"), [*((0, at) for at in range(6)), *((at, 9) for at in range(1, 6))]
)
def test_led_elsewhere(paid: Paid, first: int, last: int) -> None:
    """An endpoint that is led to another cluster, or back from it, proves no death meanwhile."""
    other = Paid()
    other.cluster.genesis_hash = "4" * 44
    other.cluster.wait(1_000)
    # Many more blocks, in fewer slots.
    other.cluster.changed["getEpochInfo"] = answered({"absoluteSlot": 1, "blockHeight": 10**9})
    if first > 0:
        paid.settle()
        paid.cluster.wait(1_000)
    reads = count()

    def answer(request: HttpRequest) -> HttpResponse:
        return (other if next(reads) in range(first, last) else paid).cluster(request)

    with suppress(RemoteProtocolError):
        found = hold(solana_evidence.examine(URL, paid.payment, "finalized"), answer)
        assert not isinstance(found, Dead)


@pytest.mark.parametrize(
    ("passed_s", "valid", "dies"),
    [(600, False, False), (601.2, True, False), (601.2, False, True)],
)
def test_sellers_blockhash(passed_s: float, valid: bool, dies: bool) -> None:
    """Under a seller's blockhash it is dead ten minutes later, once the blockhash is not valid."""
    paid = Paid(own_blockhash=False)
    paid.cluster.wait(passed_s + FINAL_S)
    paid.cluster.valid_blockhashes |= {BLOCKHASH} if valid else set()

    assert dies == isinstance(paid.look(), Dead)


def test_sellers_blockhash_is_asked_first() -> None:
    """Its end is read before the history, too."""
    paid = Paid(own_blockhash=False)
    paid.cluster.wait(1_000)
    paid.look()

    assert [
        "getEpochInfo",
        "getBlockTime",
        "isBlockhashValid",
        "getSignaturesForAddress",
    ] == paid.cluster.asked[1:5]


@pytest.mark.parametrize(
    "method",
    [
        "getEpochInfo",
        "getSignaturesForAddress",
        "getTransaction",
        "getFirstAvailableBlock",
        "getBlockTime",
        "getGenesisHash",
    ],
)
def test_odd_read(method: str) -> None:
    """Any answer that is odd ends the look: there is no finding from the rest."""
    paid = Paid()
    paid.cluster.land(b"\x80dust")
    paid.cluster.first_slot = 1
    paid.cluster.wait(200)
    paid.cluster.changed[method] = answered("?")

    with pytest.raises(RemoteProtocolError):
        paid.look()


def test_a_page_fits() -> None:
    """A page of the longest memos, each letter written as an escape, fits into what is read."""
    assert solana_evidence.PAGE_ENTRIES * (6 * 1_232 + 400) <= SOLANA_BYTES_MAX


@settings(max_examples=60, deadline=None)
@given(
    settles_after_s=st.one_of(st.none(), st.floats(0, VALID_S)),
    fails=st.booleans(),
    looked_after_s=st.lists(st.floats(0, 300), min_size=1, max_size=8),
    finality=st.sampled_from(["finalized", "safe"]),
)
def test_never_wrong(
    settles_after_s: float | None, fails: bool, looked_after_s: list[float], finality: str
) -> None:
    """Whenever one looks: what is found is true, and what was found once stays found."""
    paid = Paid()
    moves = settles_after_s is not None and not fails
    moments = sorted([*((at, "look") for at in looked_after_s), (settles_after_s or 0, "settle")])
    now_s = 0.0
    findings = []
    for at, what in moments:
        paid.cluster.wait(at - now_s)
        now_s = at
        if what == "look":
            findings.append(type(paid.look(finality)))
        elif settles_after_s is not None:
            paid.settle(error="AccountInUse" if fails else None)

    kinds = {Unknown, Moved if moves else Dead}
    assert kinds >= set(findings)
    assert findings == sorted(findings, key=lambda kind: kind is not Unknown)
