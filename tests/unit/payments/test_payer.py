"""The money path's edges: what stops it before anything is signed, and how it gives up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.clock import WatchedClock
from sidecar.errors import LedgerError, UpstreamError, WalletBusyError, WalletError
from sidecar.http import HttpRequest, read_whole
from sidecar.ledger.model import PaymentState, TopUpRule
from sidecar.money import Usdc
from sidecar.payments.order import InDoubt, Order, Paid, Undelivered
from sidecar.payments.payer import PRESENTATION_DELAYS_S, Payer
from sidecar.refusal import ABANDONED, Denied
from sidecar.wallets import KeyHolder
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import PaymentRequired
from tests.world.fakes import NOON
from tests.world.seller import FakeReply, InOnePiece, Step
from tests.world.shop import KEY, TTL, URL, Process, World

BODY = b'{"model":"m","messages":[]}'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger.db")


async def required(world: World) -> PaymentRequired:
    reply = await world.seller.send(HttpRequest("POST", URL, (), BODY), wait_s=1)
    terms = read_payment_required(await read_whole(reply, 1_000_000))
    assert terms is not None
    return terms


def payer(world: World, process: Process, **changes: Any) -> Payer:
    parts: dict[str, Any] = {
        "ledger": process.ledger,
        "clock": WatchedClock(world.clock),
        "entropy": world.entropy,
        "prove": process.prover.prove,
        "can_ask": lambda network: True,
        "objection": lambda network: None,
        "emit": process.events.append,
        "undelivered_ttl": TTL,
    }
    return Payer(**(parts | changes))


async def states(process: Process) -> list[PaymentState]:
    return [row.state for row in await process.ledger.payments(None, 10)]


async def test_objection(world: World) -> None:
    """What may not be signed now is refused before anything is reserved."""
    no = Denied("clock_skew", "set the clock")
    async with world.process() as process:
        refusing = payer(world, process, objection=lambda network: no)
        outcome = await refusing.pay(process.order(BODY), await required(world))

        assert no == outcome
        assert [] == await states(process)


async def test_objection_after_the_wait(world: World) -> None:
    """What may not be signed any more when the wallet is done is dropped, and nothing left."""
    no = Denied("clock_skew", "set the clock")
    objections = iter([None, no])
    async with world.process() as process:
        refusing = payer(world, process, objection=lambda network: next(objections))
        outcome = await refusing.pay(process.order(BODY), await required(world))

        assert no == outcome
        assert [PaymentState.VOIDED] == await states(process)
    assert [] == world.seller.presented()


async def test_deserted_before_signing(world: World) -> None:
    """An app that left before anything was signed costs nothing: the reservation is dropped."""
    async with world.process() as process:
        order = process.order(BODY)
        order.deserted = True
        outcome = await process.payer.pay(order, await required(world))

        assert isinstance(outcome, Denied)
        assert ABANDONED == outcome.rule
        assert [PaymentState.VOIDED] == await states(process)
        assert [] == world.seller.presented()


class BrokenWallet:
    """A wallet that cannot be used."""

    address = EvmWallet(KEY).address

    def authorize(self, *terms: Any) -> Any:
        raise WalletError("the key is gone")
        yield

    async def payload(self, authorization: Any) -> dict[str, Any]:
        raise WalletError("the key is gone")


def with_signer(order: Order, signer: Any) -> Order:
    order.route = replace(order.route, signer=signer)
    return order


async def test_wallet_fails_before_signing(world: World) -> None:
    """A wallet that fails before anything is signed frees what was reserved for it."""
    async with world.process() as process:
        order = with_signer(process.order(BODY), BrokenWallet())
        with pytest.raises(WalletError):
            await process.payer.pay(order, await required(world))

        assert [PaymentState.VOIDED] == await states(process)


async def test_wallet_fails_at_the_retry(world: World) -> None:
    """A wallet that cannot sign again leaves the payment in doubt, and free to bind to."""
    world.seller.steps.extend([Step("reset", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        broken = with_signer(process.order(BODY), BrokenWallet())
        outcome = await process.payer.pay(broken, await required(world))
        served = await process.call(BODY)

    assert isinstance(outcome, InDoubt)
    assert "the key is gone" == outcome.reason
    assert 200 == served.status
    assert 1 == len(set(world.seller.presented()))


class Wrapped:
    """The ledger, but for the moves that a test has of its own."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@pytest.mark.parametrize("refused", ["policy", "clock"])
