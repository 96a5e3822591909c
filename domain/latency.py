"""Latencies in buckets, from which percentiles of any time can be told without the single ones."""

import bisect
import math
from collections.abc import Iterable
from typing import Final

import attrs

BOUNDS_MS: Final[tuple[int, ...]] = tuple(sorted({round(2 ** (step / 4)) for step in range(93)}))
"""Where buckets begin, four to a doubling: 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19 … up to over two hours. What is
less than the first is in bucket 0, and bucket n begins at `BOUNDS_MS[n - 1]`. Stored ones keep their numbers, so these
never change."""
NO_LATENCY: Final = -1
"""The bucket of what has no latency that counts."""
ANY_LATENCY: Final = 0
"""The bucket of all that has one, in the sums by user: they keep no percentiles, only the mean. Users are many, and
would have a row for each of their buckets."""


def bucket_of(latency_ms: int) -> int:
    return bisect.bisect_right(BOUNDS_MS, latency_ms)


@attrs.define
class Bucket:
    """The latencies of one bucket, as far as they are known."""

    count: int
    lowest_ms: int
    highest_ms: int

    def place(self, rank: int) -> float:
        """The latency at a rank from 0 to `count` - 1, as if they were spread evenly from lowest to highest."""
        if self.count == 1:
            return self.lowest_ms
        return self.lowest_ms + (self.highest_ms - self.lowest_ms) * rank / (self.count - 1)


@attrs.define
class Latencies:
    """Adds buckets up.

    A percentile is off by less than the width of its bucket, a fifth, and that only where a bucket's latencies lie
    all at one of its ends; in practice by one or two in a hundred. Of few latencies, and where those of a bucket are
    all the same, it is exact.
    """

    _buckets: dict[int, Bucket] = attrs.field(factory=dict, init=False)
    count: int = attrs.field(default=0, init=False)
    total_ms: int = attrs.field(default=0, init=False)

    def add(self, bucket: int, *, count: int, lowest_ms: int, highest_ms: int, total_ms: int = 0) -> None:
        """
        Args:
            total_ms: for the mean; to be set for all buckets at once otherwise.
        """
        self.count += count
        self.total_ms += total_ms
        found = self._buckets.get(bucket)
        if found is None:
            self._buckets[bucket] = Bucket(count, lowest_ms, highest_ms)
            return
        found.count += count
        found.lowest_ms = min(found.lowest_ms, lowest_ms)
        found.highest_ms = max(found.highest_ms, highest_ms)

    def add_each(self, latencies_ms: Iterable[int]) -> None:
        for each in latencies_ms:
            self.add(bucket_of(each), count=1, total_ms=each, lowest_ms=each, highest_ms=each)

    @property
    def mean_ms(self) -> float | None:
        """Exact, to the microsecond."""
        return round(self.total_ms / self.count, 3) if self.count else None

    def percentile_ms(self, fraction: float) -> float | None:
        """Between the two nearest latencies, as SQL's `percentile_cont` has it."""
        if not self.count:
            return None
        place = (self.count - 1) * fraction
        below = math.floor(place)
        low = self._at(below)
        high = self._at(min(below + 1, self.count - 1))
        return round(low + (high - low) * (place - below), 3)

    def _at(self, rank: int) -> float:
        for number in sorted(self._buckets):
            bucket = self._buckets[number]
            if rank < bucket.count:
                return bucket.place(rank)
            rank -= bucket.count
        raise AssertionError("a rank lies in a bucket")
