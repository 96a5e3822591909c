"""Tells Redis of the answers that this process makes, all of them in one round trip."""

import asyncio
import contextlib
import json
import logging
from itertools import islice
from typing import Final

import attrs

from adapters.cache.asked_codec import encode_asked
from adapters.cache.event_codec import FIELD, NOTHING_YET, encode_ending, encode_portion
from adapters.cache.live_answer_keys import (
    GIVE_UP,
    GIVEN_UP_S,
    LEASE_S,
    RENEW_S,
    STOP_CHANNEL,
    name_key,
    stream_key,
)
from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_link import RedisLink
from adapters.cache.shared_answer import Part, SharedAnswer
from application.ports.event_log import AnswerAddress
from domain.answer import ChatAdmitted
from domain.errors import AnswerInterrupted, AnswerUnknown
from domain.live_answer import Ending, Portion

_log: Final = logging.getLogger("lor3.redis")
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Of one answer in Redis. A longer one can be followed on its own server alone."""
MAX_PENDING_BYTES: Final = 16 * 1024 * 1024
"""Of all answers, while Redis is slow or away."""
MAX_SAID_BYTES: Final = 16 * 1024 * 1024
"""Of all answers under way that Redis has, and that are kept to be told again if it loses them."""
_MAX_STOPS: Final = 1_000
_BATCH: Final = 64
_BATCH_BYTES: Final = 512 * 1024
_GATHER_S: Final = 0.02
"""Between two round trips: what comes meanwhile goes with the next one."""
_SHARE: Final = 9
"""That many times as long as a round trip takes the next one waits, so that this is no more than a tenth of the work
when thousands of answers grow."""
_MAX_GATHER_S: Final = 0.25
_RETRY_S: Final = 0.25
_NOT_SHARED: Final = encode_ending(
    Ending(
        error=AnswerUnknown(
            "the rest of the answer can't be had here: it is too long, or came too fast, to be shared between servers;"
            " it is still being made: read it again in a while"
        )
    )
)
_STOP_S: Final = 10.0
"""By then nobody expects that an answer stops."""


@attrs.define(kw_only=True, eq=False)
class EventWriter:
    """Nobody waits for it. What is said here is kept until Redis has it, or it is too much or too late."""

    _link: RedisLink
    _guard: RedisGuard = attrs.field(init=False)
    _answers: dict[AnswerAddress, SharedAnswer] = attrs.field(factory=dict, init=False)
    _news: dict[SharedAnswer, None] = attrs.field(factory=dict, init=False)
    """Those that have something to say, the one that has waited longest first."""
    _given_up: dict[str, None] = attrs.field(factory=dict, init=False)
    """Keys of answers that go on, of which nothing more is told."""
    _stops: dict[AnswerAddress, float] = attrs.field(factory=dict, init=False)
    """Asked for, each until a time of the loop's."""
    pending_bytes: int = attrs.field(default=0, init=False)
    """Of all that Redis is not known to have."""
    said_bytes: int = attrs.field(default=0, init=False)
    """Of all that is kept though Redis has it."""
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    @_guard.default
    def _new_guard(self) -> RedisGuard:
        return self._link.guard(what="answers under way")

    @property
    def live(self) -> int:
        """Answers that are shared, or are to be."""
        return len(self._answers)

    def begin(
        self, address: AnswerAddress, names: tuple[str, ...], asked: ChatAdmitted | None = None
    ) -> None:
        before = self._answers.get(address)
        if before is not None:
            self._drop(before, why="it began again")
        line = NOTHING_YET if asked is None else encode_asked(asked) or NOTHING_YET
        if self.pending_bytes + len(line) > MAX_PENDING_BYTES:
            line = NOTHING_YET
        answer = self._answers[address] = SharedAnswer(
            key=stream_key(address),
            address=address,
            name_keys=tuple([name_key(address.tenant, name) for name in names]),
            lines=[line],
            pending_bytes=len(line),
            total_bytes=len(line),
            said_at=asyncio.get_running_loop().time(),
        )
        self._news[answer] = None
        self.pending_bytes += len(line)
        self._wake.set()

    def publish(self, address: AnswerAddress, portion: Portion) -> None:
        answer = self._answers.get(address)
        if answer is not None and portion.events:
            self._add(answer, encode_portion(portion))

    def end(self, address: AnswerAddress, ending: Ending) -> None:
        answer = self._answers.get(address)
        if answer is not None:
            answer.is_ended = True
            self._add(answer, encode_ending(ending))

    def ask_to_stop(self, address: AnswerAddress) -> None:
        if len(self._stops) >= _MAX_STOPS:
            del self._stops[next(iter(self._stops))]
        self._stops[address] = asyncio.get_running_loop().time() + _STOP_S
        self._wake.set()

    async def talk(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW_S
        while True:
            await self._news_or(renew_at)
            if loop.time() >= renew_at:
                renew_at = loop.time() + RENEW_S
                self._news.update(dict.fromkeys(self._answers.values()))
            began = loop.time()
            if await self._say_all():
                await asyncio.sleep(min(max(_GATHER_S, (loop.time() - began) * _SHARE), _MAX_GATHER_S))
            else:
                await asyncio.sleep(_RETRY_S)
                self._wake.set()

    async def flush(self) -> None:
        """Says what is pending, and that what is not done will not be."""
        for address, answer in list(self._answers.items()):
            if not answer.is_ended:
                self.end(
                    address,
                    Ending(
                        error=AnswerInterrupted("the server that made it stopped; send the request again")
                    ),
                )
        await self._say_all()

    def clear(self) -> None:
        self._answers.clear()
        self._news.clear()
        self._given_up.clear()
        self._stops.clear()
        self.pending_bytes = self.said_bytes = 0

    def _add(self, answer: SharedAnswer, line: bytes) -> None:
        answer.add(line)
        self.pending_bytes += len(line)
        if answer.total_bytes > MAX_ANSWER_BYTES or self.pending_bytes > MAX_PENDING_BYTES:
            self._drop(answer, why="it is too long, or too much is pending")
            self._given_up[answer.key] = None
        else:
            self._news[answer] = None
        self._wake.set()

    def _drop(self, answer: SharedAnswer, *, why: str) -> None:
        if self._answers.get(answer.address) is answer:
            del self._answers[answer.address]
        self._news.pop(answer, None)
        self.pending_bytes -= answer.pending_bytes
        self.said_bytes -= answer.said_bytes
        _log.debug("an answer is not shared any longer: %s", why)

    async def _news_or(self, renew_at: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(renew_at if self._answers else None):
                await self._wake.wait()
        self._wake.clear()

    async def _say_all(self) -> bool:
        """False where Redis did not take it: then it is for the next time."""
        loop = asyncio.get_running_loop()
        while self._news or self._given_up or self._stops:
            if not await self._guard.run(self._exchange):
                self._drop_late(loop.time())
                return False
            await asyncio.sleep(0)
        return True

    def _drop_late(self, now: float) -> None:
        """What ended is in the store by now, and what can't be told from its beginning on can't be told any more."""
        for answer in list(self._answers.values()):
            if now - answer.said_at > LEASE_S and (answer.is_ended or answer.said is None):
                self._drop(answer, why="Redis was away for too long")
        self._stops = {address: until for address, until in self._stops.items() if until > now}
        if self._guard.is_open:
            self._given_up.clear()  # they lapse

    async def _exchange(self) -> None:
        now = asyncio.get_running_loop().time()
        stops = list(islice(self._stops, _BATCH))
        removed = list(islice(self._given_up, _BATCH))
        parts = self._parts(now)
        names = 0
        async with self._link.client.pipeline(transaction=False) as pipe:
            for part in parts:
                pipe.execute_command(*part.command)
            for address in stops:
                pipe.execute_command("PUBLISH", STOP_CHANNEL, _stop(address))
            for key in removed:
                pipe.execute_command("EVAL", GIVE_UP, 1, key, round(GIVEN_UP_S * 1000), FIELD, _NOT_SHARED)
            for part in parts:
                for command in part.name_commands:
                    names += 1
                    pipe.execute_command(*command)
            replies = await pipe.execute(raise_on_error=False)
        if len(replies) != len(parts) + len(stops) + len(removed) + names:
            raise ValueError("not a reply to each command")
        self._settle(parts, replies, now)
        for address in stops:
            self._stops.pop(address, None)
        for key in removed:
            self._given_up.pop(key, None)
        for reply in replies:
            if isinstance(reply, Exception) and not _is_of_the_key(reply):
                raise reply  # Redis refuses to serve: OOM, READONLY, LOADING

    def _parts(self, now: float) -> list[Part]:
        parts: list[Part] = []
        size = 0
        for answer in self._news:
            part = answer.part(now)
            if parts and (size + len(part.value) > _BATCH_BYTES or len(parts) == _BATCH):
                break
            size += len(part.value)
            parts.append(part)
        return parts

    def _settle(self, parts: list[Part], replies: list[object], now: float) -> None:
        for part, reply in zip(parts, replies, strict=False):
            answer = part.answer
            if self._answers.get(answer.address) is not answer:
                continue  # given up meanwhile
            if isinstance(reply, Exception):
                if _is_of_the_key(reply):
                    self._drop(answer, why="its key holds something else")
                continue
            self.pending_bytes -= answer.pending_bytes
            self.said_bytes -= answer.said_bytes
            is_there = part.took(reply, now)
            goes_on = is_there or answer.begin_again()
            self.pending_bytes += answer.pending_bytes
            self.said_bytes += answer.said_bytes
            if not goes_on:
                self._drop(answer, why="Redis has lost it")
                self._given_up[answer.key] = None
                continue
            if self.said_bytes > MAX_SAID_BYTES:
                self.said_bytes -= answer.said_bytes
                answer.forget()
            self._news.pop(answer, None)
            if is_there and part.is_last:
                self.said_bytes -= answer.said_bytes
                del self._answers[answer.address]
            elif answer.lines:
                self._news[answer] = None  # behind the others


def _stop(address: AnswerAddress) -> str:
    return json.dumps({"v": 1, "tenant": address.tenant, "message_id": address.message_id})


def _is_of_the_key(error: Exception) -> bool:
    """Whether the fault lies in one key, and not in Redis."""
    return "WRONGTYPE" in str(error)
