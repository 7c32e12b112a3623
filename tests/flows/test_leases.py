"""Replicas that spend slices of one budget by themselves: what each of them and the centre see.

Every test runs over a real Postgres, and over a file that plays the centre.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Breaker, Budget, Payment, Purchase, TopUpRule, Window
from sidecar.ledger.slices import LeaseTerms
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import EXPIRED, HOUR, RECEIPT, UNSIGNED, authorization, intent
from tests.world.leased_store import InPostgres, InSqlite
from tests.world.replicas_on_slices import CAP, Replica, Replicas


@pytest.fixture(params=["sqlite", "postgres"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replicas]:
    """Machines that share a centre."""
    centre: InSqlite | InPostgres = InSqlite(tmp_path)
    if request.param == "postgres":
        centre = InPostgres(request.getfixturevalue("database"))
    made = Replicas(tmp_path, centre)
    yield made
    await made.close()


def used(replica: Replica) -> int:
    """How often this replica's process has asked the centre since it began, or since the last."""
    asked, replica.cable.asked = replica.cable.asked, 0
    return asked


async def test_to_the_unit(replicas: Replicas) -> None:
    """Four replicas spend one budget to its last unit, and not one more."""
    four = [await replicas.start(name) for name in "abcd"]

    paid = await asyncio.gather(*(replica.pay_until_refused() for replica in four))

    assert 100 == sum(paid)
    for replica in four:
        await replica.stop()
    assert (0, 100) == await replicas.gone()
    late = await replicas.start("late")
    assert isinstance(await late.pay(), Denied)


async def test_racing_for_the_last(replicas: Replicas) -> None:
    """Many replicas that want the last of a budget at the same moment get no more than it is."""
    eight = [await replicas.start(name) for name in "abcdefgh"]
    for _ in range(3):
        await asyncio.gather(*(replica.reserve(9) for replica in eight))

    reserved, _ = await replicas.gone()
    made = [len(await replica.ledger.payments(None, 100)) for replica in eight]
    assert 90 <= 9 * sum(made) <= reserved <= 100


async def test_seldom_asked(replicas: Replicas) -> None:
    """A slice serves many payments: the centre is asked for the lease, and for each slice."""
    one = await replicas.start("a")

    for _ in range(10):
        await one.pay()

    assert 2 == used(one)
    assert (10, 0) == await replicas.gone()
    await one.pay()
    assert 1 == used(one)


async def test_slice_is_reserved(replicas: Replicas) -> None:
    """What one replica holds no other one spends, and a refusal there says that it is reserved."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.reserve(60)

    assert 40 == await two.pay_until_refused(5)
    refused = await two.reserve()
    assert isinstance(refused, Denied)
    assert refused.budget is not None
    assert (60, 40) == (refused.budget.reserved.atomic, refused.budget.spent.atomic)


async def test_own_payments_are_told_exactly(replicas: Replicas) -> None:
    """A replica sees its own payments in a budget's use, not the slice that it holds for them."""
    one = await replicas.start("a")
    await one.pay(3)
    await one.reserve(4)
    (use,) = await one.ledger.budgets([CAP], NOON)

    assert (4, 3, 3) == (use.reserved.atomic, use.spent.atomic, use.held.atomic)
    assert (10, 0) == await replicas.gone()


async def test_returned_slice(replicas: Replicas) -> None:
    """What a replica did not use another one spends, once the first has left in order."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay(3)

    await one.stop()

    assert (0, 3) == await replicas.gone()
    assert 97 == await two.pay_until_refused()


async def test_idle_slice_is_returned(replicas: Replicas) -> None:
    """A slice that nothing was drawn from between two looks is given back; one in use is not."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay()
    await one.ledger.keep_leases()

    assert (9, 1) == await replicas.gone()
    await one.ledger.keep_leases()
    assert (0, 1) == await replicas.gone()
    assert 99 == await two.pay_until_refused()


async def test_idle_replica_is_silent(replicas: Replicas) -> None:
    """Who holds nothing and has nothing to tell does not ask the centre."""
    one = await replicas.start("a")
    await one.pay()
    for _ in range(3):
        await one.ledger.keep_leases()
    used(one)

    await one.ledger.keep_leases()

    assert 0 == used(one)
    assert () == await one.ledger.held()


async def test_in_doubt_stays_reserved(replicas: Replicas) -> None:
    """What a replica has in doubt is not given back before it is voided, nor once it moved."""
    one = await replicas.start("a")
    for name in ("lost", "moved"):
        made = await one.ledger.reserve(intent(name, amount=3, budgets=(CAP,)), NOON)
        assert isinstance(made, Payment)
        await one.ledger.authorize(name, authorization(name), NOON)
    await one.stop()
    await one.start()

    assert (6, 0) == await replicas.gone()
    await one.ledger.void("lost", EXPIRED, NOON + HOUR)
    await one.ledger.keep_leases()
    await one.ledger.keep_leases()
    assert (3, 0) == await replicas.gone()


