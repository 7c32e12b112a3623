"""Which request lines are HTTP's, in as many pieces as they come."""

from __future__ import annotations

import pytest

from sidecar.proxy.framing import RequestLines

LINE = b"POST /v1/x RTSP/1.0\r\n"


@pytest.mark.parametrize("at", range(len(LINE)))
def test_rtsp_in_two_pieces(at: int) -> None:
    """RTSP's line is known wherever it is cut, and also right behind a body."""
    lines = RequestLines(1_000)
    before = lines.are_http(
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\r\n" + LINE[:at], False
    )

    assert not (before and lines.are_http(LINE[at:], False))


@pytest.mark.parametrize("cut", [0, 3, 4, 5, 12])
@pytest.mark.parametrize("tail", [b"GE", b"POST /", b"POST / HTTP/1.1\r", b"\n", b"da"])
def test_rtsp_behind_a_body(tail: bytes, cut: int) -> None:
    """The end of a body that looks like the beginning of a line does not hide the next line."""
    lines = RequestLines(1_000)

    assert lines.are_http(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n" + tail, False)
    assert lines.are_http(LINE[:cut], False)
    assert not lines.are_http(LINE[cut:], False)


def test_in_a_body() -> None:
    """What is in the middle of a body may look like anything."""
    assert RequestLines(1_000).are_http(LINE, True)
