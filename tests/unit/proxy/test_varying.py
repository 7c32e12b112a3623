"""Heads that differ from call to call ask for what they would ask for if nothing came before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from sidecar.providers.base import Credential
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.calls import Asked, Calls
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import Lines, cut_length
from sidecar.proxy.outgoing import render_fields
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.varying import NAMES_MAX, Varying

TOKENS = {"one": Caller("first"), "two": Caller("second")}


@dataclass
class AnyRoute:
    """A route as far as a head concerns it."""

    name: str = "up"
    wires: bool = True
    reads_bodies: bool = False
    secrets: tuple[str, ...] = ()

    def url(self, target: str) -> str:
        return f"http://127.0.0.1:1{target}"


class AnyTable:
    """It has one route, at every target but one."""

    def __init__(self) -> None:
        self._route = AnyRoute()

    def find(self, target: str) -> tuple[Route, str] | None:
        return None if target == "/nowhere" else (cast(Route, self._route), target)


def new_calls() -> Calls:
    """Calls that have seen nothing."""
    return Calls(lambda: Gate(None, TOKENS), cast(RouteTable, AnyTable()))


def head_of(*lines: str) -> bytes:
    """A request's head, but for its length."""
    return "\r\n".join(("POST /v1 HTTP/1.1", "Host: h", *lines)).encode()


def said(calls: Calls, head: bytes, user: int | None = None) -> tuple[str, str, bytes] | None:
    """Who asks for what, and what crosses."""
    asked = calls.find(head, -1, user)
    if asked is None:
        return None
    read = asked.framed.read(head + HEAD_END + b"more")
    assert read is not None
    values, digits, length, rest = read
    assert (b"", 0, b"more") == (digits, length, rest)
    passed = asked.passed[0]
    for value, piece in zip(values, asked.passed[1:], strict=True):
        passed += value + piece
    return asked.call.caller.name, asked.call.target, passed


def with_traces(*traces: str) -> list[bytes]:
    """Heads that differ in their trace."""
    return [head_of("Authorization: Bearer one", f"traceparent: {trace}") for trace in traces]


def test_cut_out() -> None:
    """A line that differed is cut out from then on, and crosses where it was."""
    calls = new_calls()
    found = [said(calls, head) for head in with_traces("1", "2", "3", "4")]

    assert [("first", "/v1", b"traceparent: %d\r\n" % at) for at in (1, 2, 3, 4)] == found


def test_other_caller() -> None:
    """The rest of a head still says who asks."""
    calls = new_calls()
    for head in with_traces("1", "2", "3"):
        said(calls, head)
    other = head_of("Authorization: Bearer two", "traceparent: 4")

    assert ("second", "/v1", b"traceparent: 4\r\n") == said(calls, other)


def test_stranger() -> None:
    """A head whose rest was never let in is not let in."""
    calls = new_calls()
    for head in with_traces("1", "2", "3"):
        said(calls, head)

    assert said(calls, head_of("Authorization: Bearer three", "traceparent: 4")) is None


@pytest.mark.parametrize(
    "line",
    ["traceparent: a\x01b", "traceparent: a\rb", "traceparent:  a", "traceparent: a ", "x: a"],
)
def test_spoiled_line(line: str) -> None:
    """What is cut out is looked at as closely as what is not."""
    calls = new_calls()
    for head in with_traces("1", "2", "3"):
        said(calls, head)
    head = head_of("Authorization: Bearer one", line)

    assert said(new_calls(), head) == said(calls, head)


@pytest.mark.parametrize(
    "name",
    ["authorization", "host", "user-agent", "connection", "cookie", "x-forwarded-for", "expect"],
)
def test_never_cut(name: str) -> None:
    """A line that decides, that may come once, or that does not cross is never cut out."""
    varying = Varying(Lines(lambda header: render_fields((header,)), frozenset({"authorization"})))
    if name in {"cookie", "x-forwarded-for"}:
        varying = Varying(Lines(lambda header: b"", frozenset()))
    for at in range(3):
        varying.learn([b"%b: %d" % (name.encode(), at)])

    assert varying.cut(b"GET / HTTP/1.1\r\n%b: 4" % name.encode()) is None


