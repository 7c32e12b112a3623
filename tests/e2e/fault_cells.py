"""The cells of the battery of seller faults: which there are, how one ended, what is wrong then.

A cell is one mode of misbehaviour at one seller, and one way in which an app tries. A mode is a
Fault of the plain seller, paid for each request, or a Misdeed of a vendor that sells credit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, count, cycle

from sidecar.ledger.model import Payment, PaymentState
from sidecar.sandbox.faults import Fault
from sidecar.sandbox.vendors.conduct import Misdeed
from tests.e2e.fault_clients import BROKEN, SERVED, Way

ALWAYS = 1000


class Place(StrEnum):
    """Who sells, and on which chain he is paid."""

    SELLER_EVM = "per request, EVM"
    SELLER_SOLANA = "per request, Solana"
    VENICE_EVM = "top-up, Venice, EVM"
    VENICE_SOLANA = "top-up, Venice, Solana"
    NODIT_EVM = "top-up, Nodit, EVM"
    NODIT_SOLANA = "top-up, Nodit, Solana"

    @property
    def on_solana(self) -> bool:
        return self.name.endswith("SOLANA")

    @property
    def vendor(self) -> str:
        return self.name.partition("_")[0].lower()

    @property
    def ways(self) -> tuple[Way, ...]:
        """How apps can try there: Nodit's node has nothing to stream."""
        return tuple(way for way in Way if self.vendor != "nodit" or not way.streams)


SELLERS = (Place.SELLER_EVM, Place.SELLER_SOLANA)
VENDORS = (Place.VENICE_EVM, Place.NODIT_SOLANA, Place.VENICE_SOLANA, Place.NODIT_EVM)


@dataclass(frozen=True, slots=True)
class World:
    """Whether the seller gives a paid answer again, and whether the sidecar can ask the chain."""

    replays: bool = True
    with_rpc: bool = True

    def __str__(self) -> str:
        lacking = [
            *(["no replays"] if not self.replays else []),
            *(["no RPC"] if not self.with_rpc else []),
        ]
        return ", ".join(lacking) or "usual"


USUAL = World()
STRICT = World(replays=False, with_rpc=False)
WORLDS = (USUAL, STRICT, World(replays=False), World(with_rpc=False))


@dataclass(frozen=True, slots=True)
class Cell:
    """A mode, done so often, at one seller, and how the app tries."""

    mode: Fault | Misdeed
    times: int
    place: Place
    way: Way

    @property
    def is_payable(self) -> bool:
        """Whether there is something to be had for the money, if not at the first try."""
        if isinstance(self.mode, Fault):
            return self.mode not in REFUSED_TERMS and self.mode is not Fault.FOREVER_402
        return self.times == 1 and self.mode not in HELD


@dataclass(frozen=True, slots=True)
class Ended:
    """What the app heard, what the seller was paid, and how the ledger has what was signed."""

    cell: Cell
    heard: int
    settled: int
    states: tuple[str, ...]

    @property
    def served(self) -> bool:
        return self.heard == SERVED


# Terms that must not be paid, and what an app is told then.
REFUSED_TERMS = {
    Fault.GARBAGE_402: 502,
    Fault.BARE_402: 402,
    Fault.TOO_EXPENSIVE: 402,
    Fault.NUMBER_AMOUNT: 402,
    Fault.NEGATIVE_AMOUNT: 402,
    Fault.NOTHING_PAYABLE: 402,
    Fault.FAKE_ASSET: 402,
    Fault.OTHER_PAYEE: 402,
    Fault.THOUSAND_ACCEPTS: 502,
    Fault.HUGE_402: 502,
}
# Where a call that could be served is not, by the way of trying. An app that tries three times
# gets everything; the stock client repeats neither a 400 nor a stream that broke off.
UNSERVED = {
    Way.ONE_TRY: {
        Fault.UNSETTLED_400: 400,
        Fault.SETTLE_THEN_CUT_BODY: BROKEN,
        Fault.SETTLE_THEN_CUT_STREAM: BROKEN,
        Fault.SETTLE_THEN_STALL_STREAM: BROKEN,
    },
    Way.THREE_TRIES: {},
    Way.STOCK: {Fault.UNSETTLED_400: 400},
    Way.SSE: {
        Fault.UNSETTLED_400: 400,
        Fault.SETTLE_THEN_CUT_STREAM: BROKEN,
        Fault.SETTLE_THEN_STALL_STREAM: BROKEN,
    },
    Way.SSE_THREE_TRIES: {},
}
# A machine that is busy with other things keeps the seller from answering in time; then the app
# is told to come again. How many are served at all is asked of all cells together.
LATE = (503, 504)
# Cut so early that its head may not have left: the client repeats what it heard nothing of.
EITHER = (Way.SSE, Fault.SETTLE_THEN_CUT_BODY)
# Not served in the end, because the vendor took the money for nothing.
HELD = frozenset({Misdeed.TOP_UP_TAKEN_BUT_402, Misdeed.TOP_UP_UNCREDITED})
# What an app may hear of a vendor; 401 is one that takes none of our sign-ins.
HONEST = frozenset({200, 401, 402, 502, 503})


