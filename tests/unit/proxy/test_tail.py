"""The end of a response: the same whatever the chunks, and never more than its bound."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.http import Headers, HttpResponse
from sidecar.proxy.tail import DOCUMENT_BYTES_MAX, TAIL_BYTES_MAX, Tail

STREAM: Headers = (("Content-Type", "text/event-stream; charset=utf-8"),)
JSON: Headers = (("content-type", "Application/JSON"),)
# Neither bound is a multiple of its length, so that no piece of it looks like another.
DATA = bytes(range(251)) * (DOCUMENT_BYTES_MAX // 251 + 1)


def kept(headers: Headers, chunks: list[bytes]) -> bytes:
    tail = Tail(200, headers)
    for chunk in chunks:
        tail.feed(chunk)
    return tail.response().body


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The data in pieces; an edge that is there twice makes an empty one."""
    edges = [0, *sorted(min(edge, len(data)) for edge in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


AROUND = st.one_of(
    st.integers(0, 300),
    st.integers(TAIL_BYTES_MAX - 3, TAIL_BYTES_MAX + 3),
    st.integers(DOCUMENT_BYTES_MAX - 3, DOCUMENT_BYTES_MAX + 3),
)


@given(st.lists(st.integers(0, 3 * TAIL_BYTES_MAX), max_size=40), AROUND)
def test_streams(edges: list[int], size: int) -> None:
    """However a stream is cut into chunks, its last 64 KiB are kept."""
    data = DATA[:size]

    assert data[-TAIL_BYTES_MAX:] == kept(STREAM, cut(data, edges))


@given(st.lists(st.integers(0, DOCUMENT_BYTES_MAX), max_size=40), AROUND)
@example([1], DOCUMENT_BYTES_MAX)
@example([1], DOCUMENT_BYTES_MAX + 1)
def test_documents(edges: list[int], size: int) -> None:
    """However a document is cut into chunks, all of it is kept, or nothing past 1 MiB."""
    data = DATA[:size]

    assert (data if size <= DOCUMENT_BYTES_MAX else b"") == kept(JSON, cut(data, edges))


def test_tiny_chunks() -> None:
    """A stream that comes byte by byte is kept in no more than its bound."""
    tail = Tail(200, STREAM)
    for number in range(2 * TAIL_BYTES_MAX):
        tail.feed(DATA[number : number + 1])

    assert TAIL_BYTES_MAX == len(tail._kept)
    assert DATA[TAIL_BYTES_MAX : 2 * TAIL_BYTES_MAX] == tail.response().body


def test_after_too_much() -> None:
    """A document that was too large stays nothing, whatever small pieces follow."""
    assert b"" == kept(JSON, [DATA[: DOCUMENT_BYTES_MAX + 1], b"{}", b"{}"])


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Content-Type", "text/html"),),
        (("Content-Type", "application/jsonl"),),
        (*JSON, *JSON),
        (*JSON, ("Content-Encoding", "gzip")),
        (*STREAM, ("content-encoding", "br")),
        (*JSON, ("Content-Encoding", "identity"), ("Content-Encoding", "gzip")),
    ],
)
def test_what_is_not_read(headers: Headers) -> None:
    """Of an encoded body, or one of another or an uncertain kind, nothing is kept."""
    assert b"" == kept(headers, [b"{}"])


def test_identity() -> None:
    """A body that says it is not encoded is read."""
    assert b"{}" == kept((*JSON, ("Content-Encoding", "Identity")), [b"{", b"}"])


def test_head() -> None:
    """The response carries its own status and headers, whatever became of the body."""
    assert HttpResponse(402, JSON) == Tail(402, JSON).response()
