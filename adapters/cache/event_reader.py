"""Reads the answers of other processes from Redis, for all who follow one in this process at once."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from adapters.cache.asked_codec import decode_asked
from adapters.cache.event_codec import FIELD, is_end
from adapters.cache.followed_answer import AWAY, CLOSING, START, Entry, FollowedAnswer
from adapters.cache.live_answer_keys import GONE_S, LEASE_S, name_key, stream_key
from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_link import RedisLink
from application.ports.event_log import AnswerAddress, PortionSink
from domain.answer import ChatAdmitted
from domain.errors import AnswerUnknown
from domain.ids import MessageId, Tenant
from domain.values import frozen

_log: Final = logging.getLogger("lor3.redis")
_FAST_S: Final = 0.025
_SLOW_S: Final = 0.25
"""What the pause between two looks grows to while nobody has any news."""
_SLOWER: Final = 1.5
_BATCH: Final = 32
_ENTRIES: Final = 32
"""Of one answer in one look."""
_SURE_S: Final = 1.0
"""An answer without news for so long is asked whether it is still there."""
_PATIENCE: Final = 10
"""Limits of a reply that whoever looks for an answer waits, at the very most."""
_NOT_ASKED: Final = (
    "it is not known whether the answer is being made: Redis, by which servers know of one another's answers,"
    " does not say; ask again in a while"
)
_ID: Final = re.compile(rb"[0-9a-fA-F-]{36}\Z")


@attrs.define(kw_only=True, eq=False)
class _Look:
    """What was found of some answers."""

    news: dict[str, list[Entry]] = attrs.field(factory=dict)
    there: list[str] = attrs.field(factory=list)
    lost: list[str] = attrs.field(factory=list)


@frozen
class _Found:
    message_id: MessageId | None


@attrs.define(kw_only=True, eq=False)
class EventReader:
    """One task looks for news of all answers in one round trip, often while there are some."""

    _link: RedisLink
    _guard: RedisGuard = attrs.field(init=False)
    _followed: list[FollowedAnswer] = attrs.field(factory=list, init=False)
    _fresh: list[FollowedAnswer] = attrs.field(factory=list, init=False)
    """Not looked for yet."""
    _asked: "dict[str, asyncio.Future[_Found | None]]" = attrs.field(factory=dict, init=False)
    """By key; None where Redis did not say."""
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    @_guard.default
    def _new_guard(self) -> RedisGuard:
        return self._link.guard(what="answers of other servers")

    async def find(self, tenant: Tenant, name: str) -> MessageId | None:
        """
        Raises:
            AnswerUnknown: Redis does not say.
        """
        if self._guard.is_open:
            raise AnswerUnknown(_NOT_ASKED)
        key = name_key(tenant, name)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.get_running_loop().create_future()
            self._wake.set()
        done, _ = await asyncio.wait([asked], timeout=self._link.timeout_s * _PATIENCE)
        found = asked.result() if done else None
        if found is None:
            raise AnswerUnknown(_NOT_ASKED)
        return found.message_id

    async def asked(self, tenant: Tenant, name: str) -> ChatAdmitted | None:
        try:
            message_id = await self.find(tenant, name)
        except AnswerUnknown:
            return None
        if message_id is None:
            return None
        found: list[ChatAdmitted | None] = []
        await self._guard.run(partial(self._ends, stream_key(AnswerAddress(tenant, message_id)), found))
        asked = found[0] if found else None
        return asked if asked is not None and asked.message_id == message_id else None

    async def follow(self, address: AnswerAddress, into: PortionSink) -> FollowedAnswer | None:
        """
        Raises:
            AnswerUnknown: Redis does not say whether there is such an answer.
        """
        if self._guard.is_open:
            raise AnswerUnknown(_NOT_ASKED)
        loop = asyncio.get_running_loop()
        followed = FollowedAnswer(
            key=stream_key(address), sink=into, is_known=loop.create_future(), heard_at=loop.time()
        )
        self._fresh.append(followed)
        self._wake.set()
        try:
            done, _ = await asyncio.wait([followed.is_known], timeout=self._link.timeout_s * _PATIENCE)
        except asyncio.CancelledError:
            followed.close()
            raise
        is_known = followed.is_known.result() if done else None
        if is_known or (not done and followed.has_begun):
            if not done:
                followed.is_known.set_result(True)  # the rest is on its way
            return followed
        followed.close()
        if is_known is None:
            raise AnswerUnknown(_NOT_ASKED)
        return None

    async def read(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        pause, due = _FAST_S, loop.time()
        while True:
            await self._request_or(due)
            if self._asked:
                await self._find_all()
            fresh, self._fresh = self._fresh, []
            is_due = loop.time() >= due
            has_news = await self._read_all([*self._followed, *fresh] if is_due else fresh)
            self._followed = [each for each in (*self._followed, *fresh) if each.is_open]
            if has_news:
                pause, due = _FAST_S, min(due, loop.time() + _FAST_S)
            elif is_due:
                pause = min(pause * _SLOWER, _SLOW_S)
            if is_due:
                due = loop.time() + pause

    def clear(self) -> None:
        """Ends all that are under way."""
        for followed in (*self._followed, *self._fresh):
            _hand_on(followed, partial(followed.lose, CLOSING))
        self._followed.clear()
        self._fresh.clear()
        while self._asked:
            _, asked = self._asked.popitem()
            if not asked.done():
                asked.set_result(None)

    async def _request_or(self, due: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due if self._followed else None):
                await self._wake.wait()
        self._wake.clear()

    async def _find_all(self) -> None:
        asked, self._asked = self._asked, {}
        values: list[Any] = []
        await self._guard.run(partial(self._get, list(asked), values))
        for future, value in zip(asked.values(), values or [None] * len(asked), strict=True):
            if not future.done():
                is_id = isinstance(value, bytes) and _ID.match(value) is not None
                found = _Found(MessageId(value.decode()) if is_id else None)
                future.set_result(found if values else None)

    async def _get(self, keys: list[str], values: list[Any]) -> None:
        async with self._link.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.execute_command("GET", key)
            found = await pipe.execute(raise_on_error=False)
        _raise_refusal(found)
        values.extend(found)

    async def _ends(self, key: str, found: list[ChatAdmitted | None]) -> None:
        """What stands at the beginning of a stream, unless its end has come."""
        async with self._link.client.pipeline(transaction=False) as pipe:
            pipe.execute_command("XRANGE", key, "-", "+", "COUNT", 1)
            pipe.execute_command("XREVRANGE", key, "+", "-", "COUNT", 1)
            replies = await pipe.execute(raise_on_error=False)
        _raise_refusal(replies)
        first, last = (_value(reply) for reply in replies)
        found.append(None if is_end(last) else decode_asked(first))

    async def _read_all(self, followed: Sequence[FollowedAnswer]) -> bool:
        """Whether there was any news."""
        has_news, left = False, [each for each in followed if each.is_open]
        while left:
            batch: dict[str, FollowedAnswer] = {}
            later: list[FollowedAnswer] = []
            for each in left:  # of two that follow one stream, at different places, the second has to wait
                if each.is_open and (len(batch) == _BATCH or each.key in batch):
                    later.append(each)
                elif each.is_open:
                    batch[each.key] = each
            look = _Look()
            if await self._guard.run(partial(self._look, batch, look)):
                has_news |= bool(look.news)
                later += self._note(batch, look)
            else:
                self._give_up_on(batch.values())
            left = later
            await asyncio.sleep(0)
        return has_news

    def _note(self, batch: Mapping[str, FollowedAnswer], look: _Look) -> list[FollowedAnswer]:
        """Returns those of whom there is more."""
        now = asyncio.get_running_loop().time()
        for key, followed in batch.items():
            entries = look.news.get(key, [])
            _hand_on(followed, partial(followed.feed, entries, is_all=len(entries) < _ENTRIES))
            if entries or key in look.there:
                followed.heard_at = now
            elif key in look.lost:
                followed.cursor = START  # if it comes back, it is told from its beginning on
                if now - followed.heard_at > GONE_S:
                    _hand_on(followed, followed.interrupt)
        return [batch[key] for key, entries in look.news.items() if len(entries) >= _ENTRIES]

    def _give_up_on(self, followed: Iterable[FollowedAnswer]) -> None:
        """Redis may come back as long as the lease of the answer can't be over."""
        now = asyncio.get_running_loop().time()
        for each in followed:
            if not each.is_known.done() or now - each.heard_at > LEASE_S:
                _hand_on(each, partial(each.lose, AWAY))

    async def _look(self, batch: Mapping[str, FollowedAnswer], look: _Look) -> None:
        now = asyncio.get_running_loop().time()
        doubted = [key for key, each in batch.items() if now - each.heard_at > _SURE_S]
        async with self._link.client.pipeline(transaction=False) as pipe:
            pipe.execute_command(*_reading(batch))
            for key in doubted:
                pipe.execute_command("EXISTS", key)
            found, *there = await pipe.execute(raise_on_error=False)
        _raise_refusal(there)
        for key, is_there in zip(doubted, there, strict=True):
            if is_there not in (0, 1):
                raise ValueError("not a reply to EXISTS")
            (look.there if is_there else look.lost).append(key)
        if _is_of_a_key(found):
            await self._look_at_each(batch, look)
        else:
            _raise_refusal([found])
            look.news.update(_streams(found))

    async def _look_at_each(self, batch: Mapping[str, FollowedAnswer], look: _Look) -> None:
        """One key holds something else, which is no reason to leave the others unread."""
        async with self._link.client.pipeline(transaction=False) as pipe:
            for key, each in batch.items():
                pipe.execute_command(*_reading({key: each}))
            replies = await pipe.execute(raise_on_error=False)
        _raise_refusal(replies)
        for key, reply in zip(batch, replies, strict=True):
            if _is_of_a_key(reply):
                look.lost.append(key)
            else:
                look.news.update(_streams(reply))