def every_fault(place: Place) -> list[Cell]:
    """All faults at a seller, in all ways."""
    return [fault_cell(fault, place, way) for fault in Fault for way in place.ways]


def sampled_faults(place: Place, start: int) -> list[Cell]:
    """Each fault once, in ways that take turns; faults of streams, in both that stream."""
    cells = []
    for fault, number in zip(Fault, count(start), strict=False):
        turn = place.ways[number % len(place.ways)]
        streaming = [way for way in place.ways if way.streams]
        ways = streaming if "STREAM" in fault.name else [turn]
        cells += [fault_cell(fault, place, way) for way in ways]
    return cells


def fault_cell(fault: Fault, place: Place, way: Way) -> Cell:
    """Terms that must not be paid never get better; else the next try would be another case."""
    times = ALWAYS if fault in REFUSED_TERMS else fault.usual_times
    return Cell(fault, times, place, way)


def every_misdeed() -> list[Cell]:
    """All misdeeds at all vendors, once and always, in all ways."""
    return [
        Cell(misdeed, times, place, way)
        for misdeed in Misdeed
        for times in (1, ALWAYS)
        for place in VENDORS
        for way in place.ways
    ]


def sampled_misdeeds() -> list[Cell]:
    """Each misdeed once and always; vendors, chains and ways take turns."""
    turns = {place: cycle(place.ways) for place in VENDORS}
    modes = [(misdeed, times) for times in (1, ALWAYS) for misdeed in Misdeed]
    places = cycle(VENDORS)
    return [Cell(*mode, place, next(turns[place])) for mode, place in zip(modes, places)]  # noqa: B905 - the places go on for ever


def state_of(payment: Payment) -> str:
    """How the ledger has it, in a word or two."""
    match payment.state:
        case PaymentState.RESERVED:
            return "reserved"
        case PaymentState.AUTHORIZED:
            return "in doubt"
        case PaymentState.VOIDED:
            return "voided"
        case PaymentState.POSTED:
            if payment.delivered_at is not None:
                return "delivered"
            return "undelivered" if payment.closed_at is None else "given up"


def wrongs(world: World, cells: Iterable[Ended]) -> list[str]:
    """Everything that is wrong with how these cells ended."""
    return list(chain.from_iterable(_wrongs(world, one) for one in cells))


def _wrongs(world: World, one: Ended) -> list[str]:
    posted = {"delivered", "undelivered", "given up"} & set(one.states)
    found = {
        "it settled twice": one.settled > 1,
        "two were signed": len(one.states) > 1,
        "more settled than was written down": one.settled > len(one.states),
        "it settled and is voided": one.settled > 0 and "voided" in one.states,
        "it is posted and did not settle": bool(posted) and one.settled == 0,
        "it settled and is not posted": world.with_rpc and one.settled > 0 and not posted,
        "delivered, and the app was not served": "delivered" in one.states and not one.served,
        **(_seller_wrongs(world, one) if one.cell.place in SELLERS else _vendor_wrongs(one)),
    }
    return [f"{what}: {one}" for what, is_so in found.items() if is_so]


def _seller_wrongs(world: World, one: Ended) -> dict[str, bool]:
    return {
        "signed for terms that must not be paid": one.cell.mode in REFUSED_TERMS
        and (one.settled > 0 or one.states != ()),
        "served without payment": one.served and one.settled == 0,
        "served, and not marked as delivered": one.served and one.states != ("delivered",),
        "not what it should hear": world == USUAL and one.heard not in expected(one.cell),
    }


def expected(cell: Cell) -> set[int]:
    """What the app may hear of a seller who gives a paid answer again."""
    assert isinstance(cell.mode, Fault)
    if cell.mode is Fault.FOREVER_402:
        return {*LATE}
    if cell.mode in REFUSED_TERMS:
        return {REFUSED_TERMS[cell.mode], *LATE}
    if (cell.way, cell.mode) == EITHER:
        return {SERVED, BROKEN, *LATE}
    return {UNSERVED[cell.way].get(cell.mode, SERVED), *LATE}


def _vendor_wrongs(one: Ended) -> dict[str, bool]:
    patient = one.cell.way is not Way.ONE_TRY
    return {
        "not an honest answer": one.heard not in HONEST,
        "credit came and did not serve": patient and one.cell.is_payable and not one.served,
    }
