"""Limits that all replicas share through Redis, and that each keeps by itself without it."""

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs
import orjson
from redis.exceptions import NoScriptError

from adapters.cache.rate_script import LEASE_S, PREFIX, RENEW_S, TAKE
from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_line import RedisLine
from adapters.cache.redis_link import RedisLink, end_tasks
from application.ports.clock import Clock
from application.services.rate_grant import Dropped, RateGrant, give_back, rate_limited
from domain.limits.meters import Meters
from domain.limits.rate import WINDOW_S, RateDemand, RateDemands, RateLevel, admits

_USER: Final = "limits"
_FLUSH_S: Final = 0.02
"""What chats took and left goes with the next take; where none comes, so soon. Of a subject whose places are more than
half taken, those that are left go at once."""
_ASK_AGAIN_S: Final = (0.005, 0.02)
"""Where nothing but places of other processes is in the way: the last one may have been left by whoever asks now, as
the process that answered tells of it while the caller goes on to this one."""
_BATCH: Final = 256
"""Takes in one call, and subjects that are told of in it besides."""
_REJOIN_S: Final = 0.25
_SCRIPT: Final = TAKE.encode()
_SHA: Final = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
"""By which Redis knows the script."""
_PROBE: Final = "probe"
_US: Final = 1_000_000

_Verdict: TypeAlias = "RateGrant | tuple[RateLevel, ...] | None"
"""Let through; or where the subjects stand that did not let it; None where Redis does not say."""
_Ask: TypeAlias = "tuple[RateDemands, int, int, asyncio.Future[_Verdict]]"
"""Demands, tokens, requests and who waits. A bare tuple: one is made for each chat."""


