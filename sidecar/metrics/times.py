"""How long requests took: counts per bucket, and sums."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub

from sidecar.metrics.catalogue import LONG_S, SHORT_S
from sidecar.payments.served import Ended

# So many durations of a kind are kept until they are counted together. With more of them the
# memory that a request takes is no longer the one that the request before it gave back.
NEW_MAX = 32


class Times:
    """How long something took, how often: counts per bucket, and the sum.

    Many at a time cost a third of what they would one by one.
    """

    __slots__ = ("bounds", "buckets", "total_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def count(self, new: list[float]) -> None:
        """Count these, in any order. A bound belongs to the bucket below it, as ``le`` says."""
        new.sort()
        # Two readings of one clock may be rounded apart; less than no time makes no sense.
        self.total_s += sum(new if new[0] >= 0.0 else new[bisect_left(new, 0.0) :])
        bounds, buckets = self.bounds, self.buckets
        # Most that end together took about as long, and are in one bucket or two.
        bucket, last = bisect_left(bounds, new[0]), bisect_left(bounds, new[-1])
        begin = 0
        while bucket < last:
            end = bisect_right(new, bounds[bucket], begin)
            buckets[bucket] += end - begin
            begin, bucket = end, bucket + 1
        buckets[last] += len(new) - begin

    def cumulative(self) -> Iterable[int]:
        """How many took at most each bound; all of them last."""
        return accumulate(self.buckets)


class RouteTimes:
    """The three durations of a route's requests."""

    __slots__ = ("_new", "overhead", "request", "upstream")

    def __init__(self) -> None:
        self._new: list[Ended] = []
        self.request = Times(LONG_S)
        self.overhead = Times(SHORT_S)
        self.upstream = Times(LONG_S)

    def add(self, requests: Sequence[Ended]) -> None:
        """Take note of one of each for each."""
        self._new += requests
        if len(self._new) >= NEW_MAX:
            self.settle()

    def settle(self) -> None:
        """Count what is new."""
        new, self._new = self._new, []
        if not new:
            return
        _, durations_s, waits_s, _ = map(list, zip(*new, strict=True))
        self.overhead.count(list(map(sub, durations_s, waits_s)))
        self.request.count(durations_s)
        self.upstream.count(waits_s)
