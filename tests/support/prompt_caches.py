"""Prompt caches on a Redis, started and closed, and what their tests wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.cache.redis_link import RedisLink
from adapters.cache.redis_prompt_cache import RedisPromptCache
from adapters.system import SystemClock
from application.ports.prompt_cache import PromptCache
from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import PromptName
from domain.secret import Secret
from tests.support.waiting import HANGS_S, eventually

Heard = list[tuple[Tenant, PromptName | None]]


def redis_cache(url: str, *, timeout_s: float = 5.0) -> RedisPromptCache:
    clock = SystemClock()
    return RedisPromptCache(link=RedisLink(url=Secret(url), clock=clock, timeout_s=timeout_s), clock=clock)


@asynccontextmanager
async def replicas(
    url: str, count: int = 2, *, timeout_s: float = 5.0
) -> AsyncIterator[list[RedisPromptCache]]:
    """Started, and subscribed."""
    async with AsyncExitStack() as stack:
        caches = [redis_cache(url, timeout_s=timeout_s) for _ in range(count)]
        for cache in caches:
            heard = heard_by(cache)
            await cache.start()
            stack.push_async_callback(cache.aclose)
            await eventually(lambda heard=heard: bool(heard))  # type: ignore[misc]  # a loop's lambda
        yield caches


def heard_by(cache: PromptCache) -> Heard:
    heard: Heard = []
    cache.listen(lambda tenant, name: heard.append((tenant, name)))
    return heard


async def eventually_got(cache: PromptCache, content_hash: str) -> CompiledPrompt:
    async with asyncio.timeout(HANGS_S):
        while (prompt := await cache.get(content_hash)) is None:  # noqa: ASYNC110 - it is in Redis
            await asyncio.sleep(0.01)
    return prompt
