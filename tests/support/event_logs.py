"""Event logs on a Redis, started and closed."""

import contextlib
from collections.abc import AsyncIterator

import redis.asyncio

from adapters.cache.live_answer_keys import stream_key
from adapters.cache.redis_event_log import RedisEventLog
from adapters.cache.redis_link import RedisLink
from adapters.system import SystemClock
from adapters.testing.event_log_suite import ADDRESS, GatheringSink, followed
from application.ports.event_log import EventLog
from domain.answer import Delta
from domain.live_answer import Portion, Position
from domain.secret import Secret

KEY = stream_key(ADDRESS)


def redis_log(url: str, *, timeout_s: float = 5.0) -> RedisEventLog:
    return RedisEventLog(link=RedisLink(url=Secret(url), clock=SystemClock(), timeout_s=timeout_s))


@contextlib.asynccontextmanager
async def logs(url: str, count: int = 2, *, timeout_s: float = 5.0) -> AsyncIterator[list[EventLog]]:
    """Started, each as in a process of its own."""
    async with contextlib.AsyncExitStack() as stack:
        opened: list[EventLog] = [redis_log(url, timeout_s=timeout_s) for _ in range(count)]
        for log in opened:
            await log.start()
            stack.push_async_callback(log.aclose)
        yield opened


@contextlib.asynccontextmanager
async def inspected(url: str) -> "AsyncIterator[redis.asyncio.Redis]":
    async with redis.asyncio.Redis.from_url(url) as client:
        yield client


def say(log: EventLog, text: str, begins: Position = 0) -> None:
    """Publishes a text of the suite's answer."""
    log.publish(ADDRESS, Portion(begins=begins, events=(Delta(text),)))


async def reading(log: EventLog, seen: Position = 0) -> GatheringSink:
    """Follows the suite's answer, which is there."""
    sink = GatheringSink(ends=seen)
    assert await followed(log, ADDRESS, sink) is not None
    return sink
