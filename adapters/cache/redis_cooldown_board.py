"""Cooldowns that all replicas share through Redis, and live without it."""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable
from typing import Any, Final, cast, get_args

import attrs
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from application.ports.clock import Clock
from application.ports.cooldown_board import Cooldown
from domain.errors import ConfigurationError, FailureKind, Fault
from domain.routing.closed_routes import MAX_ROUTES, ClosedRoutes
from domain.secret import Secret

_log: Final = logging.getLogger("lor3.cooldowns")
_PREFIX: Final = "lor3:{cooldown}:"
"""The hash tag keeps all keys in one slot of a cluster, so that one MGET reads them."""
_INDEX: Final = f"{_PREFIX}routes"
_CHANNEL: Final = f"{_PREFIX}closed"
_KINDS: Final = frozenset(get_args(FailureKind))
_MAX_S: Final = 3600.0
"""The longest cooldown taken over from others; longer ones are garbage."""
_MAX_PENDING: Final = 1_000
_BREAKER_FAILURES: Final = 5
_BREAKER_OPEN_S: Final = 5.0
_CANCEL_ROUNDS: Final = 4


@attrs.define(kw_only=True)
class RedisCooldownBoard:
    """Answers from a dict of its own; Redis is written and read behind it, by two tasks.

    A closed route is stored as `lor3:{cooldown}:<route>` = `{"v": 1, "kind": …, "until_ms": …}` with PX, noted in
    a sorted set by its end and published. Others take it over from the message, and once a second from the sorted
    set, which heals after a lost message or an outage. Ends are in Redis's time: a replica's wall clock never
    counts. Each operation has `timeout_s`; after five failures in a row Redis is left alone for five seconds. What
    is not understood is ignored. Nothing here raises or waits but `start` and `aclose`, and those are bounded.
    """

    _url: Secret
    _clock: Clock
    _timeout_s: float = 0.05
    _interval_s: float = 1.0
    _closed: ClosedRoutes = attrs.field(factory=ClosedRoutes, init=False)
    _pending: dict[str, tuple[float, FailureKind]] = attrs.field(factory=dict, init=False)
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _tasks: list[asyncio.Task[None]] = attrs.field(factory=list, init=False)
    _client: "redis.asyncio.Redis | None" = attrs.field(default=None, init=False)
    _closing: bool = attrs.field(default=False, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _open_until: float = attrs.field(default=0.0, init=False)

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
        self._closing = False
        try:
            self._client = redis.asyncio.Redis.from_url(
                self._url.reveal(),
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                max_connections=4,
            )
        except (ValueError, TypeError):  # not chained: the message may quote the URL and its password
            raise ConfigurationError.of(
                Fault(path="redis.url", message="is not a Redis URL; write `redis://host:6379/0`")
            ) from None
        await self._guarded(self._read())
        self._tasks = [
            asyncio.create_task(self._share(), name="lor3-cooldowns-share"),
            asyncio.create_task(self._listen(), name="lor3-cooldowns-listen"),
        ]

    async def aclose(self) -> None:
        self._closing = True
        for _ in range(_CANCEL_ROUNDS):
            # More than once: where leaving a connection fails, redis-py raises that in place of the cancellation.
            alive = [task for task in self._tasks if not task.done()]
            for task in alive:
                task.cancel()
            if alive:
                await asyncio.wait(alive, timeout=0.5)
        self._tasks = []
        client, self._client = self._client, None
        if client is not None:
            try:
                async with asyncio.timeout(1.0):
                    await client.aclose()
            except Exception:  # as above
                _log.debug("closing the connection to Redis failed")

    async def _share(self) -> None:
        """Writes what is closed here, at once; reads what is closed elsewhere, once an interval."""
        next_read = self._clock.monotonic() + self._interval_s
        while not self._closing:
            try:
                async with asyncio.timeout(max(next_read - self._clock.monotonic(), 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                next_read = self._clock.monotonic() + self._interval_s
                await self._guarded(self._read())
            self._wake.clear()
            if self._pending and not await self._guarded(self._write()):
                await asyncio.sleep(self._interval_s / 4)  # keeps what is pending for the next round

    async def _guarded(self, operation: Awaitable[None]) -> bool:
        """Runs one operation inside the time limit and the breaker; says whether it succeeded."""
        if self._clock.monotonic() < self._open_until:
            if asyncio.iscoroutine(operation):
                operation.close()
            return False
        try:
            async with asyncio.timeout(self._timeout_s * 4):  # connecting and up to three round trips
                await operation
        except (
            Exception
        ) as error:  # whatever redis-py makes of an outage or of garbage: chats go on without it
            self._failures += 1
            if self._failures == _BREAKER_FAILURES:
                # The type alone: redis-py's messages quote the address.
                _log.warning(
                    "Redis does not answer (%s); cooldowns are not shared for now", type(error).__name__
                )
            if self._failures >= _BREAKER_FAILURES:
                self._open_until = self._clock.monotonic() + _BREAKER_OPEN_S
            return False
        if self._failures >= _BREAKER_FAILURES:
            _log.warning("Redis answers again; cooldowns are shared")
        self._failures = 0
        return True

    async def _write(self) -> None:
        client = self._connected()
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
        client = self._connected()
        now_ms = await self._now_ms(client)
        routes: list[Any] = await client.zrangebyscore(_INDEX, now_ms, "+inf", start=0, num=MAX_ROUTES)
        if not routes:
            return
        for value in await client.mget([_PREFIX.encode() + bytes(route) for route in routes]):
            entry = _decoded(value)
            until_ms = entry.get("until_ms")
            if isinstance(until_ms, int):
                self._take_over(entry, until_ms - now_ms)

    async def _listen(self) -> None:
        """Takes over closed routes as they are published. The periodic read makes up for what it misses."""
        while not self._closing:
            client = self._connected()
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(_CHANNEL)
                    while True:
                        message = await subscription.get_message(timeout=self._interval_s)
                        if message is not None:
                            entry = _decoded(message.get("data"))
                            self._take_over(entry, entry.get("left_ms"))
            except Exception:  # as in `_guarded`; cancellation passes through
                await asyncio.sleep(self._interval_s)

    def _take_over(self, entry: dict[str, Any], left_ms: object) -> None:
        route, kind = entry.get("route"), entry.get("kind")
        if entry.get("v") != 1 or not isinstance(route, str) or kind not in _KINDS:
            return
        if isinstance(left_ms, int) and not isinstance(left_ms, bool) and 0 < left_ms <= _MAX_S * 1000:
            self._closed.close(
                route, cast("FailureKind", kind), for_s=left_ms / 1000, now=self._clock.monotonic()
            )

    def _connected(self) -> "redis.asyncio.Redis":
        if self._client is None:
            raise OSError("the board is closed")
        return self._client

    @staticmethod
    async def _now_ms(client: "redis.asyncio.Redis") -> int:
        seconds, microseconds = await client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000


def _decoded(value: object) -> dict[str, Any]:
    """The JSON object in `value`; an empty one for anything else: an old schema and garbage are a miss."""
    if not isinstance(value, bytes | str) or len(value) > 10_000:
        return {}
    try:
        entry = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
