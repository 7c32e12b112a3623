"""The heads of ordinary answers as the app may see them; ``headers`` has the rules."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from sidecar.providers.base import Credential
from sidecar.proxy.bodies import Body, Chunked, Counted
from sidecar.proxy.headers import response_headers
from sidecar.proxy.heads import Memo, cut_length, read_answer

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

    __slots__ = ("_known", "_secrets", "credential")

    def __init__(self, credential: Credential, secrets: tuple[str, ...]) -> None:
        self.credential = credential
        self._secrets = secrets
        self._known: Memo[bytes, Relayed] = Memo(ANSWERS_MAX)

    def find(self, data: bytes, end: int) -> tuple[Relayed, bytes, Body] | None:
        """How the head that ends there is relayed, as bytes, and its body to come.

        None where it is not ordinary.
        """
        cut = cut_length(data, end)
        if cut is None:
            return None
        head, at, digits = cut
        known = self._known.get(head)
        if known is None:
            known = self._learn(head, at >= 0)
            if known is None:
                return None
        if known.chunked:
            return known, known.before, Chunked()
        return known, known.before + digits + known.after, Counted(int(digits))

    def _learn(self, head: bytes, measured: bool) -> Relayed | None:
        read = read_answer(head, measured)
        if read is None or read.status in _NOT_ORDINARY or 300 <= read.status < 400:
            return None
        headers = response_headers(read.headers, self._secrets)
        lines = [f"HTTP/1.1 {read.status} {_PHRASES.get(read.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if read.chunked:
            lines.append("Transfer-Encoding: chunked")
        text = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
        at = len(text)
        if measured:
            # Its value is empty here, and no other field of this name was let through.
            at = text.lower().index(b"\r\ncontent-length: \r\n") + len(b"\r\ncontent-length: ")
        known = Relayed(read.status, read.keeps, text[:at], text[at:], read.chunked)
        if len(head) <= REMEMBERED_BYTES_MAX:
            self._known.keep(head, known)
        return known