async def test_dead_replica(replicas: Replicas) -> None:
    """A dead replica's slice stays counted until its file is opened again, and then exactly."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay(4)
    await one.reserve(2)
    await one.kill()
    replicas.clock.advance(3600)

    assert 90 == await two.pay_until_refused()
    await one.start()
    (orphan,) = await one.ledger.orphaned()
    await one.ledger.void(orphan.id, UNSIGNED, NOON)
    await one.stop()
    assert 6 == await two.pay_until_refused()
    await two.stop()
    assert (0, 100) == await replicas.gone()


async def test_dead_replica_goes_on(replicas: Replicas) -> None:
    """After a crash a replica goes on with the slice that it had: nothing of it is lost."""
    one = await replicas.start("a")
    await one.pay(4)
    await one.kill()
    await one.start()
    await one.pay(6)

    assert 1 == used(one)
    assert 90 == await one.pay_until_refused()


async def test_partition(replicas: Replicas) -> None:
    """Without the centre a replica spends what it holds until its lease ends, and then nothing."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay()
    replicas.clock.advance(50)
    one.cable.away = True

    assert isinstance(await one.pay(), Payment)
    made = await one.reserve()
    assert isinstance(made, Payment)
    replicas.clock.advance(5)
    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.reserve()
    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.ledger.authorize(made.id, authorization(made.id), NOON)
    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.ledger.claim(Purchase("any", explicit=False), NOON, NOON)
    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.ledger.frozen_since()
    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.ledger.check_writable()
    assert 90 == await two.pay_until_refused()
    one.cable.away = False
    assert isinstance(await one.pay(), Payment)


async def test_partition_beyond_the_slice(replicas: Replicas) -> None:
    """Without the centre no replica spends more than it holds."""
    one = await replicas.start("a")
    await one.pay(10)
    one.cable.away = True

    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.pay()
    assert (10, 0) == await replicas.gone()


async def test_leaving_without_the_centre(replicas: Replicas) -> None:
    """Who cannot tell the centre that it leaves tells it when it comes again."""
    one = await replicas.start("a")
    await one.pay(4)
    one.cable.away = True
    await one.stop()

    assert (10, 0) == await replicas.gone()
    await one.start()
    await one.ledger.keep_leases()
    assert (0, 4) == await replicas.gone()


async def test_wall_clock_is_set(replicas: Replicas) -> None:
    """A lease ends by the steady clock, whatever happens to the wall clock."""
    one = await replicas.start("a")
    await one.pay()
    one.cable.away = True
    for hours in (-48, 48):
        replicas.clock.set_wall(NOON + timedelta(hours=hours))

        assert isinstance(await one.pay(), Payment)
    replicas.clock.advance(54)
    replicas.clock.set_wall(NOON - timedelta(hours=48))
    with pytest.raises(LedgerError, match="cannot be reached"):
        await one.pay()


async def test_lost_answers(replicas: Replicas) -> None:
    """A slice whose answer was lost is the replica's all the same, and is not taken twice."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay()
    one.cable.loses_answers = True
    with pytest.raises(LedgerError, match="lost"):
        await one.reserve(20)
    with pytest.raises(LedgerError, match="lost"):
        await one.reserve(20)

    assert (20, 1) == await replicas.gone()
    one.cable.loses_answers = False
    assert isinstance(await one.reserve(20), Payment)
    assert (20, 1) == await replicas.gone()
    assert 79 == await two.pay_until_refused()


async def test_lost_return(replicas: Replicas) -> None:
    """What was given back is not spent here any more, though nobody heard that the centre did."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay()
    one.cable.loses_answers = True
    with pytest.raises(LedgerError, match="lost"):
        await one.ledger.keep_leases()
    with pytest.raises(LedgerError, match="lost"):
        await one.ledger.keep_leases()

    assert 99 == await two.pay_until_refused()
    one.cable.loses_answers = False
    assert isinstance(await one.pay(), Denied)