def test_names_are_bounded() -> None:
    """An app cannot make us look for any number of names."""
    varying = Varying(Lines(lambda header: render_fields((header,)), frozenset()))
    for name in range(NAMES_MAX + 1):
        varying.learn([b"x-%d: 1" % name])
        varying.learn([b"x-%d: 2" % name])
    cuts = [varying.cut(b"GET / HTTP/1.1\r\nx-%d: 3" % name) for name in range(NAMES_MAX + 1)]

    assert [False] * NAMES_MAX + [True] == [cut is None for cut in cuts]


def random_head(dice: random.Random) -> bytes:
    """One of few heads, with lines that vary, in any order, some of them twice or spoiled."""
    lines = [
        f"Authorization: Bearer {dice.choice(['one', 'two', 'three'])}",
        f"traceparent: {dice.randrange(4)}",
        f"X-Request-Id: {dice.randrange(4)}",
        dice.choice(["accept: */*", "Accept-Encoding: gzip", "x: y", "User-Agent: a"]),
    ]
    twice = [line for line in lines if dice.random() < 0.1]
    lines = [line for line in lines if dice.random() < 0.9] + twice
    if dice.random() < 0.5:
        dice.shuffle(lines)
    if dice.random() < 0.1:
        lines.append(dice.choice(["traceparent:  1", "x-request-id: ", "bad line", "Cookie: a=b"]))
    return head_of(*lines)


@pytest.mark.parametrize("seed", range(8))
def test_as_if_new(seed: int) -> None:
    """Whatever came before, a head asks for what it asks for as the first, and crosses alike."""
    dice = random.Random(seed)
    heads: Sequence[tuple[bytes, int | None]] = [
        (random_head(dice), dice.choice([None, None, 7])) for _ in range(200)
    ]
    calls = new_calls()

    assert [said(new_calls(), *head) for head in heads] == [said(calls, *head) for head in heads]


def spoiled(dice: random.Random, data: bytes) -> bytes:
    """These bytes, with others in the place of some, or between them."""
    at = dice.randrange(len(data))
    pieces = [
        b"",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n ",
        b"\0",
        b":",
        b" ",
        b"7",
        b"\r\n\r\n",
        b"x" * 9000,
    ]
    lines = [b"Content-Length: 7", b"Transfer-Encoding: chunked", b"Authorization: Bearer two"]
    piece = dice.choice([*pieces, *(b"\r\n" + line for line in lines)])
    return data[:at] + piece + data[at + dice.choice([0, 0, 1, 2, 30]) :]


def read_by(calls: Calls, asked: Asked | None, data: bytes) -> tuple[object, ...] | None:
    """Who asks for what, what goes out, and what is behind the head."""
    if asked is None:
        cut = cut_length(data.partition(HEAD_END)[0]) if HEAD_END in data else None
        asked = None if cut is None else calls.find(cut[0], cut[1], None)
    read = None if asked is None else asked.framed.read(data)
    if asked is None or read is None:
        return None
    dress = calls.dress(asked.call, Credential((("Authorization", "Bearer ours"),)))
    assert dress is not None
    values, digits, _, rest = read
    text = asked.render(dress, values, digits, b"body")
    return asked.call.caller.name, asked.call.target, digits, rest, text


@pytest.mark.parametrize("seed", range(8))
def test_no_other_head_is_taken_for_it(seed: int) -> None:
    """What is read by a head of before goes out as if nothing had come before."""
    dice = random.Random(seed)
    calls = new_calls()
    lines = ["Content-Length: {}", "Authorization: Bearer one", "traceparent: 00-{}", "x-id: {}"]
    dice.shuffle(lines)
    heads = [head_of(*lines).decode().format(at, at, at).encode() for at in range(5)]
    asked = [calls.find(*cut[:2], None) for head in heads if (cut := cut_length(head))][-1]

    taken = 0
    for number in range(2000):
        data = heads[number % 5] + HEAD_END + b"behind"
        for _ in range(dice.choice([0, 1, 1, 2])):
            data = spoiled(dice, data)
        known = read_by(calls, asked, data)
        taken += known is not None

        assert known in (None, read_by(new_calls(), None, data))
    assert 500 < taken < 1500
