"""What a Solana cluster says about a payment: proof that it moved, or never can, or neither.

    Moved      a transaction in our token account's history has our message, and did not fail
    Dead       the blockhash had expired before the history was read, and the history, back to
               before the authorization, has no such transaction
    Unknown    anything else: a read that failed, or a history that is forgotten or too long

A payment is its message: the bytes that we signed. The facilitator can add its own signature and
nothing else, and a transaction with another message is another's. The transaction's id is the
facilitator's signature, which we do not know before.

The expiry is read first, and the history by nodes that have seen at least that slot: the other
way round, the payment could get into a block between the two looks. The cluster is asked for its
name before and after: an endpoint that is led to another one meanwhile proves nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Generator

from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import Payment, Proof
from sidecar.payments.evidence import ELSEWHERE, Dead, Finding, Moved, Unknown
from sidecar.rpc import solana
from sidecar.rpc.solana import Commitment, HistoryEntry, Tip

PAGE_ENTRIES = 100
PAGES_MAX = 20
TRANSACTIONS_MAX = 100
# Between our clock and the chain's; signing stops when they are 30 s apart.
MARGIN_S = 120
# A blockhash lives for 150 blocks. Without their count, for as long as no chain takes for them.
SELLERS_BLOCKHASH_S = 600


def examine(
    url: str, payment: Payment, finality: str
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """Ask one RPC endpoint about an authorized payment. RemoteProtocolError on any odd read."""
    commitment: Commitment = "finalized" if finality == "finalized" else "confirmed"
    if (yield from solana.network(url)) != payment.network:
        return ELSEWHERE
    tip = yield from solana.tip(url, commitment)
    expired = yield from _has_expired(url, payment, tip, commitment)
    found = yield from _search(url, payment, tip, commitment)
    if found is not None:
        return found
    if not expired:
        return Unknown("not in a block so far")
    # An endpoint of another cluster has no such transaction either.
    if (yield from solana.network(url)) != payment.network:
        return ELSEWHERE
    return Dead(Proof("expired"))


def _has_expired(
    url: str, payment: Payment, tip: Tip, commitment: Commitment
) -> Generator[HttpRequest, HttpResponse, bool]:
    """Whether no block after this one takes a transaction under the payment's blockhash."""
    assert payment.authorization is not None
    fields = payment.authorization.fields
    if fields["last_valid_block_height"]:
        return tip.block_height > int(fields["last_valid_block_height"])
    # The seller's blockhash. A chain that stood still does not let it grow old, so the time
    # alone proves nothing; nor does "not valid", which one that is not known yet is as well.
    time = yield from solana.block_time(url, tip.slot)
    if time <= _authorized_at(payment) + SELLERS_BLOCKHASH_S:
        return False
    valid = yield from solana.is_blockhash_valid(url, fields["blockhash"], commitment, tip.slot)
    return not valid


def _search(
    url: str, payment: Payment, tip: Tip, commitment: Commitment
) -> Generator[HttpRequest, HttpResponse, Moved | Unknown | None]:
    """Look for the payment in our token account's history; None when it certainly is not there."""
    assert payment.authorization is not None
    fields = payment.authorization.fields
    message = base64.b64decode(fields["message"], validate=True)
    since = _authorized_at(payment) - MARGIN_S
    before, looks = "", 0
    for _ in range(PAGES_MAX):
        page = yield from solana.signatures_for_address(
            url, fields["source"], before, PAGE_ENTRIES, commitment, tip.slot
        )
        for entry in page:
            if entry.block_time is not None and entry.block_time < since:
                return None
            if not _could_be(entry, fields["memo"]):
                continue
            looks += 1
            if looks > TRANSACTIONS_MAX:
                return Unknown("too many transactions without a memo to look into", lasting=True)
            transaction = yield from solana.transaction(url, entry.signature, commitment)
            if transaction.message == message and not transaction.failed:
                return Moved(Proof("chain", entry.signature))
        if len(page) < PAGE_ENTRIES:
            return (yield from _end_of(url, since))
        before = page[-1].signature
    return Unknown("our token account's history is too long to be searched", lasting=True)


def _could_be(entry: HistoryEntry, memo: str) -> bool:
    """Whether this may be the payment. One that failed moved nothing, whatever was in it."""
    if entry.failed:
        return False
    # Not every endpoint keeps memos: one that is absent does not speak against it.
    return entry.memo is None or (memo in entry.memo if memo else False)


def _end_of(url: str, since: int) -> Generator[HttpRequest, HttpResponse, Unknown | None]:
    """A history that ended: because there was no more, or because the endpoint forgot it?"""
    first = yield from solana.first_available_block(url)
    if first > 0 and (yield from solana.block_time(url, first)) >= since:
        why = "the endpoint's history does not reach back to before the payment"
        return Unknown(why, lasting=True)
    return None


def _authorized_at(payment: Payment) -> int:
    assert payment.authorized_at is not None
    return int(payment.authorized_at.timestamp())
