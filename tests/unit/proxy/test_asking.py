"""A question on a wire whose asker gives up: the wire ends, whatever has come of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from aiohttp.connector import Connection

from sidecar.proxy.asking import Question, ask
from sidecar.proxy.replies import Replies
from sidecar.proxy.wires import Wire, Wires


class FakeWire:
    """A wire, the wires that it is of, its transport and its upstream, and what was done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.replies = Replies()
        self.transport = self.upstream = self
        self.handler = None
        self.asking: Question | None = None
        self.deadline_s = 0.0

    def write(self, data: bytes) -> None:
        self.done.append("written")

    def take(self) -> FakeWire | None:
        return self

    def expect(self, *wait: Any) -> None:
        # Of its question, or of aiohttp's protocol, which is told a method.
        if len(wait) == 1:
            self.deadline_s = asyncio.get_running_loop().time() + wait[0]

    def close(self) -> None:
        self.done.append("closed")

    def put(self, wire: FakeWire) -> None:
        self.done.append("put")

    def silence(self, wait_s: float) -> TimeoutError:
        return TimeoutError()

    def hand_over(self, data: bytes) -> Connection:
        self.done.append("handed over")
        return cast(Connection, self)


async def asked() -> tuple[FakeWire, Question, asyncio.Task[Any]]:
    """A question that is out."""
    wire = FakeWire()
    question = Question(cast(Wires, wire), cast(Wire, wire), "POST", 1.0)
    asking = asyncio.ensure_future(question.ask(b"x", 1.0))
    await asyncio.sleep(0)
    assert wire.asking is question
    return wire, question, asking


@pytest.mark.parametrize(
    ("said", "done"),
    [
        (b"HTTP/1.1 200 OK\r\n", ["written", "handed over", "closed"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ["written", "put"]),
    ],
    ids=["half", "whole"],
)
async def test_given_up_as_it_comes(said: bytes, done: list[str]) -> None:
    """What has come as its asker gives up is not left open; a wire that is free stays so."""
    wire, question, asking = await asked()
    question.answered(said)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert done == wire.done


async def test_too_late() -> None:
    """What comes once its asker has given up is not read, and the wire is closed once."""
    lates: list[Callable[[Question], None]] = [
        lambda question: question.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        lambda question: question.lost(None),
        lambda question: question.overdue(),
    ]
    for late in lates:
        wire, question, asking = await asked()
        asking.cancel()
        late(question)
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert ["written", "closed"] == wire.done


async def test_what_is_left() -> None:
    """Whoever goes on with an answer that came in part has what is left of the wait for it."""
    wire = FakeWire()
    asking = asyncio.ensure_future(ask(cast(Wires, wire), "POST", b"x", 1000.0))
    await asyncio.sleep(0)
    # It was 700 s in coming.
    wire.deadline_s -= 700.0
    assert wire.asking is not None
    wire.asking.answered(b"HTTP/1.1 200 OK\r\n")
    came = await asking

    assert isinstance(came, tuple)
    connection, left_s = came
    assert cast(Connection, wire) is connection
    assert 200.0 < left_s <= 300.0


async def test_overdue() -> None:
    """A wire on which nothing came in time is closed."""
    wire, question, asking = await asked()
    question.overdue()
    with pytest.raises(TimeoutError):
        await asking

    assert ["written", "closed"] == wire.done