async def test_bound_though_refused(world: World, refused: str) -> None:
    """What was signed is presented again where nothing new may be signed, and nothing is."""
    no = Denied("clock_skew", "set the clock") if refused == "clock" else None
    world.seller.steps.extend([Step("reset", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        order = process.order(BODY)
        if refused == "policy":
            policy = replace(order.route.policy, max_payment=Usdc(1))
            order.route = replace(order.route, policy=policy)
        later = payer(world, process, objection=lambda network: no)
        outcome = await later.pay(order, await required(world))

    assert isinstance(outcome, Paid)
    assert 1 == len(set(world.seller.presented()))


async def test_frozen_though_refused(world: World) -> None:
    """While frozen nothing is presented, where nothing new might be signed either."""
    world.seller.steps.extend([Step("reset", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        presented = len(world.seller.presented())
        await process.ledger.freeze(world.clock.now())
        order = process.order(BODY)
        policy = replace(order.route.policy, max_payment=Usdc(1))
        order.route = replace(order.route, policy=policy)
        outcome = await process.payer.pay(order, await required(world))

    assert isinstance(outcome, Denied)
    assert "frozen" == outcome.rule
    assert presented == len(world.seller.presented())


async def test_nobody_waits(world: World) -> None:
    """When the app has left, an authorization that met no answer is not presented again."""
    async with world.process() as process:
        order = process.order(BODY)

        class Leaves:
            async def send(self, request: HttpRequest, **kw: Any) -> Any:
                order.deserted = True
                raise UpstreamError("reset")

        order.route = replace(order.route, upstream=Leaves())
        outcome = await process.payer.pay(order, await required(world))

        assert isinstance(outcome, InDoubt)
        assert [PaymentState.AUTHORIZED] == await states(process)


class LeftMeanwhile(Wrapped):
    """The ledger of an app that hangs up while its authorization is written down."""

    def __init__(self, ledger: Any, order: Order) -> None:
        super().__init__(ledger)
        self._order = order

    async def authorize(self, *terms: Any) -> Any:
        denied = await self._ledger.authorize(*terms)
        self._order.deserted = True
        return denied


async def test_left_while_it_was_written_down(world: World) -> None:
    """What is presented for an app that has left is free for its retry at another process."""
    found: list[Any] = []
    async with world.process() as process, world.process() as other:
        order = process.order(BODY)
        order.is_shared = True

        class Asks:
            async def send(self, request: HttpRequest, **kw: Any) -> Any:
                now = world.clock.now()
                found.append(await other.ledger.claim(order.purchase, now, now - TTL))
                raise UpstreamError("reset")

        order.route = replace(order.route, upstream=Asks())
        left = payer(world, process, ledger=LeftMeanwhile(process.ledger, order))
        outcome = await left.pay(order, await required(world))

    assert isinstance(outcome, InDoubt)
    assert [outcome.payment.id] == [payment.id for payment in found]


async def test_long_retry_after(world: World) -> None:
    """A seller that wants a long wait is not waited for; the app hears for how long."""
    world.rpc_urls = ()
    headers = (("Retry-After", "500"),)
    world.seller.steps.append(Step(status=503, settles=False, receipt=False, headers=headers))
    async with world.process() as process:
        served = await process.call(BODY)

    assert isinstance(served.outcome, InDoubt)
    assert 500.0 == served.outcome.retry_after_s
    assert 1 == len(world.seller.presented())


async def test_time_is_up(world: World) -> None:
    """One app request presents for no longer than its time."""
    async with world.process() as process:
        order = process.order(BODY)
        sent = 0

        class Slow:
            async def send(self, request: HttpRequest, *, wait_s: float, **kw: Any) -> Any:
                nonlocal sent
                sent += 1
                world.clock.advance(wait_s)
                raise UpstreamError("no answer")

        order.route = replace(order.route, upstream=Slow())
        await process.payer.pay(order, await required(world))

    assert 2 == sent < len(PRESENTATION_DELAYS_S)


async def test_refusal_that_breaks_off(world: World) -> None:
    """A refusal that cannot be read to its end is a refusal all the same."""
    world.rpc_urls = ()
    async with world.process() as process:
        order = process.order(BODY)

        class Breaks:
            async def send(self, request: HttpRequest, **kw: Any) -> Any:
                return FakeReply(503, (), b"half", cut=True)

        order.route = replace(order.route, upstream=Breaks())
        outcome = await process.payer.pay(order, await required(world))

    assert isinstance(outcome, InDoubt)
    assert outcome.reason.startswith("503, and ")


async def test_served_and_said_to_be_unpaid(world: World) -> None:
    """A 2xx whose receipt says failure serves the app and proves nothing about the money."""

    class Generous:
        async def send(self, request: HttpRequest, **kw: Any) -> Any:
            receipt = "eyJzdWNjZXNzIjpmYWxzZSwidHJhbnNhY3Rpb24iOiIiLCJuZXR3b3JrIjoieCJ9"
            return FakeReply(200, (("PAYMENT-RESPONSE", receipt),), b"{}")

    async with world.process() as process:
        order = process.order(BODY)
        order.route = replace(order.route, upstream=Generous())
        outcome = await process.payer.pay(order, await required(world))

        assert isinstance(outcome, Paid)
        assert [PaymentState.AUTHORIZED] == await states(process)


async def test_posted_and_unreachable(world: World) -> None:
    """A paid, undelivered call whose seller cannot be reached stays open for another try."""
    async with world.process() as process:
        await process.call(BODY, hangs_up=True)
        world.seller.steps.extend([Step("reset")] * 3)
        lost = await process.call(BODY)
        served = await process.call(BODY)

    assert isinstance(lost.outcome, InDoubt)
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)


async def test_posted_and_refused(world: World) -> None:
    """A paid, undelivered call that its seller refuses for good is closed as undelivered."""
    async with world.process() as process:
        await process.call(BODY, hangs_up=True)
        world.seller.steps.extend([Step(status=402, receipt=False)] * 3)
        refused = await process.call(BODY)

    assert isinstance(refused.outcome, Undelivered)


async def test_delivered_and_refused(world: World) -> None:
    """What was delivered stays so, although its seller refuses it when it is asked again."""
    async with world.process() as process:
        await process.call(BODY, idempotency_key="order 7")
        world.seller.steps.extend([Step(status=402, receipt=False)] * 3)
        refused = await process.call(BODY, idempotency_key="order 7")
        (row,) = await process.ledger.payments(None, 10)

    assert isinstance(refused.outcome, Undelivered)
    assert row.delivered_at is not None
    assert row.closed_at is None


async def test_ledger_fails(world: World) -> None:
    """When the books cannot be written nothing is signed."""

    class Full(Wrapped):
        async def reserve(self, *terms: Any) -> Any:
            raise LedgerError("disk full")

    async with world.process() as process:
        full = payer(world, process, ledger=Full(process.ledger))
        with pytest.raises(LedgerError):
            await full.pay(process.order(BODY), await required(world))

    assert [] == world.seller.presented()


class FailingBooks(Wrapped):
    """The ledger, which fails at some moves while its disk is full."""

    def __init__(self, ledger: Any, *moves: str) -> None:
        super().__init__(ledger)
        self.full = True
        self._moves = moves

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if name not in self._moves:
            return method

        async def move(*terms: Any, **named: Any) -> Any:
            if self.full:
                raise LedgerError("disk full")
            return await method(*terms, **named)

        return move


async def test_disk_full_after_settling(world: World) -> None:
    """A paid call whose post and release could not be written is bound to once they can be."""
    async with world.process() as process:
        books = FailingBooks(process.ledger, "post", "release")
        paying = payer(world, process, ledger=books)
        with pytest.raises(LedgerError):
            await paying.pay(process.order(BODY), await required(world))
        with pytest.raises(LedgerError):
            await paying.pay(process.order(BODY), await required(world))
        books.full = False
        outcome = await paying.pay(process.order(BODY), await required(world))

    assert isinstance(outcome, Paid)
    assert 1 == world.seller.settled(BODY)
    assert 1 == len(set(world.seller.presented()))


@pytest.mark.parametrize("move", ["deliver", "release"])
async def test_disk_full_after_serving(world: World, move: str) -> None:
    """A payment whose end could not be written is let go of before anything else is paid."""
    async with world.process() as process:
        books = FailingBooks(process.ledger, move)
        paying = payer(world, process, ledger=books)
        first = await paying.pay(process.order(BODY), await required(world))
        assert isinstance(first, Paid)
        end = paying.delivered if move == "deliver" else paying.released
        with pytest.raises(LedgerError):
            await end(first.payment)
        books.full = False
        second = await paying.pay(process.order(BODY), await required(world))

    assert isinstance(second, Paid)
    assert first.payment.id == second.payment.id
    assert 1 == world.seller.settled(BODY)


@pytest.mark.parametrize("delivered", [True, False])
async def test_disk_full_after_a_whole_answer(world: World, delivered: bool) -> None:
    """A payment that could not be posted after its answer is in doubt, and bound to later."""
    world.upstream = InOnePiece(world.seller)
    async with world.process() as process:
        books = FailingBooks(process.ledger, "conclude", "release")
        paying = payer(world, process, ledger=books)
        first = await paying.pay(process.order(BODY), await required(world))
        assert isinstance(first, Paid)
        end = paying.delivered if delivered else paying.released
        with pytest.raises(LedgerError):
            await end(first.payment, first.unposted)
        with pytest.raises(LedgerError):
            await paying.pay(process.order(BODY), await required(world))
        in_doubt = await process.ledger.in_doubt()
        books.full = False
        second = await paying.pay(process.order(BODY), await required(world))
        assert isinstance(second, Paid)
        await paying.delivered(second.payment, second.unposted)

        assert [first.payment.id] == [payment.id for payment in in_doubt]
        assert [PaymentState.POSTED] == await states(process)
    assert first.payment.id == second.payment.id
    assert 1 == world.seller.settled(BODY)
    assert 1 == len(set(world.seller.presented()))


@pytest.mark.parametrize("why", ["deserted", "top-up", "no chain"])
async def test_posted_before_a_whole_answer(world: World, why: str) -> None:
    """Where no app waits for the last byte, here any more or at all, it is posted at once; and
    where no chain could tell after a crash what became of it."""
    async with world.process() as process:
        order = process.order(BODY)
        if why == "top-up":
            order.top_up = lambda: TopUpRule(NOON, 1)

        class Leaves(InOnePiece):
            async def send(self, request: HttpRequest, **kw: Any) -> Any:
                order.deserted = why == "deserted"
                return await super().send(request, **kw)

        order.route = replace(order.route, upstream=Leaves(world.seller))
        paying = payer(world, process, can_ask=lambda network: why != "no chain")
        outcome = await paying.pay(order, await required(world))

        assert isinstance(outcome, Paid)
        assert outcome.unposted is None
        assert [PaymentState.POSTED] == await states(process)


class Busy(KeyHolder):
    """A wallet whose last authorization has to settle first, for so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.wallet = EvmWallet(KEY)
        self.address = self.wallet.address

    def sign(self, authorization: Any) -> dict[str, Any]:
        return self.wallet.sign(authorization)

    def authorize(self, *args: Any) -> Any:
        self.looks -= 1
        if self.looks >= 0:
            raise WalletBusyError("an earlier one has not settled yet")
        return (yield from self.wallet.authorize(*args))


async def test_busy_wallet(world: World) -> None:
    """A wallet that must wait for its last authorization is waited for, and then pays once."""
    began = world.clock.now()
    async with world.process() as process:
        order = process.order(BODY)
        order.route = replace(order.route, signer=Busy(3))
        outcome = await process.payer.pay(order, await required(world))

    assert isinstance(outcome, Paid)
    assert 3 <= (world.clock.now() - began).total_seconds()
    assert 1 == world.seller.settled(BODY)


async def test_wallet_busy_for_ever(world: World) -> None:
    """A wallet that stays busy ends the call, and what was reserved for it is free again."""
    async with world.process() as process:
        order = process.order(BODY)
        order.route = replace(order.route, signer=Busy(10_000))
        with pytest.raises(WalletBusyError):
            await process.payer.pay(order, await required(world))
        result = await states(process)

    assert [PaymentState.VOIDED] == result


async def test_busy_wallet_and_nobody_waits(world: World) -> None:
    """An app that hung up is not waited for."""
    busy = Busy(10_000)
    async with world.process() as process:
        order = process.order(BODY)
        order.route, order.deserted = replace(order.route, signer=busy), True
        with pytest.raises(WalletBusyError):
            await process.payer.pay(order, await required(world))

    assert 9_999 == busy.looks