def _hand_on(followed: FollowedAnswer, told: Callable[[], None]) -> None:
    try:
        told()
    except Exception:  # a sink's fault is not that of the others
        _log.exception("an answer can't be handed on")
        followed.close()


def _reading(batch: Mapping[str, FollowedAnswer]) -> tuple[str | bytes | int, ...]:
    cursors = [each.cursor for each in batch.values()]
    return ("XREAD", "COUNT", _ENTRIES, "STREAMS", *batch, *cursors)


def _streams(reply: Any) -> Iterator[tuple[str, list[Entry]]]:
    """Of the reply to XREAD in any of the shapes that redis-py gives it.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    for key, entries in reply.items() if isinstance(reply, dict) else reply or ():
        yield key.decode(), [(entry_id, fields.get(FIELD)) for entry_id, fields in entries]


def _value(entries: Any) -> object:
    """Of the one entry in a reply to XRANGE; None where there is none.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    if not entries or _is_of_a_key(entries):
        return None
    ((_, fields),) = entries
    return fields.get(FIELD)


def _is_of_a_key(reply: object) -> bool:
    """Whether the fault lies in one key, and not in Redis."""
    return isinstance(reply, Exception) and "WRONGTYPE" in str(reply)


def _raise_refusal(replies: Iterable[object]) -> None:
    for reply in replies:
        if isinstance(reply, Exception) and not _is_of_a_key(reply):
            raise reply
