"""What a chain says about a payment: proof that it moved, proof that it never can, or neither.

    Moved      the token says used, and the transfer itself is in a successful transaction
    Dead       a finalized block is past validBefore, and at that block the token says unused;
               or a finalized block holds its cancellation
    Unknown    anything else: a read that failed, was cut, or is not one of the expected words

The expiry and the state are read at one finalized block. Read at two moments, the state first,
the authorization could be used between the two looks. The chain is asked for its id before and
after: an endpoint that is led to another one meanwhile has a block of that one, and proves nothing.

A nonce that a transfer on other terms has used is another ledger's doing (``payments.nonces``):
neither Moved nor Dead, and a person has to say.

A Permit has no nonce of its own but a number, which another Permit can take. Used, it is Moved in
full: its payee may pull up to its value, at any time. It is Dead past its deadline with its number
still free, or where every number that was taken is seen to have gone to another Permit.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import TypeAlias

from sidecar.chains import usdc_on
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import Payment, Proof
from sidecar.rpc import evm
from sidecar.values import dataclass

# A token's logs are asked for in spans that public RPC endpoints accept; a chain that fits into
# one is searched whole.
LOG_SPAN_BLOCKS = 2_000
LOG_SPANS_MAX = 8
LOG_MARGIN_S = 120
# How a chain's pace is measured, and how often a guess from it is corrected.
PACE_BLOCKS = 1_000
GUESSES_MAX = 4
# A wallet that pays all the time gives so many allowances that a longer span is too much to read.
APPROVAL_SPAN_BLOCKS = 128
APPROVAL_SPANS_MAX = 16


@dataclass(frozen=True, slots=True)
class Moved:
    """The transfer is on the chain."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class Dead:
    """The authorization can no longer settle."""

    proof: Proof


@dataclass(frozen=True, slots=True)
class Unknown:
    """No proof either way; ``why`` is for people.

    ``lasting``: the endpoint answered, and looking again would not help: a person has to say.
    """

    why: str
    lasting: bool = False


Finding: TypeAlias = Moved | Dead | Unknown
ELSEWHERE = Unknown("the endpoint is of another network")


