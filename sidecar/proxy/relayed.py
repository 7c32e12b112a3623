"""The heads of ordinary answers as the app may see them; ``headers`` has the rules."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from sidecar.http import Header
from sidecar.providers.base import Credential
from sidecar.proxy.headers import response_headers
from sidecar.proxy.heads import Framed, Lines, cut_length, read_answer
from sidecar.proxy.memo import Memo

HEAD_BYTES_MAX = 16 * 1024
ANSWERS_MAX = 1024
REMEMBERED_BYTES_MAX = 2048
# What the remedies, the sign-ins and the redirect rule are asked about, or what has no body.
_NOT_ORDINARY = frozenset({204, 205, 304, 401, 402})
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Relayed:
    """A head, but for the digits of its length, which go between ``before`` and ``after``."""

    status: int
    keeps: bool  # the upstream's connection serves another request after it
    before: bytes
    after: bytes
    chunked: bool


class Answers:
    """The answers of one route, while one credential is used."""

    __slots__ = ("_framed", "_known", "_last", "_lines", "_secrets", "credential")

    def __init__(self, credential: Credential, secrets: tuple[str, ...]) -> None:
        self.credential = credential
        self._secrets = secrets
        self._known: Memo[bytes, Relayed] = Memo(ANSWERS_MAX)
        self._lines = Lines(self._render, frozenset())
        # The newest that had a length: the next one is like it more often than not.
        self._framed: Framed | None = None
        self._last: Relayed | None = None

    def find(self, head: bytes) -> tuple[Relayed, bytes] | None:
        """How this head is relayed, and the digits of its length; None where it is not ordinary.

        There are none for a body in chunks.
        """
        framed, last = self._framed, self._last
        if framed is not None and last is not None:
            digits = framed.digits(head)
            if digits:
                return last, digits
        cut = cut_length(head)
        if cut is None:
            return None
        head, at, digits = cut
        known = self._known.get(head)
        if known is None:
            known = self._learn(head, at >= 0)
            if known is None:
                return None
        if at >= 0:
            self._framed, self._last = Framed(head, at), known
        return known, digits

    def _learn(self, head: bytes, measured: bool) -> Relayed | None:
        first, *lines = head.split(b"\r\n")
        sorted_ = self._lines.sort(lines)
        read = None if sorted_ is None else read_answer(first, sorted_[0], measured)
        if sorted_ is None or read is None:
            return None
        if read.status in _NOT_ORDINARY or 300 <= read.status < 400:
            return None
        start = f"HTTP/1.1 {read.status} {_PHRASES.get(read.status, '')}\r\n"
        coding = b"Transfer-Encoding: chunked\r\n" if read.chunked else b""
        text = start.encode() + b"".join(sorted_[1]) + coding + b"\r\n"
        at = len(text)
        if measured:
            # Its value is empty here, and no other field of this name was let through.
            at = text.lower().index(b"\r\ncontent-length: \r\n") + len(b"\r\ncontent-length: ")
        known = Relayed(read.status, read.keeps, text[:at], text[at:], read.chunked)
        if len(head) <= REMEMBERED_BYTES_MAX:
            self._known.keep(head, known)
        return known

    def _render(self, header: Header) -> bytes:
        """The upstream's header as the app gets it."""
        kept = response_headers((header,), self._secrets)
        return "".join([f"{name}: {value}\r\n" for name, value in kept]).encode("ascii")
