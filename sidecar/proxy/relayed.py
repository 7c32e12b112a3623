"""The heads of ordinary answers as the app may see them; ``headers`` has the rules."""

from __future__ import annotations

from http import HTTPStatus

from sidecar.http import Header
from sidecar.payments.served import End
from sidecar.providers.base import Credential
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.headers import response_headers
from sidecar.proxy.heads import Framed, Lines, cut_length, read_answer
from sidecar.proxy.memo import Memo
from sidecar.values import dataclass

HEAD_BYTES_MAX = 16 * 1024
ANSWERS_MAX = 1024
REMEMBERED_BYTES_MAX = 2048
# What the remedies, the sign-ins and the redirect rule are asked about, or what has no body.
_NOT_ORDINARY = frozenset({204, 205, 304, 401, 402})
_NOT_ORDINARY_WORDS = frozenset(map(b"%d".__mod__, _NOT_ORDINARY))
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Relayed:
    """A head, but for the digits of its length, which go between ``before`` and ``after``."""

    end: End  # of a request that got all of its answer
    keeps: bool  # the upstream's connection serves another request after it
    framed: Framed
    before: bytes
    after: bytes
    chunked: bool


class Answers:
    """The answers of one route, while one credential is used."""

    __slots__ = ("_known", "_lines", "_secrets", "credential", "last")

    def __init__(self, credential: Credential, secrets: tuple[str, ...]) -> None:
        self.credential = credential
        self._secrets = secrets
        self._known: Memo[bytes, Relayed] = Memo(ANSWERS_MAX)
        self._lines = Lines(self._render, frozenset())
        self.last: Relayed | None = None  # what was found last

    def find(self, data: bytes) -> Relayed | None:
        """How the head that begins these bytes is relayed.

        None where it is not ordinary, or not all here.
        """
        found = self.last = self._find(data)
        return found

    def _find(self, data: bytes) -> Relayed | None:
        # They would be told apart after all of their lines were read, and are the same.
        if data[9:12] in _NOT_ORDINARY_WORDS:
            return None
        head, end, _ = data.partition(HEAD_END)
        if not end or len(head) > HEAD_BYTES_MAX - len(HEAD_END):
            return None
        cut = cut_length(head)
        if cut is None:
            return None
        head, at, _ = cut
        return self._known.get(head) or self._learn(head, at)

    def _learn(self, head: bytes, length_at: int) -> Relayed | None:
        measured = length_at >= 0
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
        framed, end = Framed.of(head, length_at), (read.status, "relayed", "")
        known = Relayed(end, read.keeps, framed, text[:at], text[at:], read.chunked)
        if len(head) <= REMEMBERED_BYTES_MAX:
            self._known.keep(head, known)
        return known

    def _render(self, header: Header) -> bytes:
        """The upstream's header as the app gets it."""
        kept = response_headers((header,), self._secrets)
        return "".join([f"{name}: {value}\r\n" for name, value in kept]).encode("ascii")
