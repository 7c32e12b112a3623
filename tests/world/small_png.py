"""A picture of a page in a palette of 256 colours: a quarter of what a browser writes."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS_MAX = 256
# The square of how far two colours have to be apart to be two.
APART_MIN = 40
_RGB, _PALETTE = 2, 3


def shrink(png: bytes) -> bytes:
    """The same picture in fewer colours: each of its own becomes the nearest of those that stay."""
    chunks = dict(_merged(png))
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (8, _RGB) == (depth, kind), "a screenshot of a page has no transparency"
    rows = list(_rows(zlib.decompress(chunks[b"IDAT"]), width, height))
    counts = Counter(row[at : at + 3] for row in rows for at in range(0, len(row), 3))
    palette = _palette(counts)
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in counts.keys() - index.keys():
        index[colour] = min(range(len(palette)), key=lambda at: _distance(colour, palette[at]))
    lines = (b"\0" + bytes(index[row[at : at + 3]] for at in range(0, len(row), 3)) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    return SIGNATURE + b"".join(
        _chunk(name, data)
        for name, data in (
            (b"IHDR", header),
            (b"PLTE", b"".join(palette)),
            (b"IDAT", zlib.compress(b"".join(lines), 9)),
            (b"IEND", b""),
        )
    )


def _palette(counts: Counter[bytes]) -> list[bytes]:
    """The most frequent colours; of those that are hardly apart one, so that rare ones stay too."""
    palette: list[bytes] = []
    for colour, _ in counts.most_common():
        if all(_distance(colour, other) >= APART_MIN for other in palette):
            palette.append(colour)
            if len(palette) == COLOURS_MAX:
                break
    return palette


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _merged(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each kind of chunk, with the data of all that have it."""
    found: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name = png[at + 4 : at + 8]
        found[name] = found.get(name, b"") + png[at + 8 : at + 8 + length]
        at += length + 12
    yield from found.items()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _rows(data: bytes, width: int, height: int) -> Iterator[bytes]:
    """The pixels of each row, without the filter that it was written through (PNG 9.2)."""
    length = 3 * width
    above = bytearray(length)
    for number in range(height):
        start = number * (length + 1)
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + length])
        for at in range(length):
            left = row[at - 3] if at >= 3 else 0
            corner = above[at - 3] if at >= 3 else 0
            row[at] = (row[at] + _guess(kind, left, above[at], corner)) & 0xFF
        above = row
        yield bytes(row)


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    match kind:
        case 0:
            return 0
        case 1:
            return left
        case 2:
            return up
        case 3:
            return (left + up) // 2
        case _:
            guess = left + up - corner
            return min((left, up, corner), key=lambda each: abs(guess - each))
