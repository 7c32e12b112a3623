"""Apps as the stock SDKs are, and what the proxy does with one of their requests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from sidecar.errors import SidecarError, UpstreamError
from sidecar.http import Headers, WholeReply, header_values, read_whole
from sidecar.ledger.model import Purchase
from sidecar.payments.order import InDoubt, Order, Paid, Rejected, Undelivered
from sidecar.providers.base import Occasion, PayInline
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.proxy.answers import Answer
from sidecar.proxy.outcomes import (
    answer_denied,
    answer_fault,
    answer_in_doubt,
    answer_undelivered,
)
from sidecar.refusal import Denied
from tests.simulation.disk import Disk
from tests.simulation.scenario import Call
from tests.world.seller import ORIGIN
from tests.world.shop import Process
from tests.world.vendor import App

if TYPE_CHECKING:
    from tests.simulation.machine import Slot

BODY_BYTES_MAX = 1_000_000
RETRY_AFTER_S_MAX = 60.0
FLUSH_S = 0.5  # how long an app takes for an answer that is here
RETRIED = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Heard:
    """What came over a connection: no status where it broke before there was one."""

    status: int
    headers: Headers = ()
    whole: bool = True


class Line:
    """The connection between an app and a sidecar."""

    def __init__(self) -> None:
        self.heard: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

    def hear(self, heard: Heard) -> None:
        """The app has this."""
        if not self.heard.done():
            self.heard.set_result(heard)

    def say(self, answer: Answer) -> None:
        """The sidecar's own answer."""
        self.hear(Heard(answer.status, answer.headers()))


class Trail:
    """At which processes one call was tried, and which of them may hold a payment for nobody.

    From outside, a retry at a second process is a new purchase for as long as the first lives
    and has not let go: it may still be serving. Where the first is dead, or has answered in
    full, the retry has to bind.
    """

    def __init__(self) -> None:
        self._tried: set[str] = set()
        self._unsure: set[str] = set()

    def is_new_purchase(self, call: Call, slot: Slot) -> bool:
        """Note an attempt at what is there now; whether it may be a purchase of its own."""
        world, owner = slot.world, slot.owner
        rivals = [other for other in self._unsure - {owner} if world.is_alive(other)]
        is_new = bool(self._tried and rivals and call.key is None and owner not in self._tried)
        self._tried.add(owner)
        return is_new

    def hears(self, heard: Heard, owner: str, disk: Disk) -> None:
        """What came of the attempt."""
        if not heard.whole or disk.has_failed:
            self._unsure.add(owner)
        else:
            self._unsure.discard(owner)


async def use(call: Call, slots: Sequence[Slot], random: Random) -> str:
    """One call, tried as often as the stock SDKs do; how it ended."""
    heard, slot, trail = Heard(0, whole=False), slots[call.slot], Trail()
    for attempt in range(call.tries):
        if trail.is_new_purchase(call, slot):
            slot.world.purchases_more(call.group)
        owner = slot.owner
        heard = await _try(call, slot)
        trail.hears(heard, owner, slot.world.disk)
        slot.world.note(f"{call.group!r} hears {heard.status}{'' if heard.whole else ', cut'}")
        if attempt == call.tries - 1 or not _is_retried(heard):
            break
        await asyncio.sleep(_pause_s(heard, attempt, random))
        if random.random() < call.roams:
            slot = random.choice(slots)
    return f"{heard.status}" if heard.whole else "cut"


async def _try(call: Call, slot: Slot) -> Heard:
    line = Line()
    serving = slot.accept(line, call)
    if serving is None:
        return Heard(0, whole=False)
    try:
        async with asyncio.timeout(call.patience_s):
            return await line.heard
    except TimeoutError:
        slot.world.note(f"{call.group!r} hangs up")
        serving.cancel()
        return Heard(0, whole=False)


def _is_retried(heard: Heard) -> bool:
    if not heard.whole:
        return True
    asked = header_values(heard.headers, "x-should-retry")
    if asked:
        return asked[0] == "true"
    return heard.status in RETRIED or heard.status >= 500


def _pause_s(heard: Heard, attempt: int, random: Random) -> float:
    told = header_values(heard.headers, "retry-after")
    if told and 0 < float(told[0]) <= RETRY_AFTER_S_MAX:
        return float(told[0])
    return float(min(0.5 * 2.0**attempt, 8.0)) * (1 - random.random() / 4)


async def serve(process: Process, call: Call, line: Line) -> None:
    """What the proxy does with one request of a route that pays for each."""
    try:
        await _serve(process, call, line)
    except SidecarError as fault:
        line.say(answer_fault(fault))


async def _serve(process: Process, call: Call, line: Line) -> None:
    order = _order(process, call)
    reply = await process.upstream.send(order.request, wait_s=10)
    refusal = await read_whole(reply, BODY_BYTES_MAX)
    if refusal.status != 402:
        line.hear(Heard(refusal.status, refusal.headers))
        return
    occasion = Occasion(process.clock.now(), bytes(32))
    remedy = PayPerRequest(ORIGIN).remedy(order.request, refusal, occasion)
    assert isinstance(remedy, PayInline)
    outcome = await process.purchases.pay(order, remedy.required)
    match outcome:
        case Paid() | Rejected():
            await _relay(process, outcome, line)
        case InDoubt(payment, reason, retry_after_s):
            line.say(answer_in_doubt(payment, reason, retry_after_s))
        case Undelivered(payment, reason):
            line.say(answer_undelivered(payment, reason))
        case Denied():
            line.say(answer_denied(outcome))


def _order(process: Process, call: Call) -> Order:
    order = process.order(call.body)
    order.request = order.request.with_headers(("X-Group", call.group))
    key = hashlib.sha256(call.group.encode()).hexdigest()
    order.purchase = Purchase(key, explicit=call.key is not None)
    order.caller = call.caller
    return order


async def _relay(process: Process, outcome: Paid | Rejected, line: Line) -> None:
    """As ``proxy.delivery``: only the last byte, flushed, completes the purchase."""
    complete, reply = False, outcome.reply
    try:
        async for _ in reply.chunks():
            pass
        if isinstance(reply, WholeReply):
            await asyncio.sleep(FLUSH_S)
        line.hear(Heard(reply.status, reply.headers))
        complete = isinstance(outcome, Paid)
    except UpstreamError:
        line.hear(Heard(reply.status, reply.headers, whole=False))
    finally:
        reply.close()
        unposted = outcome.unposted if isinstance(outcome, Paid) else None
        ended = process.payer.delivered if complete else process.payer.released
        process.tasks.spawn("delivery", ended(outcome.payment, unposted))


async def serve_prepaid(app: App, line: Line) -> None:
    """What the proxy does with one request of a route that buys credit."""
    try:
        answer = await app.call()
    except SidecarError as fault:
        line.say(answer_fault(fault))
        return
    if answer == "served":
        line.hear(Heard(200))
    elif answer == "in_doubt":
        line.hear(Heard(503, (("Retry-After", "1"), ("x-should-retry", "true"))))
    else:
        line.say(answer_denied(Denied(answer, "")))
