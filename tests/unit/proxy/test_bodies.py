"""Where the fast lane sees a body end, and what it passes on."""

from __future__ import annotations

import pytest

from sidecar.proxy.bodies import _LENGTHS, SIZES_MAX, BadChunksError, Chunked, Counted


def test_counted() -> None:
    """A body of a known length ends with its last byte; what follows is not passed on."""
    body = Counted(5)

    assert (b"abc", False) == (body.pass_on(b"abc"), body.ended)
    assert (b"de", True, True) == (body.pass_on(b"defg"), body.ended, body.excess)


async def test_whole_chunks() -> None:
    """Chunks that come whole are passed on as they came."""
    body = Chunked()

    assert b"3\r\nabc\r\n" == body.pass_on(b"3\r\nabc\r\n")
    assert not body.ended
    assert b"1\r\nd\r\n0\r\n\r\n" == body.pass_on(b"1\r\nd\r\n0\r\n\r\n")
    assert (True, False) == (body.ended, body.excess)


@pytest.mark.parametrize(
    ("data", "passed"),
    [
        (b"3\r\nabc\r\n", b"3\r\nabc\r\n"),
        (b"3\r\na\r\n\r\n", b"3\r\na\r\n\r\n"),
        (b"3\r\nabc\r", b"3\r\nabc\r\n"),
        (b"3\r\nab", b"2\r\nab\r\n"),
        (b"3\r\nabc\r\n1\r\nd\r\n", b"3\r\nabc\r\n1\r\nd\r\n"),
        (b"3\r\nabc\r\n1\r\n", b"3\r\nabc\r\n"),
    ],
)
async def test_size_that_came_before(data: bytes, passed: bytes) -> None:
    """A chunk whose size is known is passed on as it came where it is whole, and only there."""
    body = Chunked()
    first = body.pass_on(b"3\r\nxyz\r\n")

    assert (b"3\r\nxyz\r\n", passed) == (first, body.pass_on(data))
    assert not body.ended


@pytest.mark.parametrize("data", [b"3\r\nabcde", b"3\r\nabcd\n", b"3\r\nabc\n\r"])
async def test_size_that_came_before_is_wrong(data: bytes) -> None:
    """A chunk of a known size that does not end there is never passed on as if it did."""
    body = Chunked()
    body.pass_on(b"3\r\nxyz\r\n")

    with pytest.raises(BadChunksError):
        body.pass_on(data)


async def test_last_chunk_alone() -> None:
    """A last chunk that comes alone ends its body, as it did the one before."""
    for _ in range(2):
        body = Chunked()
        body.pass_on(b"3\r\nxyz\r\n")

        assert (b"0\r\n\r\n", True) == (body.pass_on(b"0\r\n\r\n"), body.ended)


async def test_sizes_are_forgotten() -> None:
    """An upstream that counts in ever other ways makes nobody remember more than so many."""
    for number in range(SIZES_MAX + 2):
        digits = f"{number + 1:08x}".encode()
        assert b"" != Chunked().pass_on(digits + b"\r\n" + b"x" * (number + 1) + b"\r\n")

    assert 0 < len(_LENGTHS) <= SIZES_MAX


@pytest.mark.parametrize("at", range(1, 30))
async def test_split_anywhere(at: int) -> None:
    """A body that is split anywhere holds the same bytes, and ends; extensions and trailers go."""
    data, body = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: t\r\n\r\n", Chunked()
    got = body.pass_on(data[:at]) + body.pass_on(data[at:])

    plain = b"".join(line for line in got.split(b"\r\n") if line.isalpha() and line.islower())
    assert (b"abcde", True) == (plain.replace(b"X", b""), body.ended)


@pytest.mark.parametrize(
    "data", [b"z\r\n", b"3\r\nabcd\r\n", b"-1\r\n", b"fffffffffffffffffff\r\n"]
)
async def test_bad_chunks(data: bytes) -> None:
    """A body that is not framed as HTTP wants it is never passed on as if it were."""
    body = Chunked()
    body.pass_on(b"1\r\nx\r\n")

    with pytest.raises(BadChunksError):
        body.pass_on(data)


@pytest.mark.parametrize("behind", [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
async def test_behind_the_last_chunk(behind: bytes) -> None:
    """What is behind a body that was cut within its chunks is not passed on, and is known."""
    body = Chunked()
    body.pass_on(b"3\r\nab")

    assert b"1\r\nc\r\n0\r\n\r\n" == body.pass_on(b"c\r\n0\r\n\r\n" + behind)
    assert body.ended


async def test_bad_chunk_after_a_cut_one() -> None:
    """A body that goes wrong after it was cut within a chunk is not passed on either."""
    body = Chunked()
    body.pass_on(b"3\r\nab")

    with pytest.raises(BadChunksError):
        body.pass_on(b"cXX\r\n")
