"""One chat at a time in a thread, on all replicas that share a Redis, and in this process without it."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias

import attrs

from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_link import RedisLink, end_tasks
from adapters.cache.thread_lease import (
    ASK,
    CHANNEL,
    LEASE_S,
    PLACE_S,
    RELEASE,
    RENEW,
    RENEW_S,
    keys_of,
)
from application.ports.randomness import Randomness
from application.ports.thread_gate import ThreadGate
from domain.ids import Tenant, ThreadId
from domain.thread_queue import ThreadQueuePolicy

_Keys: TypeAlias = tuple[str, str, str]
_USER: Final = "threads"
_ASK_AGAIN_S: Final = 0.25
"""The turn is announced; asking again makes up for what is lost, and keeps the place."""
_BATCH: Final = 64
_ANSWERS: Final = {0: False, 1: True}
"""Anything else is no answer of the script."""
_LEASE_MS: Final = str(round(LEASE_S * 1000))
_PLACE_MS: Final = str(round(PLACE_S * 1000))


@attrs.define(kw_only=True, eq=False)
class RedisThreadGate:
    """The first in the queue of this process asks Redis for the thread; see `thread_lease.py`.

    One task talks to Redis, for all chats of the moment in one round trip; a chat waits for it as long as one reply
    may take, then goes on with the turn that it has in this process. A lease that lapses under a process that was
    stopped lets another chat in beside its own, which costs their order and nothing else. Giving a turn back waits
    for nothing. Operations are bounded in time, and after five failures in a row Redis is left alone for five
    seconds.
    """

    _local: ThreadGate
    _link: RedisLink
    _randomness: Randomness
    _policy: ThreadQueuePolicy = ThreadQueuePolicy()
    _token: str = attrs.field(factory=lambda: secrets.token_hex(16), init=False)
    _guard: RedisGuard = attrs.field(init=False)
    _held: dict[str, _Keys] = attrs.field(factory=dict, init=False)
    _asked: dict[str, tuple[_Keys, asyncio.Future[bool | None]]] = attrs.field(factory=dict, init=False)
    _given_back: dict[str, _Keys] = attrs.field(factory=dict, init=False)
    _turns: dict[str, asyncio.Event] = attrs.field(factory=dict, init=False)
    """Of those that wait for another process."""
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _talking: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _running: bool = attrs.field(default=False, init=False)

    @_guard.default
    def _new_guard(self) -> RedisGuard:
        return self._link.guard(what="turns in threads")

    def hold(self, tenant: Tenant, thread_id: ThreadId) -> AbstractAsyncContextManager[None]:
        return _Hold(self, self._local.hold(tenant, thread_id), keys_of(tenant, thread_id))

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: the URL is not one.
        """
        if self._running:
            return
        await self._local.start()
        self._link.join(_USER)
        self._running = True
        self._link.subscribe(CHANNEL, self._hear)
        self._talking = asyncio.create_task(self._talk(), name="lor3-threads-talk")

    async def aclose(self) -> None:
        """Gives back what is held, if Redis is quick: else others wait for the lease to lapse."""
        if not self._running:
            return
        self._running = False
        if self._talking is not None:
            await end_tasks([self._talking])
            self._talking = None
        self._given_back.update(self._held)
        self._held.clear()
        self._answer_all(None)
        try:
            async with asyncio.timeout(self._link.timeout_s * 8):
                while self._has_something_to_say() and await self._guard.run(self._exchange):
                    pass
        except TimeoutError:
            self._given_back.clear()
        await self._link.leave(_USER)
        await self._local.aclose()

    async def _enter(self, keys: _Keys, until: float) -> None:
        """
        Args:
            until: the loop's time at which the wait is over.
        """
        loop = asyncio.get_running_loop()
        key = keys[0]
        try:
            while await self._ask(keys) is False:
                if (refusal := self._policy.refusal(0)) is not None:
                    raise refusal
                pause = min(_ASK_AGAIN_S * (0.75 + 0.5 * self._randomness.fraction()), until - loop.time())
                if pause <= 0:
                    raise self._policy.waited_too_long()
                await self._turn_or(pause, key)
        except BaseException:
            self._leave(keys)  # its place in the queue, or a turn that came too late
            raise
        self._held[key] = keys

    async def _ask(self, keys: _Keys) -> bool | None:
        """Whether the turn is this process's; None where Redis does not say."""
        if not self._running or self._guard.is_open:
            return None
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self._asked[keys[0]] = (keys, answer)
        self._wake.set()
        done, _ = await asyncio.wait([answer], timeout=self._link.timeout_s)
        self._asked.pop(keys[0], None)
        return answer.result() if done else None

    async def _turn_or(self, pause_s: float, key: str) -> None:
        turn = self._turns[key] = asyncio.Event()
        try:
            async with asyncio.timeout(pause_s):
                await turn.wait()
        except TimeoutError:
            pass  # nobody said so, which need not mean that it is not so
        finally:
            del self._turns[key]

    def _leave(self, keys: _Keys) -> None:
        key = keys[0]
        self._held.pop(key, None)
        self._asked.pop(key, None)
        if self._running:
            self._given_back[key] = keys
            self._wake.set()

    def _hear(self, data: object) -> None:
        if not isinstance(data, bytes):
            return
        token, _, key = data.decode("utf-8", "replace").partition(" ")
        if token == self._token and key in self._turns:
            self._turns[key].set()

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW_S
        while self._running:
            try:
                async with asyncio.timeout_at(renew_at):
                    await self._wake.wait()
            except TimeoutError:
                renew_at = loop.time() + RENEW_S
                await self._renew_all()
            self._wake.clear()
            while self._has_something_to_say():
                if not await self._guard.run(self._exchange):
                    self._answer_all(None)
                    if self._guard.is_open:
                        # It lapses by itself, or the next chat here has it at once: one token for the process.
                        self._given_back.clear()

    def _has_something_to_say(self) -> bool:
        for key in self._given_back.keys() & self._held.keys():
            del self._given_back[key]  # the next chat here has it, and gives it back in its time
        return bool(self._asked or self._given_back)

    async def _exchange(self) -> None:
        """Gives back first: the next chat of a thread may have asked already, and stands behind other processes."""
        given = dict(list(self._given_back.items())[:_BATCH])
        asked = dict(list(self._asked.items())[:_BATCH])
        takes_a_place = "1" if self._policy.refusal(0) is None else "0"
        async with self._link.client.pipeline(transaction=False) as pipe:
            for keys in given.values():
                pipe.execute_command("EVAL", RELEASE, 3, *keys, self._token, CHANNEL)
            for keys, _ in asked.values():
                pipe.execute_command("EVAL", ASK, 3, *keys, self._token, _LEASE_MS, _PLACE_MS, takes_a_place)
            replies = await pipe.execute(raise_on_error=False)
        for key, keys in given.items():
            if self._given_back.get(key) is keys:
                del self._given_back[key]
        self._settle(asked, replies[len(given) :])
        for reply in replies:
            if isinstance(reply, Exception) and not str(reply).startswith("WRONGTYPE"):
                raise reply  # Redis refuses to serve: OOM, READONLY, LOADING

    def _settle(
        self, asked: Mapping[str, tuple[_Keys, asyncio.Future[bool | None]]], replies: list[Any]
    ) -> None:
        for (key, entry), reply in zip(asked.items(), replies, strict=True):
            if self._asked.get(key) is entry:
                del self._asked[key]
            if not entry[1].done():
                entry[1].set_result(_ANSWERS.get(reply) if isinstance(reply, int) else None)

    def _answer_all(self, said: bool | None) -> None:
        while self._asked:
            _, (_, answer) = self._asked.popitem()
            if not answer.done():
                answer.set_result(said)

    async def _renew_all(self) -> None:
        held = list(self._held.values())
        for start in range(0, len(held), _BATCH):
            if not await self._guard.run(lambda batch=held[start : start + _BATCH]: self._renew(batch)):  # type: ignore[misc]  # mypy can't infer a lambda with a default
                return

    async def _renew(self, batch: list[_Keys]) -> None:
        async with self._link.client.pipeline(transaction=False) as pipe:
            for keys in batch:
                pipe.execute_command("EVAL", RENEW, 3, *keys, self._token, _LEASE_MS)
            await pipe.execute()


class _Hold:
    __slots__ = ("_gate", "_keys", "_local")

    def __init__(self, gate: RedisThreadGate, local: AbstractAsyncContextManager[None], keys: _Keys) -> None:
        self._gate = gate
        self._local = local
        self._keys = keys

    async def __aenter__(self) -> None:
        until = asyncio.get_running_loop().time() + self._gate._policy.max_wait_s  # noqa: SLF001 - a part of the gate
        await self._local.__aenter__()
        try:
            await self._gate._enter(self._keys, until)  # noqa: SLF001 - as above
        except BaseException as error:
            await self._local.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._gate._leave(self._keys)  # noqa: SLF001 - as above
        await self._local.__aexit__(None, None, None)
