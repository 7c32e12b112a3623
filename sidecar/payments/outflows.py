"""What left a wallet, as its chain tells it: to be compared with what the ledger holds.

Read to the newest block, so what is told may still be undone; what was read in part is a fault,
for a comparison with half of it would accuse somebody.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime

from sidecar.chains import Asset
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.payments.evidence import LOG_MARGIN_S, LOG_SPAN_BLOCKS, block_near
from sidecar.rpc import evm, solana

SPANS_MAX = 64
PAGE_ENTRIES = 100
PAGES_MAX = 20


@dataclass(frozen=True, slots=True)
class Outflow:
    """USDC that left. ``payee`` is "" where the chain names an account and not its owner."""

    transaction: str
    amount: Usdc
    payee: str = ""


def evm_outflows(
    url: str, asset: Asset, payer: str, since: datetime, span_blocks: int = LOG_SPAN_BLOCKS
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    """Every transfer from this address since then, and some of just before.

    RemoteProtocolError when not all can be read.
    """
    if (yield from evm.chain_id(url)) != asset.chain_id:
        raise RemoteProtocolError("the endpoint is of another chain")
    latest = yield from evm.block(url, "latest")
    first = 0
    if latest.number > span_blocks:
        # The block is found by the chain's pace, so a little more is read than was asked for.
        first = yield from block_near(url, int(since.timestamp()) - LOG_MARGIN_S, latest)
    found: list[Outflow] = []
    spans = range(first, latest.number + 1, span_blocks)
    if len(spans) > SPANS_MAX:
        raise RemoteProtocolError(f"over {SPANS_MAX * span_blocks} blocks; compare a shorter time")
    for start in spans:
        end = min(start + span_blocks - 1, latest.number)
        events = yield from evm.transfers_from(url, asset.address, payer, start, end)
        found += [Outflow(each.transaction, Usdc(each.value), each.payee) for each in events]
    return tuple(found)


def solana_outflows(
    url: str, asset: Asset, owner: str, account: str, since: datetime
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    """The same of a Solana owner, whose USDC is in ``account``."""
    if (yield from solana.network(url)) != asset.network:
        raise RemoteProtocolError("the endpoint is of another chain")
    tip = yield from solana.tip(url, "confirmed")
    found: list[Outflow] = []
    before = ""
    for _ in range(PAGES_MAX):
        page = yield from solana.signatures_for_address(
            url, account, before, PAGE_ENTRIES, "confirmed", tip.slot
        )
        for entry in page:
            if entry.block_time is not None and entry.block_time < since.timestamp():
                return tuple(found)
            if entry.failed:
                continue
            change = yield from solana.token_change(
                url, entry.signature, owner, asset.address, "confirmed"
            )
            if change < 0:
                found.append(Outflow(entry.signature, Usdc(-change)))
        if len(page) < PAGE_ENTRIES:
            return tuple(found)
        before = page[-1].signature
    raise RemoteProtocolError("a history that is too long; compare a shorter time")
