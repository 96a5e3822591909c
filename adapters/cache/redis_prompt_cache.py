"""Compiled prompts that all replicas share through Redis, and live without it."""

import asyncio
import json
import logging
from functools import partial
from itertools import islice
from typing import Any, Final

import attrs
from redis.exceptions import ResponseError

from adapters.cache.json_object import decoded_object
from adapters.cache.prompt_entry import MAX_BYTES, packed, unpacked
from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_link import RedisLink, end_tasks
from application.ports.clock import Clock
from application.ports.prompt_cache import Listener
from domain.errors import InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiled_codec import SCHEMA
from domain.prompt.reference import PromptName, prompt_name

_log: Final = logging.getLogger("lor3.prompts")
_PREFIX: Final = f"lor3:{{prompt}}:compiled:{SCHEMA}:"
"""The hash tag keeps all keys in one slot of a cluster, so that one pipeline reads them."""
_CHANNEL: Final = "lor3:{prompt}:changed"
_USER: Final = "prompts"
_TTL_S: Final = 7 * 24 * 3600
_MAX_WANTED: Final = 1_000
_BATCH: Final = 16
"""Entries read at once, each up to `MAX_BYTES`."""
_IN_THREAD_BYTES: Final = 16 * 1024
"""Decoding more than that would hold up the event loop for a millisecond or more."""
_MAX_PENDING: Final = 128
_MAX_WORDS: Final = 1_000
_WORD_TTL_S: Final = 10.0
"""By then every replica has looked for itself."""
_RETRY_S: Final = 0.25


