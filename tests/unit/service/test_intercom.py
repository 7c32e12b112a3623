"""The line between the warden and a worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sidecar.service.intercom import Intercom, LineCutError, framed, read_first
from sidecar.tasks import Supervisor

WAIT_S = 10.0


async def silent(what: str, about: Any) -> Any:
    return None


@asynccontextmanager
async def line(
    answer: Any = silent, told: Any = silent
) -> AsyncIterator[tuple[Intercom, Intercom]]:
    """Both ends of it, heard: ours, and one that answers."""
    faults: list[BaseException] = []
    tasks = Supervisor(lambda _name, fault: faults.append(fault))
    one, other = socket.socketpair()
    ends = await Intercom.over(one, tasks, told), await Intercom.over(other, tasks, answer)
    for end in ends:
        tasks.spawn("line", end.run())
    yield ends
    for end in ends:
        await end.flush(WAIT_S)
    await tasks.drain(WAIT_S)
    assert [] == faults


async def test_answers() -> None:
    """Each question has its own answer, in whatever order they come, and of whatever size."""
    first = asyncio.Event()

    async def answer(what: str, about: Any) -> Any:
        if about == 0:
            await first.wait()
        first.set()
        return [what, about, "x" * 2_000_000]

    async with line(answer) as (ours, _):
        answers = await asyncio.gather(*(ours.ask("what", n, wait_s=WAIT_S) for n in range(3)))

    assert [["what", n] for n in range(3)] == [each[:2] for each in answers]
    assert {2_000_000} == {len(each[2]) for each in answers}


async def test_told() -> None:
    """What is told is heard by the other side, in order, either way."""
    heard: list[Any] = []

    async def hear(what: str, about: Any) -> None:
        heard.append((what, about))

    async with line(hear, hear) as (ours, theirs):
        ours.tell("one", {"a": 1})
        ours.tell("two")
        while len(heard) < 2:
            await asyncio.sleep(0)
        theirs.tell("three", [3])
        while len(heard) < 3:
            await asyncio.sleep(0)

    assert [("one", {"a": 1}), ("two", None), ("three", [3])] == heard


async def test_gone() -> None:
    """Who is gone is told of at once, to those who wait and to those who ask later."""
    asked = asyncio.Event()

    async def never(what: str, about: Any) -> Any:
        asked.set()
        await asyncio.sleep(0.2)

    async with line(never) as (ours, theirs):
        waiting = asyncio.ensure_future(ours.ask("what", wait_s=WAIT_S))
        await asked.wait()
        await theirs.flush(WAIT_S)
        with pytest.raises(LineCutError, match="the other side is gone"):
            await waiting
        with pytest.raises(LineCutError, match="the other side is gone"):
            await ours.ask("more", wait_s=WAIT_S)
        ours.tell("nobody")


async def test_no_answer() -> None:
    """Who does not answer in time is not waited for, and a late answer harms nobody."""
    late = asyncio.Event()

    async def slow(what: str, about: Any) -> Any:
        if what == "slow":
            await late.wait()
        return what

    async with line(slow) as (ours, _):
        with pytest.raises(LineCutError, match=r"^no answer to 'slow' in 0\.01 s$"):
            await ours.ask("slow", wait_s=0.01)
        late.set()
        after = await ours.ask("after", wait_s=WAIT_S)

    assert "after" == after


def test_first_words() -> None:
    """The first message is read before there is a loop, and no byte of the next one is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(framed({"text": "a" * 70_000}) + b"more")
        said = read_first(theirs)
        rest = theirs.recv(10)

    assert 70_000 == len(said["text"])
    assert b"more" == rest


def test_no_first_words() -> None:
    """Who was left before anything was said does not wait for ever."""
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(LineCutError):
        read_first(theirs)
