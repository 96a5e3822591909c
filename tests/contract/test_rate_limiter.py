"""Both rate limiters, held to one suite, and the shared one against a real Redis."""

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager

import pytest
import redis.asyncio

from adapters.cache.rate_script import PREFIX
from adapters.in_memory.clock import ManualClock
from adapters.in_memory.rate_limiter import LocalRateLimiter
from adapters.system import SystemClock
from adapters.testing.rate_limiter_suite import RateLimiterSuite, demand, many, refused
from application.ports.rate_limiter import RateLimiter
from domain.errors import ConfigurationError
from domain.limits.meters import MAX_SUBJECTS
from tests.support.rate_limiters import limiters, redis_limiter, started, told


class TestLocalRateLimiter(RateLimiterSuite):
    def open(self) -> AbstractAsyncContextManager[RateLimiter]:
        return started(LocalRateLimiter(clock=SystemClock()))


class TestRedisRateLimiter(RateLimiterSuite):
    @pytest.fixture(autouse=True)
    def _given_redis(self, redis_url: str) -> None:
        self.url = redis_url

    def open(self) -> AbstractAsyncContextManager[RateLimiter]:
        return started(redis_limiter(self.url))


class TestRedisRateLimiterAlone(RateLimiterSuite):
    """Not started, it shares with nobody and still limits."""

    def open(self) -> AbstractAsyncContextManager[RateLimiter]:
        return _as_it_is(redis_limiter("redis://127.0.0.1:1/0"))


class _as_it_is(AbstractAsyncContextManager[RateLimiter]):  # noqa: N801 - read as a function
    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def __aenter__(self) -> RateLimiter:
        return self._limiter

    async def __aexit__(self, *_: object) -> None:
        await self._limiter.aclose()


async def test_a_hundred_thousand_users_are_forgotten() -> None:
    """Each asked once, within one minute; who has used up most is remembered."""
    clock = ManualClock()
    limiter = LocalRateLimiter(clock=clock)
    await many(limiter, 10, demand("steady", requests=10))
    for number in range(100_000):
        await limiter.take([demand(f"u{number}", kind="user", requests=60, places=5)], tokens=0)
        assert limiter.known_subjects <= MAX_SUBJECTS
        clock.advance(0.000_01)
    await refused(limiter, demand("steady", requests=10))
    clock.advance(120)
    for number in range(MAX_SUBJECTS):
        await limiter.take([demand(f"v{number}", kind="user", requests=60)], tokens=0)
        clock.advance(1)

    assert limiter.known_subjects <= 2_048


async def test_replicas_let_exactly_the_limit_through(redis_url: str) -> None:
    """1,000 at once on two of them, of requests, of tokens and of places."""
    async with limiters(redis_url) as two:
        for limited, tokens in (
            (demand("r", requests=100), 0),
            (demand("t", tokens=100_000), 1_000),
            (demand("p", places=100), 0),
        ):
            let = await asyncio.gather(*[many(each, 500, limited, tokens=tokens) for each in two])
            assert 100 == sum(len(each) for each in let)


async def test_what_replicas_take_and_leave_is_known_to_all(redis_url: str) -> None:
    """Tokens that were not needed, and places."""
    async with limiters(redis_url) as (one, two):
        limited = demand(tokens=1_000, places=1)
        first = await one.take([limited], tokens=900)
        assert "concurrency" == (await refused(two, limited, tokens=10)).limit
        first.settle(100)
        first.end()
        await told(one)
        second = await two.take([limited], tokens=900)
        second.settle(900)
        second.end()
        await told(two)
        assert "tokens" == (await refused(one, limited, tokens=10)).limit


async def test_caller_who_goes_from_replica_to_replica_is_never_refused(redis_url: str) -> None:
    """One chat at a time, each begun in the moment that the one before it ended on the other replica."""
    async with limiters(redis_url) as two:
        let = 0
        for number in range(200):
            allowance = await two[number % 2].take([demand(places=1)], tokens=0)
            allowance.end()
            let += 1

        assert 200 == let


async def test_place_that_is_told_of_late_is_waited_for(redis_url: str) -> None:
    """Where others hold all of them, and nothing else is in the way; one's own are known."""
    async with limiters(redis_url) as (one, two):
        limited = demand(places=1)
        held = await one.take([limited], tokens=0)
        asking = asyncio.ensure_future(two.take([limited], tokens=0))
        await asyncio.sleep(0.002)
        held.end()
        (await asking).end()
        await told(two)
        held = await one.take([limited], tokens=0)
        before = one.calls
        assert "concurrency" == (await refused(one, limited)).limit
        assert 1 == one.calls - before


