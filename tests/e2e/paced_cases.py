"""The streams of the paced seller: what is written at once, and how it is framed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.differential.reading import unchunk

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
LARGE = 100 * 1024
LAST = b"0\r\n\r\n"


class Framing(Enum):
    """How the seller says where the body ends."""

    CHUNKED = "Transfer-Encoding: chunked"
    CLOSE = "Connection: close"
    LENGTH = "Content-Length: %d"


@dataclass(frozen=True, slots=True)
class Case:
    """One stream. Each of ``pieces`` is one write, in the framing that was said."""

    name: str
    pieces: tuple[bytes, ...]
    framing: Framing = Framing.CHUNKED
    kind: str = SSE
    # Whether the head and the first piece are one write.
    with_head: bool = False

    @property
    def body(self) -> bytes:
        """What the app is to get."""
        whole = b"".join(self.pieces)
        return unchunk(whole, 0)[0] if self.framing is Framing.CHUNKED else whole

    def head(self, more: str = "") -> bytes:
        """The response's head, with these lines in it."""
        framing = self.framing.value
        if self.framing is Framing.LENGTH:
            framing %= len(self.body)
        lines = f"HTTP/1.1 200 OK\r\nContent-Type: {self.kind}\r\nCache-Control: no-store\r\n"
        return f"{lines}{more}{framing}\r\n\r\n".encode()

    def said(self) -> tuple[int, ...]:
        """How many bytes of the body have been written with each piece."""
        sizes, written = [], b""
        for piece in self.pieces:
            written += piece
            chunked = self.framing is Framing.CHUNKED
            sizes.append(len(unchunk(written, 0)[0] if chunked else written))
        return tuple(sizes)


def chunk(data: bytes) -> bytes:
    """These bytes as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(text: str) -> bytes:
    """One server-sent event."""
    return b"data: %b\n\n" % text.encode()


def events(count: int, told: str = "") -> tuple[bytes, ...]:
    """So many, numbered, and the one that says that there are no more."""
    return (*(event(f'{{"n": {n}, "told": "{told}"}}') for n in range(count)), event("[DONE]"))


def _cut_in_their_middle(whole: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The same bytes; each piece ends in the middle of an event."""
    text, at = b"".join(whole), 0
    pieces: list[bytes] = []
    for size in (len(each) for each in whole):
        end = at + size // 2 if not pieces else at + size
        pieces.append(text[at:end])
        at = end
    return (*pieces, text[at:])


_SMILES = event('{"told": "né 😀 日本"}')
_AT = _SMILES.index("😀".encode())
_CUT_LETTER = (_SMILES[: _AT + 1], _SMILES[_AT + 1 : _AT + 3], _SMILES[_AT + 3 :])
_COMMENTS = (
    event("one"),
    b": keep-alive\n\n",
    b":\n\n",
    event("two"),
    b": keep-alive\n\n",
    event("[DONE]"),
)
# Cut in the digits of a size, in a chunk's data, and before and within a line's end.
_CUT_FRAMING = (
    b"1",
    b"0\r\ndata: onetwo\n\n12",
    b"\r\n",
    chunk(event("whole")),
    b"9\r\ndat",
    b"a: a\n\n\r",
    b"\n" + chunk(event("[DONE]"))[:4],
    chunk(event("[DONE]"))[4:-2],
    b"\r\n0\r",
    b"\n\r\n",
)

CASES = (
    Case("chunked", (*map(chunk, events(6)), LAST)),
    Case("the first with the head", (*map(chunk, events(4)), LAST), with_head=True),
    Case("until the connection ends", events(6), Framing.CLOSE),
    Case("of a known length", events(6), Framing.LENGTH),
    Case("events cut in two", (*map(chunk, _cut_in_their_middle(events(6))), LAST)),
    Case(
        "two events in a chunk, two chunks in a write",
        (
            chunk(event("one") + event("two")),
            chunk(event("three")) + chunk(event("four")),
            chunk(event("five") + event("six")[:5]),
            chunk(event("six")[5:]) + chunk(event("[DONE]")) + LAST,
        ),
    ),
    Case("cut in their framing", _CUT_FRAMING),
    Case("cut within a letter", (*map(chunk, _CUT_LETTER), LAST)),
    Case("comments between", (*map(chunk, _COMMENTS), LAST)),
    Case(
        "lines of JSON",
        (*(chunk(b'{"n": %d}\n' % n) for n in range(6)), LAST),
        kind=NDJSON,
    ),
    Case(
        "a large one between",
        (
            *map(chunk, (event("before"), event("L" * LARGE), event("after"), event("[DONE]"))),
            LAST,
        ),
    ),
)
