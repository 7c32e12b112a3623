"""Ordinary answers that came whole, in one piece: read without the parser.

They are less than what the parser takes, and mean the same to it. Any other is for the parser.
"""

from __future__ import annotations

from sidecar.http import Header, Headers, HttpResponse, split_lines
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import AnswerHead, Lines, cut_length, read_answer
from sidecar.proxy.memo import Memo

HEAD_BYTES_MAX = 16 * 1024
# A seller's offers are much the same from call to call; its receipts never are.
OFFERS_MAX = 32
# What decides in the others' heads comes again, too.
DECIDING_MAX = 128
DECIDING_BYTES_MAX = 512
_SAYS_THE_SAME = 402
# They have no body, whatever their length says.
_BODILESS = frozenset({204, 205, 304})


class Replies:
    """Reads the answers of one upstream."""

    __slots__ = ("_heads", "_lines", "_offers")

    def __init__(self) -> None:
        self._lines = Lines(_nothing, frozenset())
        self._offers: Memo[bytes, tuple[Headers, bool, int]] = Memo(OFFERS_MAX)
        self._heads: Memo[tuple[bytes, ...], AnswerHead] = Memo(DECIDING_MAX)

    def read(self, data: bytes) -> tuple[HttpResponse, bool] | None:
        """What these bytes say, and whether the connection serves another request after it.

        None where they are more or less than one answer, or it is not ordinary. Redirects are
        not: there is a rule on them. Not to be asked about the answer to a HEAD.
        """
        head, end, body = data.partition(HEAD_END)
        offer = self._offers.get(head) if end else None
        if offer is not None:
            headers, keeps, length = offer
            whole = len(body) == length
            return (HttpResponse(_SAYS_THE_SAME, headers, body), keeps) if whole else None
        cut = cut_length(head) if end and len(head) <= HEAD_BYTES_MAX else None
        if cut is None or cut[1] < 0 or len(body) != int(cut[2]):
            return None
        first, *lines = cut[0].split(b"\r\n")
        sorted_ = self._lines.sort(lines)
        read = None if sorted_ is None else self._read_answer(first, sorted_[0])
        if read is None or read.status in _BODILESS or 300 <= read.status < 400:
            return None
        headers = split_lines(head.decode("ascii").split("\r\n")[1:])
        if read.status == _SAYS_THE_SAME:
            self._offers.keep(head, (headers, read.keeps, len(body)))
        return HttpResponse(read.status, headers, body), read.keeps

    def _read_answer(self, first: bytes, deciding: list[bytes]) -> AnswerHead | None:
        key = (first, *deciding)
        read = self._heads.get(key)
        if read is None:
            read = read_answer(first, deciding, measured=True)
            if read is not None and sum(map(len, key)) <= DECIDING_BYTES_MAX:
                self._heads.keep(key, read)
        return read


def _nothing(_: Header) -> bytes:
    # Nothing crosses from here: the lines are asked about, not rendered.
    return b""
