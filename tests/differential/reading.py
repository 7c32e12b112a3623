"""What came over a wire, without the boundaries of its chunks."""

from __future__ import annotations

import re

_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)


def unchunk(data: bytes, at: int) -> tuple[bytes, int, bool]:
    """The body that begins there, where it ends, and whether it does."""
    body = b""
    while (match := _SIZE.match(data, at)) is not None:
        start, size = match.end(), int(match[1], 16)
        if size == 0:
            whole = data[start : start + 2] == b"\r\n"
            return body, start + 2 if whole else len(data), whole
        body += data[start : start + size]
        at = start + size + 2
        if at > len(data):
            break
    return body, len(data), False


def messages(
    data: bytes, bodiless: tuple[bool, ...]
) -> tuple[list[tuple[bytes, bytes, bool]], bytes]:
    """Heads, bodies, and whether each has ended; and what is left.

    ``bodiless``: which of the answers are to requests that get no body.
    """
    found: list[tuple[bytes, bytes, bool]] = []
    at = 0
    while (end := data.find(b"\r\n\r\n", at)) >= 0:
        head = data[at : end + 2]
        at = end + 4
        status = head[9:12]
        without = len(found) < len(bodiless) and bodiless[len(found)]
        length = _LENGTH.search(head)
        if head.startswith(b"HTTP/1.1 1"):
            continue
        if without or status in {b"204", b"304"}:
            found.append((head, b"", True))
        elif _CHUNKED.search(head):
            body, at, whole = unchunk(data, at)
            found.append((head, body, whole))
        else:
            size = int(length[1]) if length else len(data)
            found.append((head, data[at : at + size], len(data) - at >= size))
            at += size
    return found, data[at:]