@attrs.define(kw_only=True, eq=False)
class RedisRateLimiter:
    """A `RateLimiter`.

    One task talks to Redis; while a call is under way the next demands gather, and go together in one call of one
    script, which also says what chats took and which places they left. See `rate_script.py` for what is stored.

    A call that fails, or takes longer than one reply may, is given up, with all that gathered meanwhile: those chats,
    and all until Redis is quick again, are limited by what this process knows: what Redis last said, and what came
    since. Chats never try Redis out; the task does, and after five failures in a row leaves it alone for five seconds.
    """

    _link: RedisLink
    _clock: Clock
    _lease_s: float = LEASE_S
    _renew_s: float = RENEW_S
    _process: bytes = attrs.field(factory=lambda: secrets.token_hex(8).encode(), init=False)
    _line: RedisLine | None = attrs.field(default=None, init=False)
    _guard: RedisGuard = attrs.field(init=False)
    _meters: Meters = attrs.field(factory=Meters, init=False)
    _asked: list[_Ask] = attrs.field(factory=list, init=False)
    _corrected: list[tuple[RateDemands, int, int]] = attrs.field(factory=list, init=False)
    """Charges that chats settled, from so many tokens to so many, and that are not reckoned with yet."""
    _left: list[RateDemands] = attrs.field(factory=list, init=False)
    """Places that chats left, and that are not reckoned with yet."""
    _crowded: set[str] = attrs.field(factory=set, init=False)
    """Subjects whose places were more than half taken when Redis was last asked."""
    _owed: dict[str, float] = attrs.field(factory=dict, init=False)
    """Tokens that Redis is to add to or take from subjects, in seconds of their limits."""
    _moved: dict[str, None] = attrs.field(factory=dict, init=False)
    """Subjects whose places Redis is to be told of, in their order."""
    _placed: set[str] = attrs.field(factory=set, init=False)
    """Subjects that have had places here since Redis was told that they have none."""
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _flushing: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    _renewing: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    _talking: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _is_shared: bool = attrs.field(default=False, init=False)
    dropped: deque[Dropped] = attrs.field(factory=deque, init=False)
    calls: int = attrs.field(default=0, init=False)
    """Of the script, whatever became of them."""

    @_guard.default
    def _new_guard(self) -> RedisGuard:
        return self._link.guard(what="rate limits")

    @property
    def known_subjects(self) -> int:
        return len(self._meters)

    @property
    def is_shared(self) -> bool:
        """Whether Redis is asked now."""
        return self._is_shared

    async def take(self, demands: Sequence[RateDemand], *, tokens: int, requests: int = 1) -> RateGrant:
        if self.dropped:
            give_back(self)
        taken = demands if type(demands) is RateDemands else RateDemands(demands)
        verdict: _Verdict = None
        if self._is_shared and taken:
            verdict = await self._verdict(taken, tokens, requests)
            if type(verdict) is RateGrant:
                return verdict
            for wait_s in _ASK_AGAIN_S:
                if not isinstance(verdict, tuple) or not self._are_others_in_the_way(
                    taken, verdict, tokens=tokens, requests=requests
                ):
                    break
                await asyncio.sleep(wait_s)
                verdict = await self._verdict(taken, tokens, requests)
        if verdict is None:
            return self._take_alone(taken, tokens=tokens, requests=requests)
        if isinstance(verdict, RateGrant):
            return verdict
        raise rate_limited(taken, verdict, tokens=tokens, requests=requests)

    def _take_alone(self, demands: RateDemands, *, tokens: int, requests: int) -> RateGrant:
        """
        Raises:
            RateLimited: as `take`.
        """
        self._reckon()
        is_let, levels = self._meters.take(
            demands, tokens=tokens, requests=requests, now=self._clock.monotonic()
        )
        if not is_let:
            raise rate_limited(demands, levels, tokens=tokens, requests=requests)
        self._placed.update([subject for subject, _ in demands.placed])
        return RateGrant(self, demands, levels, tokens)

    def _verdict(self, demands: RateDemands, tokens: int, requests: int) -> "asyncio.Future[_Verdict]":
        verdict: asyncio.Future[_Verdict] = asyncio.get_running_loop().create_future()
        if self._is_shared:
            self._asked.append((demands, tokens, requests, verdict))
            self._wake.set()
        else:
            verdict.set_result(None)
        return verdict

    def _are_others_in_the_way(
        self, demands: RateDemands, levels: tuple[RateLevel, ...], *, tokens: int, requests: int
    ) -> bool:
        """Whether it would have been let through without what other processes hold."""
        self._reckon()
        return all(
            admits(
                demand.limits,
                level._replace(running=min(level.running, self._meters.running(demand.subject))),
                tokens=tokens,
                requests=requests,
            )
            for demand, level in zip(demands, levels, strict=True)
        )

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: the URL is not one.
        """
        if self._talking is not None:
            return
        self._link.join(_USER)
        await self._rejoin()
        self._talking = asyncio.create_task(self._talk(), name="lor3-limits-talk")
        self._renew_later()

    async def aclose(self) -> None:
        """Gives places back, if Redis is quick: else others wait for the lease to lapse."""
        if self._talking is None:
            return
        talking, self._talking = self._talking, None
        await end_tasks([talking])
        was_shared, self._is_shared = self._is_shared, False
        self._answer_alone(self._asked)
        for timer in (self._flushing, self._renewing):
            if timer is not None:
                timer.cancel()
        self._flushing = self._renewing = None
        self._reckon()
        places, self._placed = list(self._placed), set()
        for start in range(0, len(places), _BATCH):
            told = places[start : start + _BATCH]
            if not was_shared or not await self._guard.run(lambda told=told: self._tell_gone(told)):  # type: ignore[misc]  # mypy can't infer a lambda with a default
                break
        await self._hang_up()
        await self._link.leave(_USER)

    def correct(self, demands: RateDemands, held: int, tokens: int) -> None:
        if demands.metered:
            self._corrected.append((demands, held, tokens))
            if self._is_shared:
                self._flush_later()
            else:
                self._reckon()

    def leave(self, demands: RateDemands) -> None:
        self._left.append(demands)
        if not self._is_shared:
            self._reckon()
        elif self._crowded and any(subject in self._crowded for subject, _ in demands.placed):
            self._wake.set()  # with whatever else there is by the time the task comes to it
        else:
            self._flush_later()

    def _reckon(self) -> None:
        """With what chats took and left since, all of them at once."""
        if self._corrected:
            corrected, self._corrected = self._corrected, []
            more: dict[str, float] = {}
            for demands, held, tokens in corrected:
                for subject, limit in demands.metered:
                    difference = min(tokens, limit) - min(held, limit)
                    more[subject] = more.get(subject, 0.0) + WINDOW_S * difference / limit
            now = self._clock.monotonic()
            for subject, tokens_s in more.items():
                self._meters.correct(subject, tokens_s, now)
                if self._is_shared:
                    self._owed[subject] = self._owed.get(subject, 0.0) + tokens_s
        if self._left:
            left, self._left = self._left, []
            places: dict[str, int] = {}
            for demands in left:
                for subject, _ in demands.placed:
                    places[subject] = places.get(subject, 0) + 1
            for subject, count in places.items():
                self._meters.leave(subject, count)
                if self._is_shared:
                    self._moved[subject] = None

    async def _talk(self) -> None:
        while True:
            if not self._is_shared:
                await asyncio.sleep(_REJOIN_S)
                await self._rejoin()
                continue
            await self._wake.wait()
            self._wake.clear()
            while self._has_something_to_say():
                if not await self._exchange():
                    break

    def _has_something_to_say(self) -> bool:
        return bool(self._asked or self._left or self._corrected or self._moved or self._owed)

    async def _rejoin(self) -> None:
        """Tries the whole way: where Redis takes a script and writes, in the time of a reply, it is asked again."""
        if not await self._guard.run(self._try_out):
            return
        self._is_shared = True
        self._moved = dict.fromkeys(self._placed)
        self._owed = {}
        self._wake.set()

    async def _try_out(self) -> None:
        """On a new connection. The first call may take as long as connecting does."""
        await self._hang_up()
        self._line = await RedisLine.open(self._link.client)
        for limit_s in (60.0, self._link.timeout_s):  # the guard's own is shorter
            await self._call([_PROBE], [-1, 1_000], [], limit_s=limit_s)

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.aclose()

    async def _exchange(self) -> bool:
        asked, self._asked = self._asked[:_BATCH], self._asked[_BATCH:]
        verdicts: list[_Verdict] = []
        try:
            await self._ask(asked, verdicts)
        except Exception as error:  # as in `RedisGuard.run`
            self._guard.failed(error)
            self._is_shared = False
            self._reckon()
            self._owed.clear()
            self._moved.clear()
            self._answer_alone(self._asked)
            return False
        else:
            self._guard.succeeded()
            for (_, _, _, waiting), verdict in zip(asked, verdicts, strict=True):
                if not waiting.done():
                    waiting.set_result(verdict)
                elif isinstance(verdict, RateGrant):
                    verdict.end()  # nobody waits for it any more
            return True
        finally:
            self._answer_alone(asked)  # those who were not answered, whatever has happened

    async def _ask(self, asked: list[_Ask], verdicts: list[_Verdict]) -> None:
        self._reckon()
        subjects: dict[str, int] = {}
        told: list[int] = []
        owed, moved, meters = self._owed, self._moved, self._meters

        def index_of(subject: str, *, has_places: bool) -> int:
            index = subjects.get(subject)
            if index is None:
                index = subjects[subject] = len(subjects) + 1
                more = owed.pop(subject, 0.0) if owed else 0.0
                told.append(-1)
                told.append(round(more * _US))
            if has_places and told[2 * index - 2] < 0:
                told[2 * index - 2] = meters.running(subject)
            return index

        takes: list[int] = []
        said: dict[int, list[int]] = {}
        """What is said of demands, by their identity: most chats of a moment are of few callers."""
        for demands, tokens, requests, _ in asked:
            of_demands = said.get(id(demands))
            if of_demands is None:
                of_demands = said[id(demands)] = [len(demands)]
                for demand in demands:
                    limits = demand.limits
                    places = limits.concurrency or 0
                    subject = demand.subject
                    of_demands += (
                        index_of(subject, has_places=places > 0 or subject in moved),
                        limits.requests_per_minute or 0,
                        limits.tokens_per_minute or 0,
                        places,
                    )
            takes.append(requests)
            takes.append(tokens)
            takes += of_demands
        left: list[str] = []
        for subject in list(moved)[:_BATCH]:
            index_of(subject, has_places=True)
            del moved[subject]
            left.append(subject)
        for subject in list(owed)[:_BATCH]:
            index_of(subject, has_places=False)
        numbers = await self._call(list(subjects), told, takes, limit_s=self._link.timeout_s)
        self._hear(asked, subjects, numbers, verdicts)
        gone = [each for each in left if not meters.running(each)]
        self._placed.difference_update(gone)
        self._crowded.difference_update(gone)

    async def _call(
        self, subjects: list[str], told: list[int], takes: list[int], *, limit_s: float
    ) -> list[int]:
        """
        Raises:
            RedisError, OSError, TimeoutError, ValueError: whatever is wrong with Redis or what it says.
        """
        self.calls += 1
        parts = [b"EVALSHA", _SHA, b"%d" % len(subjects)]
        # A caller's own id may hold half a surrogate pair.
        parts += [PREFIX + subject.encode("utf-8", "surrogatepass") for subject in subjects]
        parts.append(self._process)
        parts.append(orjson.dumps([round(self._lease_s * _US), told, takes]))
        if self._line is None or not self._line.is_open:
            async with asyncio.timeout(limit_s):
                await self._hang_up()
                self._line = await RedisLine.open(self._link.client)
        try:
            reply = await self._line.call(parts, limit_s=limit_s)
        except NoScriptError:
            reply = await self._line.call([b"EVAL", _SCRIPT, *parts[2:]], limit_s=limit_s)
        numbers = orjson.loads(reply)
        if not isinstance(numbers, list) or set(map(type, numbers)) != {int}:
            raise ValueError("no answer of the script")
        return numbers

    def _hear(
        self, asked: list[_Ask], subjects: dict[str, int], numbers: list[int], verdicts: list[_Verdict]
    ) -> None:
        """
        Raises:
            ValueError: there is too much or too little.
        """
        of_takes = sum([1 + 3 * len(demands) for demands, _, _, _ in asked])
        if len(numbers) != of_takes + 3 * len(subjects):
            raise ValueError("no answer to what was asked")
        at, meters = 0, self._meters
        let: dict[int, tuple[RateDemands, int]] = {}
        """Demands, by their identity, and how many were let through."""
        for demands, tokens, _, _ in asked:
            is_let, first, at = numbers[at] == 1, at + 1, at + 1 + 3 * len(demands)
            levels = tuple(
                [
                    (numbers[index] / _US, numbers[index + 1] / _US, numbers[index + 2])
                    for index in range(first, at, 3)
                ]
            )
            if is_let:
                if demands.placed:
                    let[id(demands)] = (demands, let.get(id(demands), (demands, 0))[1] + 1)
                verdicts.append(RateGrant(self, demands, levels, tokens))
            else:
                verdicts.append(tuple([RateLevel(*level) for level in levels]))
        now = self._clock.monotonic()
        for subject in subjects:
            meters.learn(subject, numbers[at] / _US, numbers[at + 1] / _US, now)
            at += 3
        for demands, count in let.values():
            for subject, places in demands.placed:
                meters.meter(subject, now).running += count
                self._placed.add(subject)
                if 2 * numbers[of_takes + 3 * subjects[subject] - 1] > places:
                    self._crowded.add(subject)
                else:
                    self._crowded.discard(subject)

    async def _tell_gone(self, subjects: list[str]) -> None:
        await self._call(subjects, [0, 0] * len(subjects), [], limit_s=self._link.timeout_s)

    def _answer_alone(self, asked: list[_Ask]) -> None:
        for _, _, _, waiting in asked:
            if not waiting.done():
                waiting.set_result(None)
        asked.clear()

    def _flush_later(self) -> None:
        if self._flushing is None and self._talking is not None:
            self._flushing = self._talking.get_loop().call_later(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if self._has_something_to_say():
            self._wake.set()

    def _renew_later(self) -> None:
        if self._talking is not None:
            self._renewing = self._talking.get_loop().call_later(self._renew_s, self._renew)

    def _renew(self) -> None:
        """Of all places at once; a subject of which Redis knows nothing any more is told of again."""
        if self.dropped:
            give_back(self)
        if self._is_shared and self._placed:
            self._moved.update(dict.fromkeys(self._placed))
            self._wake.set()
        self._renew_later()