async def test_freeze(replicas: Replicas) -> None:
    """A freeze stops every replica at its next word with the centre, and its lease bounds that."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay()
    await two.pay()
    since = await two.ledger.freeze(NOON)

    assert isinstance(await two.pay(), Denied)
    await one.ledger.keep_leases()
    assert since == await one.ledger.frozen_since()
    refused = await one.reserve()
    assert isinstance(refused, Denied)
    assert "frozen" == refused.rule
    await one.ledger.unfreeze()
    assert isinstance(await one.pay(), Payment)
    replicas.clock.advance(60)
    assert await two.ledger.frozen_since() is None


async def test_freeze_within_a_lease(replicas: Replicas) -> None:
    """A replica that hears of nothing is frozen when its lease is over, without being told."""
    one, two = await replicas.start("a"), await replicas.start("b")
    await one.pay()
    made = await one.reserve()
    assert isinstance(made, Payment)
    await two.ledger.freeze(NOON)
    replicas.clock.advance(54)
    denied = await one.ledger.authorize(made.id, authorization(made.id), NOON)

    assert denied is not None
    assert "frozen" == denied.rule


async def test_lowered_cap(replicas: Replicas) -> None:
    """A limit that was lowered holds at once: what is held of the old one is not spent."""
    one = await replicas.start("a")
    await one.pay(5)
    lowered = Budget("cap", Usdc(7), Window.DAY)
    refused = await one.reserve(1, lowered)

    assert isinstance(refused, Denied)
    assert refused.budget is not None
    assert (0, 5) == (refused.budget.reserved.atomic, refused.budget.spent.atomic)
    raised = Budget("cap", Usdc(50), Window.DAY)
    used(one)
    assert isinstance(await one.reserve(1, raised), Payment)
    assert isinstance(await one.reserve(1, raised), Payment)
    assert 1 == used(one)


async def test_pins(replicas: Replicas) -> None:
    """Whom the centre has pinned every replica pays, and asks again once in a lease."""
    one, two = await replicas.start("a"), await replicas.start("b")

    async def rule(replica: Replica, name: str, payee: str) -> str:
        wanted = intent(name, pay_to=payee, pin_place="", budgets=(CAP,))
        answer = await replica.ledger.reserve(wanted, NOON)
        return answer.rule if isinstance(answer, Denied) else ""

    assert "" == await rule(one, "p1", "0xseller")
    assert "payee_changed" == await rule(two, "p2", "0xthief")
    assert "" == await rule(two, "p3", "0xseller")
    used(two)
    assert "" == await rule(two, "p4", "0xseller")
    assert 0 == used(two)
    assert "payee_changed" == await rule(two, "p5", "0xthief")
    await two.ledger.forget_pins("venice")
    assert "" == await rule(two, "p6", "0xother")
    replicas.clock.advance(54)
    assert "payee_changed" == await rule(one, "p7", "0xseller")


async def test_refused_pins_nobody(replicas: Replicas) -> None:
    """A payment that its budget has no room for pins no payee, at the centre either."""
    one = await replicas.start("a")
    dear = intent("p1", amount=101, pay_to="0xthief", pin_place="", budgets=(CAP,))

    assert isinstance(await one.ledger.reserve(dear, NOON), Denied)
    assert () == await one.ledger.pins()
    broken = Breaker(undelivered_max=1, window=HOUR)
    assert isinstance(await one.pay(), Payment)
    made = await one.reserve()
    assert isinstance(made, Payment)
    await one.ledger.authorize(made.id, authorization(made.id), NOON)
    await one.ledger.post(made.id, RECEIPT, NOON)
    await one.ledger.give_up(made.id, NOON)
    wanted = intent("p2", pay_to="0xthief", pin_place="", budgets=(CAP,), breaker=broken)
    assert isinstance(await one.ledger.reserve(wanted, NOON), Denied)
    assert () == await one.ledger.pins()


async def test_without_a_budget(replicas: Replicas) -> None:
    """Without a budget there is no payment, and the centre is not asked for one."""
    one = await replicas.start("a")
    for place in ("", None):
        refused = await one.ledger.reserve(intent("p1", pin_place=place, budgets=()), NOON)

        assert isinstance(refused, Denied)
        assert "budget" == refused.rule
    assert 1 == used(one)


async def test_taken_under_ones_hands(replicas: Replicas) -> None:
    """Whoever finds its slice spent by others of its machine each time gives up, unpaid."""
    one, other = await replicas.start("a"), await replicas.start("b", path_of="a")

    async def take_it() -> None:
        await other.reserve()
        while any(each.free for each in await other.ledger.held()):
            await other.reserve()

    one.cable.after = take_it
    with pytest.raises(LedgerError, match="spend every slice before this one can"):
        await one.reserve()


async def test_purchase_at_the_centre(replicas: Replicas) -> None:
    """A hashed purchase that went to the centre is bound to there, also after a restart."""
    one = await replicas.start("a")
    asked_for = intent("p1", key="call", budgets=(CAP,), ask_until=NOON + HOUR)
    made = await one.ledger.reserve(asked_for, NOON)
    assert isinstance(made, Payment)
    await one.ledger.decide("p1", "a person", NOON, approve=True)
    await one.ledger.authorize("p1", authorization("p1"), NOON)
    await one.kill()
    await one.start()
    again = await one.ledger.claim(Purchase("call", explicit=False), NOON, NOON)

    assert isinstance(again, Payment)
    assert "p1" == again.id
    await one.ledger.release("p1")
    # Nobody is asked for this one, and still it is the same purchase.
    bound = await one.ledger.reserve(intent("p2", key="call", budgets=(CAP,)), NOON)
    assert isinstance(bound, Payment)
    assert "p1" == bound.id
    await one.ledger.deliver("p1", NOON)
    assert await one.ledger.claim(Purchase("call", explicit=False), NOON, NOON) is None


async def test_refused_at_the_centre(replicas: Replicas) -> None:
    """A purchase that the centre refused is looked for here alone again."""
    one = await replicas.start("a")
    dear = intent("p1", key="call", amount=101, budgets=(CAP,), ask_until=NOON + HOUR)

    assert isinstance(await one.ledger.reserve(dear, NOON), Denied)
    made = await one.ledger.reserve(intent("p2", key="call", budgets=(CAP,)), NOON)
    assert isinstance(made, Payment)
    assert 1 == len([row for row in await one.ledger.payments(None, 9) if row.id == "p2"])
    assert (10, 0) == await replicas.gone()


async def test_bound_here_though_it_is_asked_for(replicas: Replicas) -> None:
    """What a replica has signed is bound to, though the same call would now need a person."""
    one = await replicas.start("a")
    await one.ledger.reserve(intent("p1", key="call", budgets=(CAP,)), NOON)
    await one.ledger.authorize("p1", authorization("p1"), NOON)
    await one.ledger.release("p1")
    wanted = intent("p2", key="call", budgets=(CAP,), ask_until=NOON + HOUR)
    bound = await one.ledger.reserve(wanted, NOON)

    assert isinstance(bound, Payment)
    assert "p1" == bound.id


async def test_top_up_of_another_replica(replicas: Replicas) -> None:
    """A paid top-up whose replica is gone is taken up by another: all are the centre's."""
    one, two = await replicas.start("a"), await replicas.start("b")
    account = Purchase("account", explicit=False)
    rule = TopUpRule(NOON, 2)
    await one.ledger.reserve(intent("t1", key="account", top_up=rule, budgets=(CAP,)), NOON)
    await one.ledger.authorize("t1", authorization("t1"), NOON)
    await one.kill()
    newest = await two.ledger.newest_top_up(account)
    claimed = await two.ledger.claim(account, NOON, NOON)

    assert newest is not None
    assert isinstance(claimed, Payment)
    assert "t1" == newest.id == claimed.id