async def test_demands_of_a_moment_go_together(redis_url: str) -> None:
    """And so does what chats took and left."""
    async with limiters(redis_url, 1) as (one,):
        before = one.calls
        let = await many(one, 200, demand(requests=1_000, tokens=10**6, places=500), tokens=100)
        for each in let:
            each.settle(50)
            each.end()
        await asyncio.sleep(0.1)

        assert 200 == len(let)
        assert one.calls - before <= 3


async def test_nothing_stays_behind_in_redis(redis_url: str) -> None:
    """A subject is a key with an end, and none as soon as it is idle."""
    async with limiters(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        held = await one.take(
            [demand(tokens=1_000, places=2), demand("u", kind="user", requests=60)], tokens=100
        )
        keys = {key: await client.pttl(key) for key in await client.keys("*") if b"probe" not in key}
        assert {PREFIX + b"key:web", PREFIX + b"user:u"} == set(keys)
        assert all(0 < left <= 30_100 for left in keys.values())
        held.end()
        await asyncio.sleep(1.2)

        assert [] == await client.keys("*")


async def test_places_of_a_process_that_died_are_free_after_its_lease(redis_url: str) -> None:
    """Those of one that lives are renewed, for all its chats at once."""
    limited = demand(places=2)
    dead = redis_limiter(redis_url, lease_s=0.4, renew_s=60)
    async with limiters(redis_url, lease_s=0.4, renew_s=0.1) as (one, two):
        await dead.start()
        lost = await dead.take([limited], tokens=0)
        kept = await one.take([limited], tokens=0)
        await refused(two, limited)
        await asyncio.sleep(0.6)
        gained = await two.take([limited], tokens=0)
        await refused(two, limited)
        for each in (kept, gained, lost):
            each.end()
        await dead.aclose()


async def test_closing_gives_places_back(redis_url: str) -> None:
    """A replica that is stopped keeps nobody waiting."""
    async with limiters(redis_url) as (one, two):
        limited = demand(places=1)
        held = await one.take([limited], tokens=0)
        await refused(two, limited)
        await one.aclose()
        await two.take([limited], tokens=0)
        held.end()


@pytest.mark.parametrize(
    "value",
    [b"", b"garbage", b"1 x y", b"0 1 2", b"1 99999999999999999999 99999999999999999999", b"1 nan inf", b"1 . ..",
     b"1 1 1 ff=9=99999999999999999", b"1 1 1 ff=99999999", b"\x80\x04", b"1 -5 -5", b"9" * 100_000],
)  # fmt: skip
async def test_garbage_counts_as_nothing(redis_url: str, value: bytes) -> None:
    """An old schema, a clock that was set back, another's lease of a century."""
    async with limiters(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set(PREFIX + b"key:web", value)
        assert 3 == len(await many(one, 9, demand(requests=3, tokens=100, places=3), tokens=1))
        assert one.is_shared


async def test_keys_of_another_type_count_as_nothing(redis_url: str) -> None:
    """And are written over."""
    async with limiters(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.hset(PREFIX + b"key:web", "of", "somebody else")
        assert 3 == len(await many(one, 9, demand(requests=3)))
        assert one.is_shared


async def test_the_shared_limiter_does_as_the_local_one(redis_url: str) -> None:
    """The script has the arithmetic of the domain: any limits and costs, at one moment."""
    clock = ManualClock()
    local = LocalRateLimiter(clock=clock)
    async with limiters(redis_url, 1) as (one,):
        seen: Counter[bool] = Counter()
        kept = []
        for number in range(150):
            limits = [1, 2, 3, 7, 60, 1_000, 99_999][number % 7]
            limited = demand(f"{number % 10}", requests=limits + 3, tokens=limits * 10, places=40)
            tokens = (number * 7_919) % (limits * 12 + 1)
            got = [await many(each, 1, limited, tokens=tokens) for each in (one, local)]
            kept += got
            # Redis' clock moves on: what is nearly enough may be enough there.
            assert len(got[0]) >= len(got[1]) or limits > 1_000
            seen[len(got[0]) == len(got[1])] += 1

        assert seen[True] >= 140


async def test_a_url_that_is_none_is_a_configuration_error() -> None:
    """Said without the URL, which may hold a password."""
    with pytest.raises(ConfigurationError, match=r"redis\.url") as caught:
        await redis_limiter("http://user:CANARY@example.com").start()

    assert "CANARY" not in str(caught.value)
