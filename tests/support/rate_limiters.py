"""Rate limiters, each as in a process of its own, and callers that they limit."""

import contextlib
import datetime
from collections.abc import AsyncIterator

from adapters.cache.rate_script import LEASE_S, RENEW_S
from adapters.cache.redis_link import RedisLink
from adapters.cache.redis_rate_limiter import RedisRateLimiter
from adapters.system import SystemClock
from adapters.testing.rate_limiter_suite import demand
from application.ports.rate_limiter import RateLimiter
from domain.access import USER_SCOPES, ApiKey, Caller
from domain.ids import Tenant
from domain.limits.rate import RateLimits
from domain.secret import Secret
from tests.support.waiting import eventually


def redis_limiter(
    url: str, *, timeout_s: float = 5.0, lease_s: float = LEASE_S, renew_s: float = RENEW_S
) -> RedisRateLimiter:
    clock = SystemClock()
    link = RedisLink(url=Secret(url), clock=clock, timeout_s=timeout_s)
    return RedisRateLimiter(link=link, clock=clock, lease_s=lease_s, renew_s=renew_s)


@contextlib.asynccontextmanager
async def started(limiter: RateLimiter) -> AsyncIterator[RateLimiter]:
    await limiter.start()
    try:
        yield limiter
    finally:
        await limiter.aclose()


@contextlib.asynccontextmanager
async def limiters(
    url: str,
    count: int = 2,
    *,
    timeout_s: float = 5.0,
    lease_s: float = LEASE_S,
    renew_s: float = RENEW_S,
) -> AsyncIterator[list[RedisRateLimiter]]:
    async with contextlib.AsyncExitStack() as stack:
        opened = [
            redis_limiter(url, timeout_s=timeout_s, lease_s=lease_s, renew_s=renew_s) for _ in range(count)
        ]
        for limiter in opened:
            stack.push_async_callback(limiter.aclose)
            await limiter.start()
        yield opened


async def told(*limiters: RedisRateLimiter) -> None:
    """Returns when Redis knows of all that has ended at them."""
    for each in limiters:
        await eventually(lambda each=each: not each._moved and not each._owed)  # type: ignore[misc]  # a loop's lambda
        # One call comes after the other: with the answer to this one, those before it are through.
        (await each.take([demand("told", requests=10_000)], tokens=0)).end()


def keyed_caller(name: str, *, user: str | None = None, **limits: int) -> Caller:
    """Whoever has the key of that name, whose tenant is `acme`; or a user's token of it."""
    key = ApiKey(
        id=name,
        tenant=Tenant("acme"),
        name=name,
        hash="",
        limits=RateLimits(**limits),
        created_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )
    if user is None:
        return Caller(tenant=key.tenant, key=key)
    return Caller(tenant=key.tenant, key=key, user=user, scopes=USER_SCOPES)