def examine(
    url: str, payment: Payment, finality: str, span_blocks: int = LOG_SPAN_BLOCKS
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """Ask one RPC endpoint about an authorized payment. RemoteProtocolError on any odd read."""
    asset = usdc_on(payment.network)
    if (yield from evm.chain_id(url)) != asset.chain_id:
        return ELSEWHERE
    assert payment.authorization is not None
    is_permit = "primaryType" in payment.authorization.fields
    examine_it = _examine_permit if is_permit else _examine_transfer
    finding = yield from examine_it(url, payment, finality, span_blocks)
    if isinstance(finding, Dead) and (yield from evm.chain_id(url)) != asset.chain_id:
        return ELSEWHERE
    return finding


def _examine_transfer(
    url: str, payment: Payment, finality: str, span_blocks: int
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """What became of an authorization that its payee, or anybody, can submit."""
    authorization = payment.authorization
    assert authorization is not None
    asset, payer = payment.asset, authorization.fields["from"]
    nonce = authorization.fields["nonce"]
    final = yield from evm.block(url, finality)
    expired = final.timestamp >= int(authorization.fields["validBefore"])
    if expired:
        at_final = hex(final.number)
        used = yield from evm.authorization_state(url, asset, payer, nonce, at_final)
        if not used:
            return Dead(Proof("expired"))
    latest = yield from evm.block(url, "latest")
    used = yield from evm.authorization_state(url, asset, payer, nonce, hex(latest.number))
    if not used:
        return Unknown("not used so far")
    return (yield from _trace(url, payment, latest, final, span_blocks))


def _trace(
    url: str,
    payment: Payment,
    latest: evm.Block,
    final: evm.Block,
    span_blocks: int,
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """Used by a transfer, or by its cancellation? The token's own logs tell."""
    assert payment.authorization is not None
    assert payment.authorized_at is not None
    fields = payment.authorization.fields
    since, until = 0, latest.number
    if latest.number > span_blocks:
        ends_at = int(fields["validBefore"]) + LOG_MARGIN_S
        until = yield from block_near(url, ends_at, latest)
        # Another ledger may have used a nonce of the purchase long before ours was authorized.
        if not (payment.purchase.explicit or payment.purpose == "top_up"):
            since = yield from block_near(url, _epoch(payment.authorized_at) - LOG_MARGIN_S, latest)
    for _ in range(LOG_SPANS_MAX):
        first = max(since, until - span_blocks + 1)
        events = yield from evm.authorization_logs(
            url, payment.asset, fields["from"], fields["nonce"], first, until
        )
        for event in events:
            if event.canceled:
                if event.block_number <= final.number:
                    return Dead(Proof("canceled", event.transaction))
                return Unknown("canceled, but not finally")
            moved = yield from evm.transfer_in(
                url,
                event.transaction,
                payment.asset,
                fields["from"],
                fields["to"],
                int(fields["value"]),
            )
            if moved:
                return Moved(Proof("chain", event.transaction))
            if event.block_number <= final.number:
                # Ours never can be, and its purchase was paid: to void it would pay once more.
                why = f"its purchase was paid on other terms, in {event.transaction}"
                return Unknown(why, lasting=True)
        if first == since:
            break
        until = first - 1
    return Unknown("used, but its transfer was not found")


def _examine_permit(
    url: str, payment: Payment, finality: str, span_blocks: int
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """The same of a Permit."""
    assert payment.authorization is not None
    fields = payment.authorization.fields
    number, deadline = int(fields["nonce"], 16), int(fields["validBefore"])
    final = yield from evm.block(url, finality)
    # Later than its deadline: at the deadline itself a token still takes it.
    if final.timestamp > deadline:
        free = yield from evm.nonces(url, payment.asset, fields["from"], hex(final.number))
        if free == number:
            return Dead(Proof("expired"))
    latest = yield from evm.block(url, "latest")
    free = yield from evm.nonces(url, payment.asset, fields["from"], hex(latest.number))
    if free <= number:
        return Unknown("its number is not taken so far")
    span_blocks = min(span_blocks, APPROVAL_SPAN_BLOCKS)
    return (yield from _trace_permit(url, payment, latest, final, span_blocks))


def _trace_permit(
    url: str,
    payment: Payment,
    latest: evm.Block,
    final: evm.Block,
    span_blocks: int,
) -> Generator[HttpRequest, HttpResponse, Finding]:
    """Who has the Permit's number? Each one that is used leaves an allowance in the logs."""
    assert payment.authorization is not None
    fields = payment.authorization.fields
    owner, deadline = fields["from"], int(fields["validBefore"])
    ours = fields["to"].lower(), int(fields["value"])
    expired = False
    others: list[evm.ApprovalEvent] = []
    last = int(fields["sinceBlock"])
    for _ in range(APPROVAL_SPANS_MAX):
        if last >= latest.number:
            break
        first, last = last + 1, min(last + span_blocks, latest.number)
        events = yield from evm.approval_logs(url, payment.asset, owner, first, last)
        for event in sorted(events, key=lambda event: event.block_number):
            if (event.spender, event.value) == ours and not expired:
                block = yield from evm.block(url, hex(event.block_number))
                expired = block.timestamp > deadline
                if not expired:
                    return Moved(Proof("chain", event.transaction))
            others.append(event)
    end = final
    if last < final.number:
        end = yield from evm.block(url, hex(last))
    free = yield from evm.nonces(url, payment.asset, owner, hex(end.number))
    taken = free - int(fields["nonce"], 16)
    if taken == 0 and end.timestamp > deadline:
        return Dead(Proof("expired"))
    others = [event for event in others if event.block_number <= end.number]
    # Fewer than were taken: the logs that we were given are not all, and ours may be missing.
    if 0 < taken <= len(others):
        return Dead(Proof("canceled", others[0].transaction))
    return Unknown("its number was taken, and by which Permit was not found", lasting=True)


def block_near(
    url: str, timestamp: int, latest: evm.Block
) -> Generator[HttpRequest, HttpResponse, int]:
    """The number of a block near this time: within the margin where the chain keeps its pace."""
    if timestamp >= latest.timestamp:
        return latest.number
    paced = yield from evm.block(url, hex(latest.number - PACE_BLOCKS))
    elapsed_s = max(1, latest.timestamp - paced.timestamp)
    guess = latest
    for _ in range(GUESSES_MAX):
        off_s = guess.timestamp - timestamp
        if abs(off_s) <= LOG_MARGIN_S // 2:
            break
        number = guess.number - off_s * PACE_BLOCKS // elapsed_s
        guess = yield from evm.block(url, hex(min(max(0, number), latest.number)))
    return guess.number


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
