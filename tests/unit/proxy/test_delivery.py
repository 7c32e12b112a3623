"""The answer on its way to the app, and what its last byte makes of the payment."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sidecar.http import HttpResponse, WholeReply
from sidecar.ledger.model import Proof
from sidecar.payments.order import Paid
from sidecar.proxy.attended import Attended
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.route import Route
from sidecar.proxy.turn import Turn
from sidecar.tasks import Supervisor
from tests.unit.proxy.test_admin import PAYMENT
from tests.world.fakes import FakeClock

PROOF = Proof("receipt", "0xmoved")
GONE = ConnectionResetError("the app has hung up")


class Response:
    """To an app that may hang up at its last byte; notes what was asked of it."""

    _ending, _last = False, b""

    def __init__(self, done: list[Any], *, hangs_up: bool) -> None:
        self._done = done
        self._hangs_up = hangs_up

    async def begin(self) -> None:
        self._done.append("begun")

    async def write(self, data: bytes) -> None:
        self._done.append(data)

    async def write_eof(self) -> None:
        self._done.append("ended")

    async def flushed(self) -> None:
        if self._hangs_up:
            raise GONE
        self._done.append("flushed")


class Noted(Attended):
    """A request on the lane, and what it is told to do at last."""

    lasts: list[tuple[str, Any]]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.lasts = []

    def at_last(self, name: str, work: Any) -> None:
        self.lasts.append((name, work))


class Asked:
    """As much of a turn as is needed here."""

    payment = PAYMENT
    secrets: tuple[str, ...] = ()
    status = 0
    upstream_s = 0.0

    def __init__(self, response: Response, request: Any) -> None:
        self._response = response
        self.request = request

    def respond(self, *said: Any) -> Response:
        return self._response


class Free:
    """A route that looks at nothing."""

    reads_bodies = observed = False
    secrets: tuple[str, ...] = ()


class Payer:
    """Notes the end of a payment among what its app got."""

    def __init__(self, done: list[Any]) -> None:
        self._done = done

    async def delivered(self, payment: Any, unposted: Any) -> None:
        self._done.append(("delivered", payment, unposted))

    async def released(self, payment: Any, unposted: Any) -> None:
        self._done.append(("released", payment, unposted))


async def deliver(unposted: Proof | None, *, hangs_up: bool, request: Any = None) -> list[Any]:
    """What was done, in its order."""
    done: list[Any] = []
    tasks = Supervisor(lambda name, fault: None)
    delivery = Delivery(
        cast("Any", Payer(done)), cast("Any", None), tasks, FakeClock(), lambda event: None
    )
    turn = cast("Turn", Asked(Response(done, hangs_up=hangs_up), request))
    paid = Paid(PAYMENT, WholeReply(HttpResponse(200, (), b"answer")), unposted)
    try:
        await delivery.paid(turn, cast("Route", Free()), paid)
    except ConnectionResetError:
        done.append("gone")
    await tasks.drain(1)
    return done


@pytest.mark.parametrize("unposted", [PROOF, None])
async def test_delivered(unposted: Proof | None) -> None:
    """The payment ends as delivered once the last byte is flushed, and posted if it was not."""
    done = await deliver(unposted, hangs_up=False)

    end = ("delivered", PAYMENT, unposted)
    assert ["begun", b"answer", "ended", "flushed", end] == done


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_recorded_on_the_lane(hangs_up: bool) -> None:
    """What the lane serves is recorded by the request's own task, whatever its app does."""
    noted = Noted(cast("Any", None), "POST", cast("Any", None))
    done = await deliver(PROOF, hangs_up=hangs_up, request=noted)
    [(name, last)] = noted.lasts
    await last

    end = "released" if hangs_up else "delivered"
    assert ("delivery", (end, PAYMENT, PROOF)) == (name, done[-1])


@pytest.mark.parametrize("unposted", [PROOF, None])
async def test_hung_up(unposted: Proof | None) -> None:
    """Where the app hangs up on its last byte the payment is let go of, posted all the same."""
    done = await deliver(unposted, hangs_up=True)

    assert ["begun", b"answer", "ended", "gone", ("released", PAYMENT, unposted)] == done
