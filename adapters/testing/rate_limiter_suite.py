"""What every rate limiter must do."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager

import pytest

from application.ports.rate_limiter import Allowance, RateDemand, RateLimiter
from domain.errors import RateLimited
from domain.limits.rate import RateLimits, RateRefusal

_ONE = 1
"""One a minute: nothing comes back while a test runs."""


def demand(
    subject: str = "web",
    *,
    kind: str = "key",
    requests: int | None = None,
    tokens: int | None = None,
    places: int | None = None,
) -> RateDemand:
    limits = RateLimits(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=places)
    return RateDemand(kind=kind, id=subject, limits=limits)


async def refused(limiter: RateLimiter, *demands: RateDemand, tokens: int = 0) -> RateRefusal:
    """Why it did not let that through."""
    with pytest.raises(RateLimited) as caught:
        await limiter.take(demands, tokens=tokens)
    assert caught.value.refusal is not None
    assert caught.value.refusal.wait_s == caught.value.retry_after_s
    return caught.value.refusal


async def many(limiter: RateLimiter, count: int, *demands: RateDemand, tokens: int = 0) -> list[Allowance]:
    """Those of `count` at once that were let through."""
    taken = await asyncio.gather(
        *[limiter.take(demands, tokens=tokens) for _ in range(count)], return_exceptions=True
    )
    for each in taken:
        if isinstance(each, BaseException) and not isinstance(each, RateLimited):
            raise each
    return [each for each in taken if not isinstance(each, BaseException)]


class RateLimiterSuite(ABC):
    """Subclass it, make the limiter, and let pytest collect it."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[RateLimiter]:
        """A started limiter that shares with nobody else's test."""

    async def test_nothing_is_taken_from_nobody(self) -> None:
        """Without demands, or limits, all pass."""
        async with self.open() as limiter:
            allowance = await limiter.take((), tokens=5)
            assert (allowance.requests, allowance.tokens) == (None, None)
            assert len(await many(limiter, 50, demand(), tokens=1_000)) == 50

    async def test_a_minutes_requests_pass_at_once(self) -> None:
        """And not one more; another subject has its own."""
        async with self.open() as limiter:
            assert len(await many(limiter, 20, demand(requests=7))) == 7
            why = await refused(limiter, demand(requests=7))
            assert (why.subject, why.limit, why.allowed) == ("key", "requests", 7)
            assert 60 / 7 - 2 < why.wait_s <= 60 / 7
            await limiter.take([demand("mobile", requests=7)], tokens=0)
            await limiter.take([demand("web", kind="user", requests=7)], tokens=0)

    async def test_requests_come_back_one_by_one(self) -> None:
        """Each 60/n seconds."""
        async with self.open() as limiter:
            assert len(await many(limiter, 600, demand(requests=600))) == 600
            why = await refused(limiter, demand(requests=600))
            assert why.wait_s <= 0.1
            await asyncio.sleep(0.15)
            assert 1 <= len(await many(limiter, 20, demand(requests=600))) <= 12

    async def test_what_is_left_is_told(self) -> None:
        """Of whoever has the least, and until when all of it is there again."""
        async with self.open() as limiter:
            demands = (
                demand(requests=10, tokens=6_000),
                demand("u", kind="user", requests=4),
                demand("::1", kind="address", tokens=60_000),
            )
            allowance = await limiter.take(demands, tokens=1_000)
            requests, tokens = allowance.requests, allowance.tokens
            assert requests is not None
            assert tokens is not None
            assert (requests.limit, requests.remaining) == (4, 3)
            assert 14 < requests.reset_s <= 15
            assert (tokens.limit, tokens.remaining) == (6_000, 5_000)
            assert 9 < tokens.reset_s <= 10

    async def test_who_is_refused_is_told_what_is_left_too(self) -> None:
        """Of all limits, not of the one that is in the way alone."""
        async with self.open() as limiter:
            held = await limiter.take([demand(requests=100, tokens=1_000)], tokens=900)
            why = await refused(limiter, demand(requests=100, tokens=1_000), tokens=300)
            assert (why.limit, why.allowed) == ("tokens", 1_000)
            assert 11 < why.wait_s <= 12
            assert why.requests is not None
            assert why.tokens is not None
            assert (why.requests.remaining, why.tokens.remaining) == (99, 100)
            held.end()

    async def test_all_is_taken_or_nothing(self) -> None:
        """A refusal by one subject costs the others nothing."""
        async with self.open() as limiter:
            key, user = demand(requests=10, places=10), demand("u", kind="user", requests=2)
            assert len(kept := await many(limiter, 10, key, user)) == 2
            assert (await refused(limiter, key, user)).subject == "user"
            assert len(others := await many(limiter, 20, key)) == 8
            assert len(kept) + len(others) == 10

    async def test_estimates_are_replaced_by_the_truth(self) -> None:
        """Both ways."""
        async with self.open() as limiter:
            limited = demand(tokens=1_000)
            first = await limiter.take([limited], tokens=900)
            await refused(limiter, limited, tokens=200)
            first.settle(100)
            second = await limiter.take([limited], tokens=200)
            second.settle(850)
            second.end()
            first.end()
            why = await refused(limiter, limited, tokens=100)
            assert 2 < why.wait_s <= 3

    async def test_what_was_never_settled_is_given_back(self) -> None:
        """At the end, once; settling later counts still."""
        async with self.open() as limiter:
            limited = demand(tokens=1_000)
            first = await limiter.take([limited], tokens=1_000)
            for _ in range(3):
                first.end()
            second = await limiter.take([limited], tokens=600)
            await refused(limiter, limited, tokens=500)
            first.settle(300)
            first.settle(0)
            await refused(limiter, limited, tokens=200)
            second.end()
            await limiter.take([limited], tokens=600)

    async def test_more_than_a_limit_passes_alone(self) -> None:
        """Where nothing was taken, and takes it all."""
        async with self.open() as limiter:
            limited = demand(tokens=1_000)
            held = await limiter.take([limited], tokens=50_000)
            why = await refused(limiter, limited, tokens=1)
            assert why.wait_s < 1
            assert why.tokens is not None
            assert why.tokens.remaining == 0
            assert 59 < (await refused(limiter, limited, tokens=50_000)).wait_s <= 60
            held.settle(90_000)
            await refused(limiter, limited, tokens=1)

    async def test_a_debt_is_bounded(self) -> None:
        """Whatever chats took beyond their estimates: a minute to work it off, and a minute."""
        async with self.open() as limiter:
            limited = demand(tokens=1_000)
            allowances = await many(limiter, 9, limited, tokens=10)
            for allowance in allowances:
                allowance.settle(90_000)
            why = await refused(limiter, limited, tokens=1_000)
            assert 100 < why.wait_s <= 120
            assert 50 < (await refused(limiter, limited, tokens=1)).wait_s <= 61

    async def test_places_are_held_by_chats_under_way(self) -> None:
        """And free as soon as one ends."""
        async with self.open() as limiter:
            limited = demand(places=3)
            running = await many(limiter, 10, limited)
            assert len(running) == 3
            why = await refused(limiter, limited)
            assert (why.limit, why.allowed, why.wait_s) == ("concurrency", 3, 1.0)
            running[0].end()
            running[0].end()
            assert len(again := await many(limiter, 5, limited)) == 1
            assert len(again) + 2 == 3

    async def test_what_is_dropped_ends_by_itself(self) -> None:
        """A request that failed before its chat began holds no place and no tokens."""
        async with self.open() as limiter:
            limited = demand(places=1, tokens=1_000)
            for _ in range(5):
                await limiter.take([limited], tokens=1_000)
                await asyncio.sleep(0)

    async def test_who_stops_waiting_takes_no_place(self) -> None:
        """Its connection was lost while it waited for its turn."""
        async with self.open() as limiter:
            limited = demand(places=1)
            waiting: asyncio.Task[Allowance] | None = None
            for _ in range(5):
                waiting = asyncio.create_task(limiter.take([limited], tokens=0))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
            waiting = None
            async with asyncio.timeout(30):
                while not await many(limiter, 1, limited):  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0.01)

    async def test_a_limit_may_change(self) -> None:
        """The part of the minute that is used up stays."""
        async with self.open() as limiter:
            assert len(await many(limiter, 5, demand(requests=10))) == 5
            assert len(await many(limiter, 80, demand(requests=100))) == 50
            await refused(limiter, demand(requests=10))

    async def test_requests_may_be_asked_for_without_chats(self) -> None:
        """Reads take from requests, and from nothing else."""
        async with self.open() as limiter:
            held = await limiter.take([demand(requests=5, tokens=100)], tokens=100, requests=3)
            allowance = await limiter.take([demand(requests=5)], tokens=0)
            assert allowance.requests is not None
            assert allowance.requests.remaining == 1
            held.end()

    async def test_any_id_will_do(self) -> None:
        """A caller's own id for its users is any text."""
        async with self.open() as limiter:
            for name in ("", "a b", "{x}", "\x00", "ü" * 256, "\ud800", "'; DROP", "1 2 3 ff=1=9"):
                limited = demand(name, kind="user", requests=_ONE)
                assert len(await many(limiter, 3, limited)) == 1
