"""Ordinary answers that came whole, in one piece: read without the parser.

They are less than what the parser takes, and mean the same to it. Any other is for the parser.
"""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.http import Header, Headers, HttpResponse, lowered_names, split_lines
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import AnswerHead, Framed, Lines, cut_length, read_answer
from sidecar.proxy.memo import Memo
from sidecar.proxy.varying import Gaps, Rest, Varying
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
    varying: tuple[int, ...]  # in the order in which they were cut out
    places: tuple[int, ...]  # the same, in the order in which they stand
    framed: Framed

    def cut_out(self, cut: list[bytes]) -> list[bytes]:
        """The values of the lines that were cut out, in the order in which they stand."""
        values = [
            (at, line[len(self.headers[at][0]) + 2 :])
            for at, line in zip(self.varying, cut, strict=True)
        ]
        return [value for _, value in sorted(values)]

    def filled(self, digits: bytes, values: Sequence[bytes]) -> Headers:
        """The headers with this length, and in the lines that vary with these values."""
        headers = list(self.headers)
        headers[self.length_at] = (headers[self.length_at][0], digits.decode("ascii"))
        for at, value in zip(self.places, values, strict=True):
            headers[at] = (headers[at][0], value.decode("ascii"))
        return tuple(headers)


class Replies:
    """Reads the answers of one upstream."""

    __slots__ = ("_answers", "_heads", "_last", "_last_offer", "_lines", "_offers", "_varying")

    def __init__(self) -> None:
        self._lines = Lines(_as_it_came, frozenset())
        self._varying = Varying(self._lines)
        self._answers: Memo[Rest, _Answer] = Memo(ANSWERS_MAX)
        self._offers: Memo[bytes, tuple[Headers, bool, int]] = Memo(OFFERS_MAX)
        self._heads: Memo[tuple[bytes, ...], AnswerHead] = Memo(DECIDING_MAX)
        # Most answers are like the one before.
        self._last: _Answer | None = None
        # All of it, so that who reads it may know it again, too.
        self._last_offer: tuple[bytes, tuple[HttpResponse, bool]] | None = None

    def read(self, data: bytes) -> tuple[HttpResponse, bool] | None:
        """What these bytes say, and whether the connection serves another request after it.

        None where they are more or less than one answer, or it is not ordinary. Redirects are
        not: there is a rule on them. Not to be asked about the answer to a HEAD.
        """
        return self._read_again(data) or self._read_anew(data)

    def _read_again(self, data: bytes) -> tuple[HttpResponse, bool] | None:
        """The same, where it is the last offer, or like the last answer of another kind."""
        offer = self._last_offer
        if offer is not None and offer[0] == data:
            return offer[1]
        last = self._last
        found = None if last is None else last.framed.read(data)
        if last is None or found is None:
            return None
        values, digits, length, body = found
        if len(body) != length or len(data) - length > HEAD_BYTES_MAX:
            return None
        return HttpResponse(last.status, last.filled(digits, values), body), last.keeps

    def _read_anew(self, data: bytes) -> tuple[HttpResponse, bool] | None:
        head, end, body = data.partition(HEAD_END)
        offer = self._offers.get(head) if end else None
        if offer is not None:
            headers, keeps, length = offer
            whole = len(body) == length
            if not whole:
                return None
            read = HttpResponse(_SAYS_THE_SAME, headers, body), keeps
            if len(data) <= REMEMBERED_BYTES_MAX:
                self._last_offer = data, read
            return read
        cut = cut_length(head) if end and len(head) <= HEAD_BYTES_MAX else None
        if cut is None or cut[1] < 0 or len(body) != int(cut[2]):
            return None
        rest, _, digits = cut
        varying = self._varying.cut(rest)
        key, lines = ((rest,), []) if varying is None else varying
        answer = self._answers.get(key)
        if answer is None:
            answer = self._learn(rest, lines)
            if answer is None:
                return None
            if len(rest) <= REMEMBERED_BYTES_MAX:
                self._answers.keep(key, answer)
        headers = answer.filled(digits, answer.cut_out(lines))
        if answer.status == _SAYS_THE_SAME:
            self._offers.keep(head, (headers, answer.keeps, len(body)))
        elif len(rest) <= REMEMBERED_BYTES_MAX:
            self._last = answer
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
        varying = tuple(map(lines.index, cut))
        framed = Gaps.of(lines, cut, measured=True).framed(first, lines)
        places = tuple(sorted(varying))
        return _Answer(read.status, read.keeps, headers, length_at, varying, places, framed)

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
