"""Ordinary answers that came whole, in one piece: read without the parser.

They are less than what the parser takes, and mean the same to it. Any other is for the parser.
"""

from __future__ import annotations

from sidecar.http import Header, Headers, HttpResponse, lowered_names, split_lines
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import AnswerHead, Lines, cut_length, read_answer
from sidecar.proxy.memo import Memo
from sidecar.proxy.varying import Rest, Varying
from sidecar.values import dataclass

HEAD_BYTES_MAX = 16 * 1024
# A seller's offers are much the same from call to call; its receipts never are.
OFFERS_MAX = 32
# Around their receipts, other answers are much the same, too.
ANSWERS_MAX = 64
REMEMBERED_BYTES_MAX = 8 * 1024
# What decides in the others' heads comes again, too.
DECIDING_MAX = 128
DECIDING_BYTES_MAX = 512
_SAYS_THE_SAME = 402
# They have no body, whatever their length says.
_BODILESS = frozenset({204, 205, 304})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a head says, but for its length, and the values that vary."""

    status: int
    keeps: bool
    headers: Headers
    length_at: int
    varying: tuple[int, ...]

    def filled(self, digits: bytes, cut: list[bytes]) -> Headers:
        """The headers with this length, and of the lines that were cut out, with these values."""
        headers = list(self.headers)
        headers[self.length_at] = (headers[self.length_at][0], digits.decode("ascii"))
        for at, line in zip(self.varying, cut, strict=True):
            name = headers[at][0]
            headers[at] = (name, line[len(name) + 2 :].decode("ascii"))
        return tuple(headers)


class Replies:
    """Reads the answers of one upstream."""

    __slots__ = ("_answers", "_heads", "_lines", "_offers", "_varying")

    def __init__(self) -> None:
        self._lines = Lines(_as_it_came, frozenset())
        self._varying = Varying(self._lines)
        self._answers: Memo[Rest, _Answer] = Memo(ANSWERS_MAX)
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
        rest, _, digits = cut
        varying = self._varying.cut(rest)
        key, values = ((rest,), []) if varying is None else varying
        answer = self._answers.get(key)
        if answer is None:
            answer = self._learn(rest, values)
            if answer is None:
                return None
            if len(rest) <= REMEMBERED_BYTES_MAX:
                self._answers.keep(key, answer)
        headers = answer.filled(digits, values)
        if answer.status == _SAYS_THE_SAME:
            self._offers.keep(head, (headers, answer.keeps, len(body)))
        return HttpResponse(answer.status, headers, body), answer.keeps

    def _learn(self, rest: bytes, cut: list[bytes]) -> _Answer | None:
        """What is said by this head, but for its length, around the lines that were cut out."""
        first, *lines = rest.split(b"\r\n")
        sorted_ = self._lines.sort(lines)
        read = None if sorted_ is None else self._read_answer(first, sorted_[0])
        if read is None or read.status in _BODILESS or 300 <= read.status < 400:
            return None
        self._varying.learn(lines)
        headers = split_lines(rest.decode("ascii").split("\r\n")[1:])
        length_at = list(lowered_names(headers)).index("content-length")
        return _Answer(read.status, read.keeps, headers, length_at, tuple(map(lines.index, cut)))

    def _read_answer(self, first: bytes, deciding: list[bytes]) -> AnswerHead | None:
        key = (first, *deciding)
        read = self._heads.get(key)
        if read is None:
            read = read_answer(first, deciding, measured=True)
            if read is not None and sum(map(len, key)) <= DECIDING_BYTES_MAX:
                self._heads.keep(key, read)
        return read


def _as_it_came(header: Header) -> bytes:
    # Nothing crosses from here: so that of each line can be told whether it may be cut out.
    return f"{header[0]}: {header[1]}\r\n".encode("ascii")