async def test_no_more_slices(replicas: Replicas) -> None:
    """With leases switched off a file is brought to its end, and what is new is the centre's."""
    one = await replicas.start("a")
    await one.ledger.reserve(intent("p1", key="call", amount=3, budgets=(CAP,)), NOON)
    await one.ledger.authorize("p1", authorization("p1"), NOON)
    await one.kill()
    await one.start(LeaseTerms(Usdc(0), 60.0))
    claimed = await one.ledger.claim(Purchase("call", explicit=False), NOON, NOON)

    assert isinstance(claimed, Payment)
    assert "p1" == claimed.id
    assert isinstance(await one.pay(5), Payment)
    await one.ledger.keep_leases()
    assert (3, 5) == await replicas.gone()
    await one.ledger.void("p1", EXPIRED, NOON + HOUR)
    await one.ledger.keep_leases()
    assert (0, 5) == await replicas.gone()


async def test_file_put_back(replicas: Replicas) -> None:
    """A file that is older than what its replica has told is not paid from."""
    one = await replicas.start("a")
    await one.pay(4)
    await one.stop()
    backup = replicas.folder / "backup.db"
    shutil.copy(one.path, backup)
    await one.start()
    await one.pay(2)
    await one.stop()
    shutil.copy(backup, one.path)
    await one.start()

    with pytest.raises(LedgerError, match="it is older than what its replica has told"):
        await one.pay()


async def test_two_processes_of_a_machine(replicas: Replicas) -> None:
    """Two processes of one machine share its slices, and together reach the cap exactly."""
    one, other = await replicas.start("a"), await replicas.start("b", path_of="a")

    paid = await asyncio.gather(one.pay_until_refused(), other.pay_until_refused())

    assert 100 == sum(paid)
    assert 100 == len(await other.ledger.payments(None, 1000))
    assert (0, 100) == await replicas.gone()