@attrs.define(kw_only=True, eq=False)
class RedisPromptCache:
    """Redis is read by one task and written by another; callers wait for the first `redis.timeout_s` at most.

    An entry is `lor3:{prompt}:compiled:<schema>:<content hash>`, see `prompt_entry.py`, and is kept for seven days.
    That a prompt changed is published as `{"v": 1, "tenant": …, "name": …}`, where a name of null means any. What
    can't be written while Redis is away is kept for when it is back: entries up to a number, words for ten seconds.
    Operations are bounded in time, and after five failures in a row Redis is left alone for five seconds.
    """

    _link: RedisLink
    _clock: Clock
    _reads: RedisGuard = attrs.field(init=False)
    _writes: RedisGuard = attrs.field(init=False)
    _notices: RedisGuard = attrs.field(init=False)
    _listeners: list[Listener] = attrs.field(factory=list, init=False)
    _wanted: dict[str, asyncio.Future[CompiledPrompt | None]] = attrs.field(factory=dict, init=False)
    _pending: dict[str, CompiledPrompt] = attrs.field(factory=dict, init=False)
    _words: dict[tuple[Tenant, PromptName | None], float] = attrs.field(factory=dict, init=False)
    """Each with the moment that it is dropped."""
    _wake_reader: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _wake_writer: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _tasks: tuple[asyncio.Task[None], ...] = attrs.field(default=(), init=False)
    _running: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._reads = self._link.guard(what="compiled prompts")
        self._writes = self._link.guard(what="newly compiled prompts")
        self._notices = self._link.guard(what="changes of prompts")

    async def get(self, content_hash: str) -> CompiledPrompt | None:
        """Callers never hold a connection: one that gives up, or is cancelled, leaves none in disorder."""
        if not self._running or self._reads.is_open:
            return None
        waiting = self._wanted.get(content_hash)
        if waiting is None:
            if len(self._wanted) >= _MAX_WANTED:
                return None
            waiting = asyncio.get_running_loop().create_future()
            self._wanted[content_hash] = waiting
            self._wake_reader.set()
        done, _ = await asyncio.wait([waiting], timeout=self._link.timeout_s)
        return waiting.result() if done else None

    def put(self, prompt: CompiledPrompt) -> None:
        self._pending.pop(prompt.hash, None)
        if len(self._pending) >= _MAX_PENDING:
            del self._pending[next(iter(self._pending))]
            _log.debug("a compiled prompt is not shared: too many wait to be written")
        self._pending[prompt.hash] = prompt
        self._wake_writer.set()

    def announce(self, tenant: Tenant, name: PromptName) -> None:
        if len(self._words) >= _MAX_WORDS:
            self._words = {word: until for word, until in self._words.items() if word[0] != tenant}
            self._words[tenant, None] = self._clock.monotonic() + _WORD_TTL_S
        elif (tenant, None) not in self._words:
            self._words[tenant, name] = self._clock.monotonic() + _WORD_TTL_S
        self._wake_writer.set()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: the URL is not one.
        """
        if self._running:
            return
        self._link.join(_USER)
        self._running = True
        self._link.subscribe(_CHANNEL, self._hear, subscribed=partial(self._tell, DEFAULT_TENANT, None))
        self._tasks = (
            asyncio.create_task(self._read(), name="lor3-prompts-read"),
            asyncio.create_task(self._write(), name="lor3-prompts-write"),
        )

    async def aclose(self) -> None:
        """Says and writes what is pending, if Redis is quick: a command may end as soon as it changed a prompt."""
        if not self._running:
            return
        self._running = False
        await end_tasks(self._tasks)
        try:
            async with asyncio.timeout(self._link.timeout_s * 8):
                await self._flush()
        except TimeoutError:
            _log.debug("Redis is too slow to take what was pending")
        await self._link.leave(_USER)

    async def _read(self) -> None:
        try:
            while self._running:
                await self._wake_reader.wait()
                self._wake_reader.clear()
                while self._wanted:
                    await self._read_batch()
        finally:
            while self._wanted:
                self._answer(next(iter(self._wanted)), None)

    async def _read_batch(self) -> None:
        hashes = tuple(islice(self._wanted, _BATCH))
        values: list[Any] = []
        await self._reads.run(partial(self._fetch, hashes, values))
        for content_hash, value in zip(hashes, values or [None] * len(hashes), strict=True):
            if isinstance(value, bytes) and len(value) > _IN_THREAD_BYTES:
                prompt = await asyncio.to_thread(unpacked, value, content_hash)
            else:
                prompt = unpacked(value, content_hash)
            self._answer(content_hash, prompt)
            await asyncio.sleep(0)  # others get their turn between two of a batch

    def _answer(self, content_hash: str, prompt: CompiledPrompt | None) -> None:
        waiting = self._wanted.pop(content_hash)
        if not waiting.done():
            waiting.set_result(prompt)

    async def _fetch(self, hashes: tuple[str, ...], values: list[Any]) -> None:
        async with self._link.client.pipeline(transaction=False) as pipe:
            for content_hash in hashes:
                # One byte more than an entry may have tells that it is too large, and is all that is read of it.
                pipe.getrange(_PREFIX + content_hash, 0, MAX_BYTES)
            found = await pipe.execute(raise_on_error=False)
        for value in found:
            if isinstance(value, Exception) and not str(value).startswith("WRONGTYPE"):
                raise value  # Redis refuses to serve; a key of another type is a miss like other garbage
        values.extend(found)

    async def _write(self) -> None:
        while self._running:
            await self._wake_writer.wait()
            self._wake_writer.clear()
            if not await self._flush():
                await asyncio.sleep(_RETRY_S)
                self._wake_writer.set()

    async def _flush(self) -> bool:
        """Whether nothing is left. Words go first: others wait for them."""
        now = self._clock.monotonic()
        self._words = {word: until for word, until in self._words.items() if until > now}
        told = not self._words or await self._notices.run(self._publish)
        return await self._store_all() and told

    async def _publish(self) -> None:
        words, self._words = self._words, {}
        said = False
        try:
            async with self._link.client.pipeline(transaction=False) as pipe:
                for tenant, name in words:
                    pipe.publish(_CHANNEL, json.dumps({"v": 1, "tenant": tenant, "name": name}))
                await pipe.execute()
            said = True
        finally:
            if not said:
                self._words = words | self._words

    async def _store_all(self) -> bool:
        while self._pending:
            if self._writes.is_open:
                return False
            content_hash, prompt = next(iter(self._pending.items()))
            value = await asyncio.to_thread(packed, prompt)
            if value is None:
                _log.debug("a compiled prompt is not shared: it does not fit")
            elif not await self._writes.run(partial(self._store, content_hash, value)):
                return False
            self._pending.pop(content_hash, None)
        return True

    async def _store(self, content_hash: str, value: bytes) -> None:
        try:
            await self._link.client.set(_PREFIX + content_hash, value, ex=_TTL_S)
        except ResponseError:  # such as OOM and READONLY: trying this one again would only hold up the others
            self._pending.pop(content_hash, None)
            raise

    def _hear(self, data: object) -> None:
        word = decoded_object(data)
        tenant, name = word.get("tenant"), word.get("name", "")
        if word.get("v") != 1 or not isinstance(tenant, str) or not isinstance(name, str | None):
            return
        try:
            self._tell(Tenant(tenant), None if name is None else prompt_name(name))
        except InvalidRequest:
            _log.debug("a word about a prompt is not understood")

    def _tell(self, tenant: Tenant, name: PromptName | None) -> None:
        for listener in tuple(self._listeners):
            listener(tenant, name)
