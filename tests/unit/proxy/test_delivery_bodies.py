"""The body of an answer on its way: what its app gets, and what its provider reads of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sidecar.clock import SystemClock
from sidecar.http import Headers, HttpResponse, Reply, WholeReply
from sidecar.payments.balances import Balances
from sidecar.payments.payer import Payer
from sidecar.providers.base import Observation
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.route import Route
from sidecar.proxy.turn import Turn
from sidecar.tasks import Supervisor

JSON = (("Content-Type", "application/json"),)


class Pieces:
    """A reply that comes in pieces; ``http.Reply``."""

    is_here = False

    def __init__(self, *pieces: bytes) -> None:
        self.status, self.headers = 200, JSON
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def close(self) -> None:
        pass


class Written:
    """A response that keeps what is done with it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    async def begin(self) -> None:
        self.done.append("begun")

    async def write(self, data: bytes) -> None:
        self.done.append(data)

    async def write_eof(self) -> None:
        self.done.append("ended")


async def relayed(reply: Reply) -> tuple[list[bytes | str], list[HttpResponse]]:
    """What an unpaid answer's app gets of it, and its provider, which reads bodies."""
    written, seen = Written(), []

    def observe(response: HttpResponse) -> Observation:
        seen.append(response)
        return Observation()

    def respond(status: int, headers: Headers) -> Any:
        return written

    provider = SimpleNamespace(observe=observe)
    route = SimpleNamespace(
        name="r", secrets=(), reads_bodies=True, observed=True, provider=provider
    )
    turn = SimpleNamespace(secrets=(), upstream_s=0.0, payment=None, respond=respond)
    delivery = Delivery(
        cast(Payer, None),
        cast(Balances, SimpleNamespace(observe=lambda *_: None)),
        Supervisor(lambda name, fault: None),
        SystemClock(),
        lambda event: None,
    )
    await delivery.unpaid(cast(Turn, turn), cast(Route, route), reply)
    return written.done, seen


@pytest.mark.parametrize(
    "reply",
    [WholeReply(HttpResponse(200, JSON, b'{"a": 1}')), Pieces(b'{"a": 1}')],
    ids=["whole", "in a piece"],
)
async def test_one_piece(reply: Reply) -> None:
    """An answer that is all here is relayed and read as one that comes."""
    done, seen = await relayed(reply)

    assert ["begun", b'{"a": 1}', "ended"] == done
    assert [HttpResponse(200, JSON, b'{"a": 1}')] == seen


async def test_pieces() -> None:
    """Each piece goes on as it came, and is read with the others."""
    done, seen = await relayed(Pieces(b'{"a"', b": 1}"))

    assert ["begun", b'{"a"', b": 1}", "ended"] == done
    assert [HttpResponse(200, JSON, b'{"a": 1}')] == seen


async def test_no_body() -> None:
    """Of an answer without a body nothing is written but its head and its end."""
    done, _ = await relayed(WholeReply(HttpResponse(200, JSON)))

    assert ["begun", "ended"] == done
