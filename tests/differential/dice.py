"""The choices of one case, and the bytes that any message is made of."""

from __future__ import annotations

from random import Random

HEAD_END = b"\r\n\r\n"


class Dice:
    """The choices of one case."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.seed = seed

    def often(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def one(self, *what: bytes) -> bytes:
        return self.random.choice(what)

    def split(self, data: bytes, starts: tuple[int, ...] = (0,)) -> tuple[bytes, ...]:
        """In one piece, mostly; else wherever it may be cut.

        ``starts``: where its messages begin; most cuts are there, or where their heads end.
        """
        if not data or self.often(60):
            return (data,)
        usual = [start + step for start in starts if start for step in (-1, 0, 1, 2)]
        for start in starts:
            end = data.find(HEAD_END, start)
            usual += [end + step for step in (0, 1, 2, 3, 4, 5)]
        cuts = {
            self.random.choice(usual) if self.often(60) else self.random.randrange(len(data))
            for _ in range(self.random.choice((1, 1, 2, 4)))
        }
        ends = sorted(cut for cut in cuts if 0 < cut < len(data))
        return tuple(data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True))


def text(dice: Dice, size: int) -> bytes:
    """A body that has in it what ends other things."""
    parts = (
        b"x",
        b"\r\n",
        b"\r\n\r\n",
        b"0\r\n\r\n",
        b"POST / HTTP/1.1\r\n",
        b"data: e\n\n",
        b"\0\xff",
    )
    some = b"".join(dice.random.choices(parts, k=min(size, 1000)))
    return (some * (size // max(1, len(some)) + 1))[:size]


def chunked(dice: Dice, body: bytes) -> bytes:
    """The body in chunks, now and then with what few send."""
    made, at = [], 0
    while at < len(body):
        piece = body[at : at + dice.random.choice((1, 5, 40, 300))]
        extension = b";a=b" if dice.often(4) else b""
        digits = b"%X" if dice.often(20) else b"%04x" if dice.often(5) else b"%x"
        made.append(digits % len(piece) + extension + b"\r\n" + piece + b"\r\n")
        at += len(piece)
    trailer = b"X-Trailer: t\r\n" if dice.often(4) else b""
    return b"".join(made) + b"0\r\n" + trailer + b"\r\n"
