"""This process's connection to Redis: one client and one subscription for all that share through it."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
import redis.asyncio
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from adapters.cache.redis_guard import RedisGuard
from application.ports.clock import Clock
from domain.errors import ConfigurationError, Fault
from domain.secret import Secret
from domain.values import frozen

_log: Final = logging.getLogger("lor3.redis")
_CONNECTIONS: Final = 12
"""More than the tasks that use one at a time, so that the pool never runs dry."""
_OPERATION_TIMEOUTS: Final = 4
"""An operation may take that many times the limit of a reply: connecting and up to three round trips."""
_TURN_S: Final = 0.25
"""How soon a new channel is noticed, and how long to wait between two attempts to subscribe."""
_QUIET_S: Final = 1.0
"""A subscription that is silent for that long is asked whether it is alive."""
_DEAD_S: Final = 2.5
"""One that does not answer is half open: the far side is gone without a word. Nothing else would ever tell."""
_CANCEL_ROUNDS: Final = 4


@frozen(kw_only=True)
class _Channel:
    heard: Callable[[object], None]
    subscribed: Callable[[], None]


@attrs.define(kw_only=True, eq=False)
class RedisLink:
    """Open from the first `join` to the last `leave`. Nothing here waits for Redis.

    It makes no operation a second time: those who use it go on without, and try again when they please.
    """

    _url: Secret
    _clock: Clock
    timeout_s: float = 0.05
    """For one reply."""
    _users: set[str] = attrs.field(factory=set, init=False)
    _channels: dict[str, _Channel] = attrs.field(factory=dict, init=False)
    _client: "redis.asyncio.Redis | None" = attrs.field(default=None, init=False)
    _listening: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _was_there: bool | None = attrs.field(default=None, init=False)
    """None before the first subscription succeeded or failed."""
    _has_warned: bool = attrs.field(default=False, init=False)
    """Whether the log says that it was not there from the start."""

    @property
    def is_there(self) -> bool | None:
        """Whether Redis answers, as far as the subscription tells; None before it has told."""
        return self._was_there

    @property
    def client(self) -> "redis.asyncio.Redis":
        """
        Raises:
            OSError: nobody has joined.
        """
        if self._client is None:
            raise OSError("the connection to Redis is closed")
        return self._client

    def guard(self, *, what: str) -> RedisGuard:
        """
        Args:
            what: is not shared where Redis fails, such as `cooldowns`.
        """
        return RedisGuard(clock=self._clock, limit_s=self.timeout_s * _OPERATION_TIMEOUTS, what=what)

    def join(self, user: str) -> None:
        """
        Args:
            user: who to count, once however often it joins.

        Raises:
            ConfigurationError: the URL is not one.
        """
        if self._client is None:
            self._client = self._open()
            self._listening = asyncio.create_task(self._listen(), name="lor3-redis-listen")
        self._users.add(user)

    async def leave(self, user: str) -> None:
        self._users.discard(user)
        if self._users or self._client is None:
            return
        client, self._client = self._client, None
        listening, self._listening = self._listening, None
        self._channels.clear()
        if listening is not None:
            await end_tasks([listening])
        try:
            async with asyncio.timeout(1.0):
                await client.aclose()
        except Exception:  # whatever redis-py makes of a connection that is gone: it is closed either way
            _log.debug("closing the connection to Redis failed")

    def subscribe(
        self, channel: str, heard: Callable[[object], None], *, subscribed: Callable[[], None] = lambda: None
    ) -> None:
        """
        Args:
            heard: called with the data of each message.
            subscribed: called each time that messages arrive from here on: those of before may be lost.
        """
        self._channels[channel] = _Channel(heard=heard, subscribed=subscribed)

    def _open(self) -> "redis.asyncio.Redis":
        try:
            client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
                self._url.reveal(),
                socket_timeout=self.timeout_s,
                socket_connect_timeout=self.timeout_s * _OPERATION_TIMEOUTS,
                retry=Retry(NoBackoff(), 0),
                max_connections=_CONNECTIONS,
                # Neither HELLO nor CLIENT SETINFO: each is a round trip before the first operation.
                protocol=2,
                driver_info=None,
            )
        except (ValueError, TypeError):  # not chained: the message may quote the URL and its password
            raise ConfigurationError.of(
                Fault(path="redis.url", message="is not a Redis URL; write `redis://host:6379/0`")
            ) from None
        # A URL may ask for text, in a parameter that wins over the caller's; entries are bytes.
        client.connection_pool.connection_kwargs["decode_responses"] = False
        return client

    async def _listen(self) -> None:
        while self._client is not None:
            try:
                async with self._client.pubsub() as subscription:
                    await self._hear(subscription)
            except Exception as error:  # as in `RedisGuard.run`; cancellation passes through
                self._tell_of(error)
                await asyncio.sleep(_TURN_S)

    async def _hear(self, subscription: PubSub) -> None:
        asked: set[str] = set()
        heard_at = self._clock.monotonic()
        while self._client is not None:
            for channel in self._channels.keys() - asked:
                await subscription.subscribe(channel)
                asked.add(channel)
            if not asked:
                await asyncio.sleep(_TURN_S)
                continue
            message = await subscription.get_message(timeout=_TURN_S)
            now = self._clock.monotonic()
            if message is not None:
                heard_at = now
                self._pass_on(message)
            elif now - heard_at > _DEAD_S:
                raise TimeoutError("the subscription is silent")
            elif now - heard_at > _QUIET_S:
                await subscription.ping()

    def _tell_of(self, error: Exception) -> None:
        """Once loudly where Redis was not there from the start: nothing else may ask it for long, and so say so.

        The type alone: redis-py's messages quote the address.
        """
        was_there, self._was_there = self._was_there, False
        if was_there is not None:
            _log.debug("the subscription to Redis ended (%s)", type(error).__name__)
            return
        self._has_warned = True
        _log.warning(
            "Redis does not answer (%s); until it does, nothing is shared with other servers, and chats go on",
            type(error).__name__,
        )

    def _pass_on(self, message: dict[str, Any]) -> None:
        name, kind = message["channel"], message["type"]
        channel = self._channels.get(name.decode()) if isinstance(name, bytes) else None
        if channel is None:
            return
        try:
            if kind == "subscribe":
                if self._has_warned:
                    self._has_warned = False
                    _log.warning("Redis answers; what servers share is shared from now on")
                self._was_there = True
                channel.subscribed()
            elif kind == "message":
                channel.heard(message["data"])
        except Exception:  # a listener's fault is not the connection's
            _log.exception("a listener failed")


async def end_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels and awaits them, for two seconds at most."""
    for _ in range(_CANCEL_ROUNDS):
        # More than once: where leaving a connection fails, redis-py raises that in place of the cancellation.
        alive = [task for task in tasks if not task.done()]
        for task in alive:
            task.cancel()
        if alive:
            await asyncio.wait(alive, timeout=0.5)
