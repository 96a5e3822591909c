"""Cooldowns that all replicas share through Redis, and live without it."""

import asyncio
import json
import math
from typing import Any, Final, cast, get_args

import attrs
import redis.asyncio

from adapters.cache.json_object import decoded_object
from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_link import RedisLink, end_tasks
from application.ports.clock import Clock
from application.ports.cooldown_board import Cooldown
from domain.errors import FailureKind
from domain.routing.closed_routes import MAX_ROUTES, ClosedRoutes

_PREFIX: Final = "lor3:{cooldown}:"
"""The hash tag keeps all keys in one slot of a cluster, so that one MGET reads them."""
_INDEX: Final = f"{_PREFIX}routes"
_CHANNEL: Final = f"{_PREFIX}closed"
_USER: Final = "cooldowns"
_KINDS: Final = frozenset(get_args(FailureKind))
_MAX_S: Final = 3600.0
"""The longest cooldown taken over from others; longer ones are garbage."""
_MAX_PENDING: Final = 1_000


@attrs.define(kw_only=True)
class RedisCooldownBoard:
    """Answers from a dict of its own; Redis is written and read behind it, by a task.

    A closed route is stored as `lor3:{cooldown}:<route>` = `{"v": 1, "kind": …, "until_ms": …}` with PX, noted in
    a sorted set by its end and published. Others take it over from the message, and once a second from the sorted
    set, which heals after a lost message or an outage. Ends are in Redis's time: a replica's wall clock never
    counts. Operations are bounded in time, and after five failures in a row Redis is left alone for five seconds.
    What is not understood is ignored. Nothing here raises or waits but `start` and `aclose`, and those are bounded.
    """

    _link: RedisLink
    _clock: Clock
    _interval_s: float = 1.0
    _guard: RedisGuard = attrs.field(init=False)
    _closed: ClosedRoutes = attrs.field(factory=ClosedRoutes, init=False)
    _pending: dict[str, tuple[float, FailureKind]] = attrs.field(factory=dict, init=False)
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _sharing: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    @_guard.default
    def _new_guard(self) -> RedisGuard:
        return self._link.guard(what="cooldowns")

    def active(self, route: str) -> Cooldown | None:
        closed = self._closed.remaining(route, self._clock.monotonic())
        return None if closed is None else Cooldown(route=route, remaining_s=closed[0], kind=closed[1])

    def close_route(self, route: str, kind: FailureKind, *, for_s: float) -> None:
        now = self._clock.monotonic()
        if self._closed.close(route, kind, for_s=for_s, now=now) and len(self._pending) < _MAX_PENDING:
            self._pending[route] = (now + for_s, kind)
            self._wake.set()

    async def start(self) -> None:
        """Reads once what others have closed, where Redis answers in time, and starts sharing.

        Raises:
            ConfigurationError: the URL is not one.
        """
        self._link.join(_USER)
        self._link.subscribe(_CHANNEL, self._hear)
        await self._guard.run(self._read)
        self._sharing = asyncio.create_task(self._share(), name="lor3-cooldowns-share")

    async def aclose(self) -> None:
        sharing, self._sharing = self._sharing, None
        if sharing is not None:
            await end_tasks([sharing])
        await self._link.leave(_USER)

    async def _share(self) -> None:
        """Writes what is closed here, at once; reads what is closed elsewhere, once an interval."""
        next_read = self._clock.monotonic() + self._interval_s
        while self._sharing is not None:
            try:
                async with asyncio.timeout(max(next_read - self._clock.monotonic(), 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                next_read = self._clock.monotonic() + self._interval_s
                await self._guard.run(self._read)
            self._wake.clear()
            if self._pending and not await self._guard.run(self._write):
                await asyncio.sleep(self._interval_s / 4)  # keeps what is pending for the next round

    async def _write(self) -> None:
        client = self._link.client
        now_ms = await self._now_ms(client)
        pending, now = dict(self._pending), self._clock.monotonic()
        async with client.pipeline(transaction=False) as pipe:
            for route, (until, kind) in pending.items():
                left_ms = math.ceil((until - now) * 1000)
                if left_ms <= 0:
                    continue
                entry = json.dumps({"v": 1, "route": route, "kind": kind, "until_ms": now_ms + left_ms})
                pipe.set(f"{_PREFIX}{route}", entry, px=left_ms)
                pipe.zadd(_INDEX, {route: now_ms + left_ms}, gt=True)
                pipe.publish(_CHANNEL, json.dumps({"v": 1, "route": route, "kind": kind, "left_ms": left_ms}))
            pipe.zremrangebyscore(_INDEX, "-inf", now_ms)
            pipe.pexpire(_INDEX, math.ceil(_MAX_S * 1000))
            await pipe.execute()
        for route, entry_written in pending.items():
            if self._pending.get(route) == entry_written:
                del self._pending[route]

    async def _read(self) -> None:
        client = self._link.client
        now_ms = await self._now_ms(client)
        routes: list[Any] = await client.zrangebyscore(_INDEX, now_ms, "+inf", start=0, num=MAX_ROUTES)
        if not routes:
            return
        for value in await client.mget([_PREFIX.encode() + bytes(route) for route in routes]):
            entry = decoded_object(value)
            until_ms = entry.get("until_ms")
            if isinstance(until_ms, int):
                self._take_over(entry, until_ms - now_ms)

    def _hear(self, data: object) -> None:
        """Takes over a route as it is published. The periodic read makes up for what is lost."""
        entry = decoded_object(data)
        self._take_over(entry, entry.get("left_ms"))

    def _take_over(self, entry: dict[str, Any], left_ms: object) -> None:
        route, kind = entry.get("route"), entry.get("kind")
        if entry.get("v") != 1 or not isinstance(route, str) or not isinstance(kind, str):
            return
        if kind not in _KINDS:
            return
        if isinstance(left_ms, int) and not isinstance(left_ms, bool) and 0 < left_ms <= _MAX_S * 1000:
            self._closed.close(
                route, cast("FailureKind", kind), for_s=left_ms / 1000, now=self._clock.monotonic()
            )

    @staticmethod
    async def _now_ms(client: "redis.asyncio.Redis") -> int:
        seconds, microseconds = await client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
