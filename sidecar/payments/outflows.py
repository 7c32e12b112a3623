"""What left a wallet, as its chain tells it: to be compared with what the ledger holds.

What was read in part is a fault, for a comparison with half of it would accuse somebody. What is
read to the newest block may still be undone; what is read between two marks is final.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

from sidecar.chains import Asset, is_evm
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.payments.evidence import LOG_MARGIN_S, LOG_SPAN_BLOCKS, PACE_BLOCKS, block_near
from sidecar.rpc import evm, solana
from sidecar.rpc.solana import Commitment, HistoryEntry
from sidecar.values import dataclass

SPANS_MAX = 64
PAGE_ENTRIES = 100
PAGES_MAX = 20


@dataclass(frozen=True, slots=True, order=True)
class Outflow:
    """USDC that left. ``payee`` is "" where the chain names an account and not its owner."""

    transaction: str
    amount: Usdc
    payee: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a chain: a block or a slot, and its time in seconds since the epoch.

    On Solana the slot of a time is not known, and is -1.
    """

    number: int
    at: int


def evm_outflows(
    url: str, asset: Asset, payer: str, since: datetime, span_blocks: int = LOG_SPAN_BLOCKS
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    """Every transfer from this address since then, and some of just before.

    RemoteProtocolError when not all can be read.
    """
    yield from _require_chain(url, asset)
    latest = yield from evm.block(url, "latest")
    first = 0
    if latest.number > span_blocks:
        # The block is found by the chain's pace, so a little more is read than was asked for.
        first = yield from block_near(url, int(since.timestamp()) - LOG_MARGIN_S, latest)
    return (yield from evm_outflows_in(url, asset, payer, first, latest.number, span_blocks))


def evm_outflows_in(
    url: str, asset: Asset, payer: str, first: int, last: int, span_blocks: int
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    """Every transfer from this address in these blocks, both ends included."""
    found: list[Outflow] = []
    spans = range(first, last + 1, span_blocks)
    if len(spans) > SPANS_MAX:
        raise RemoteProtocolError(f"over {SPANS_MAX * span_blocks} blocks; compare a shorter time")
    for start in spans:
        end = min(start + span_blocks - 1, last)
        events = yield from evm.transfers_from(url, asset.address, payer, start, end)
        found += [Outflow(each.transaction, Usdc(each.value), each.payee) for each in events]
    return tuple(found)


def solana_outflows(
    url: str, asset: Asset, owner: str, account: str, since: datetime
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    """The same of a Solana owner, whose USDC is in ``account``."""
    yield from _require_chain(url, asset)
    tip = yield from solana.tip(url, "confirmed")
    after, until = Mark(-1, int(since.timestamp())), Mark(tip.slot, 0)
    return (yield from solana_outflows_in(url, asset, owner, account, after, until, "confirmed"))


def solana_outflows_in(
    url: str,
    asset: Asset,
    owner: str,
    account: str,
    after: Mark,
    until: Mark,
    commitment: Commitment,
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    """The same of the slots after one and up to another."""
    found: list[Outflow] = []
    before = ""
    for _ in range(PAGES_MAX):
        page = yield from solana.signatures_for_address(
            url, account, before, PAGE_ENTRIES, commitment, until.number
        )
        for entry in page:
            if entry.slot <= after.number or _is_before(entry, after):
                return tuple(found)
            if entry.failed or entry.slot > until.number:
                continue
            change = yield from solana.token_change(
                url, entry.signature, owner, asset.address, commitment
            )
            if change < 0:
                found.append(Outflow(entry.signature, Usdc(-change)))
        if len(page) < PAGE_ENTRIES:
            return tuple(found)
        before = page[-1].signature
    raise RemoteProtocolError("a history that is too long; compare a shorter time")


def _is_before(entry: HistoryEntry, after: Mark) -> bool:
    """Whether an entry is too old by its time, where the slot of that time is not known."""
    if after.number >= 0 or entry.block_time is None:
        return False
    return entry.block_time < after.at


def final_mark(url: str, asset: Asset, finality: str) -> Generator[HttpRequest, HttpResponse, Mark]:
    """The newest place of a chain that is not undone any more."""
    yield from _require_chain(url, asset)
    if is_evm(asset.network):
        block = yield from evm.block(url, finality)
        return Mark(block.number, block.timestamp)
    tip = yield from solana.tip(url, commitment_of(finality))
    return Mark(tip.slot, (yield from solana.block_time(url, tip.slot)))


def mark_near(
    url: str, asset: Asset, at: int, newest: Mark
) -> Generator[HttpRequest, HttpResponse, Mark]:
    """A place near this time, which is before the newest one."""
    if not is_evm(asset.network):
        return Mark(-1, at)
    if newest.number <= PACE_BLOCKS:
        return (yield from evm_mark(url, 0))
    number = yield from block_near(url, at, evm.Block(newest.number, newest.at))
    return (yield from evm_mark(url, number))


def evm_mark(url: str, number: int) -> Generator[HttpRequest, HttpResponse, Mark]:
    """The place that is this block."""
    block = yield from evm.block(url, hex(number))
    return Mark(block.number, block.timestamp)


def commitment_of(finality: str) -> Commitment:
    """What Solana calls the config's word."""
    return "finalized" if finality == "finalized" else "confirmed"


def _require_chain(url: str, asset: Asset) -> Generator[HttpRequest, HttpResponse, None]:
    """RemoteProtocolError when the endpoint is of another chain: it would say what is not true."""
    if is_evm(asset.network):
        known = (yield from evm.chain_id(url)) == asset.chain_id
    else:
        known = (yield from solana.network(url)) == asset.network
    if not known:
        raise RemoteProtocolError("the endpoint is of another chain")
