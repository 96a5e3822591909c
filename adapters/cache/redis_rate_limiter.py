"""Limits that all replicas share through Redis, and that each keeps by itself without it."""

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import attrs
import orjson
from redis.exceptions import NoScriptError

from adapters.cache.rate_script import LEASE_S, PREFIX, RENEW_S, TAKE
from adapters.cache.redis_guard import RedisGuard
from adapters.cache.redis_link import RedisLink, end_tasks
from application.ports.clock import Clock
from application.services.rate_grant import Dropped, RateGrant, give_back, rate_limited
from domain.limits.meters import Meters
from domain.limits.rate import RateDemand, RateLevel, admits
from domain.values import frozen

_USER: Final = "limits"
_FLUSH_S: Final = 0.02
"""What chats took goes with the next take; where none comes, so soon. Places that they left go at once."""
_ASK_AGAIN_S: Final = (0.005, 0.02)
"""Where nothing but places of other processes is in the way: the last one may have been left by whoever asks now, as
the process that answered tells of it while the caller goes on to this one."""
_BATCH: Final = 256
"""Takes in one call, and subjects that are told of in it besides."""
_REJOIN_S: Final = 0.25
_SHA: Final = hashlib.sha1(TAKE.encode(), usedforsecurity=False).hexdigest()
"""By which Redis knows the script."""
_PROBE: Final = "probe"
_US: Final = 1_000_000

_Verdict: TypeAlias = "RateGrant | tuple[RateLevel, ...] | None"
"""Let through; or where the subjects stand that did not let it; None where Redis does not say."""


@frozen
class _Ask:
    demands: tuple[RateDemand, ...]
    tokens: int
    requests: int
    verdict: "asyncio.Future[_Verdict]"


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
    _process: str = attrs.field(factory=lambda: secrets.token_hex(8), init=False)
    _guard: RedisGuard = attrs.field(init=False)
    _meters: Meters = attrs.field(factory=Meters, init=False)
    _asked: list[_Ask] = attrs.field(factory=list, init=False)
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
        taken = tuple(demands)
        verdict = await self._verdict(taken, tokens=tokens, requests=requests)
        for wait_s in _ASK_AGAIN_S:
            if not isinstance(verdict, tuple) or not self._are_others_in_the_way(
                taken, verdict, tokens=tokens, requests=requests
            ):
                break
            await asyncio.sleep(wait_s)
            verdict = await self._verdict(taken, tokens=tokens, requests=requests)
        if verdict is None:
            is_let, levels = self._meters.take(
                taken, tokens=tokens, requests=requests, now=self._clock.monotonic()
            )
            if not is_let:
                raise rate_limited(taken, levels, tokens=tokens, requests=requests)
            self._note_places(taken)
            return RateGrant(self, taken, levels, tokens=tokens)
        if isinstance(verdict, RateGrant):
            return verdict
        raise rate_limited(taken, verdict, tokens=tokens, requests=requests)

    async def _verdict(self, demands: tuple[RateDemand, ...], *, tokens: int, requests: int) -> _Verdict:
        if not (self._is_shared and demands):
            return None
        ask = _Ask(demands, tokens, requests, asyncio.get_running_loop().create_future())
        self._asked.append(ask)
        self._wake.set()
        return await ask.verdict

    def _are_others_in_the_way(
        self, demands: tuple[RateDemand, ...], levels: tuple[RateLevel, ...], *, tokens: int, requests: int
    ) -> bool:
        """Whether it would have been let through without what other processes hold."""
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
        places, self._placed = list(self._placed), set()
        for start in range(0, len(places), _BATCH):
            told = places[start : start + _BATCH]
            if not was_shared or not await self._guard.run(lambda told=told: self._tell_gone(told)):  # type: ignore[misc]  # mypy can't infer a lambda with a default
                break
        await self._link.leave(_USER)

    def correct(self, subject: str, tokens_s: float) -> None:
        self._meters.correct(subject, tokens_s, self._clock.monotonic())
        if self._is_shared:
            self._owed[subject] = self._owed.get(subject, 0.0) + tokens_s
            self._flush_later()

    def leave(self, subject: str) -> None:
        self._meters.leave(subject)
        if self._is_shared:
            self._moved[subject] = None
            self._wake.set()  # with whatever else there is by the time the task comes to it

    async def _talk(self) -> None:
        while True:
            if not self._is_shared:
                await asyncio.sleep(_REJOIN_S)
                await self._rejoin()
                continue
            await self._wake.wait()
            self._wake.clear()
            while self._asked or self._moved or self._owed:
                if not await self._exchange():
                    break

    async def _rejoin(self) -> None:
        """Tries the whole way: where Redis takes a script and writes, in the time of a reply, it is asked again."""
        if not await self._guard.run(self._try_out):
            return
        self._is_shared = True
        self._moved = dict.fromkeys(self._placed)
        self._owed = {}
        self._wake.set()

    async def _try_out(self) -> None:
        """The first call may take as long as connecting does."""
        for limit_s in (None, self._link.timeout_s):
            async with asyncio.timeout(limit_s):
                await self._call([_PROBE], [-1, 1_000], [])

    async def _exchange(self) -> bool:
        asked, self._asked = self._asked[:_BATCH], self._asked[_BATCH:]
        verdicts: list[_Verdict] = []
        try:
            if await self._guard.run(lambda: self._ask(asked, verdicts)):
                for ask, verdict in zip(asked, verdicts, strict=True):
                    if not ask.verdict.done():
                        ask.verdict.set_result(verdict)
                    elif isinstance(verdict, RateGrant):
                        verdict.end()  # nobody waits for it any more
                return True
        finally:
            self._answer_alone(asked)  # those who were not answered, whatever has happened
        self._is_shared = False
        self._owed.clear()
        self._moved.clear()
        self._answer_alone(self._asked)
        return False

    async def _ask(self, asked: list[_Ask], verdicts: list[_Verdict]) -> None:
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
        for ask in asked:
            takes += (ask.requests, ask.tokens, len(ask.demands))
            for demand in ask.demands:
                limits = demand.limits
                places = limits.concurrency or 0
                subject = demand.subject
                takes += (
                    index_of(subject, has_places=places > 0 or subject in moved),
                    limits.requests_per_minute or 0,
                    limits.tokens_per_minute or 0,
                    places,
                )
        left: list[str] = []
        for subject in list(moved)[:_BATCH]:
            index_of(subject, has_places=True)
            del moved[subject]
            left.append(subject)
        for subject in list(owed)[:_BATCH]:
            index_of(subject, has_places=False)
        async with asyncio.timeout(self._link.timeout_s):
            reply = await self._call(list(subjects), told, takes)
        self._hear(asked, reply, verdicts)
        self._placed.difference_update([each for each in left if not meters.running(each)])

    async def _call(self, subjects: list[str], told: list[int], takes: list[int]) -> list[int]:
        """
        Raises:
            RedisError, OSError, TimeoutError, ValueError: whatever is wrong with Redis or what it says.
        """
        self.calls += 1
        # A caller's own id may hold half a surrogate pair.
        keys = [PREFIX + subject.encode("utf-8", "surrogatepass") for subject in subjects]
        payload = orjson.dumps([round(self._lease_s * _US), told, takes])
        client: Any = self._link.client
        try:
            reply = await client.execute_command("EVALSHA", _SHA, len(keys), *keys, self._process, payload)
        except NoScriptError:
            reply = await client.execute_command("EVAL", TAKE, len(keys), *keys, self._process, payload)
        numbers = orjson.loads(reply) if isinstance(reply, bytes) else None
        if numbers == {}:
            numbers = []
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise ValueError("no answer of the script")
        return numbers

    def _hear(self, asked: list[_Ask], numbers: list[int], verdicts: list[_Verdict]) -> None:
        """
        Raises:
            ValueError: there is too much or too little.
        """
        if len(numbers) != sum([1 + 3 * len(ask.demands) for ask in asked]):
            raise ValueError("no answer to what was asked")
        now, at = self._clock.monotonic(), 0
        for ask in asked:
            is_let, at = numbers[at] == 1, at + 1
            levels: list[RateLevel] = []
            for demand in ask.demands:
                requests_us, tokens_us, running = numbers[at : at + 3]
                at += 3
                level = RateLevel(requests_us / _US, tokens_us / _US, running)
                levels.append(level)
                meter = self._meters.learn(demand.subject, level, now)
                if is_let and demand.limits.concurrency is not None:
                    meter.running += 1
            if is_let:
                self._note_places(ask.demands)
                verdicts.append(RateGrant(self, ask.demands, tuple(levels), tokens=ask.tokens))
            else:
                verdicts.append(tuple(levels))

    async def _tell_gone(self, subjects: list[str]) -> None:
        async with asyncio.timeout(self._link.timeout_s):
            await self._call(subjects, [0, 0] * len(subjects), [])

    def _note_places(self, demands: tuple[RateDemand, ...]) -> None:
        for demand in demands:
            if demand.limits.concurrency is not None:
                self._placed.add(demand.subject)

    def _answer_alone(self, asked: list[_Ask]) -> None:
        for ask in asked:
            if not ask.verdict.done():
                ask.verdict.set_result(None)
        asked.clear()

    def _flush_later(self) -> None:
        if self._flushing is None and self._talking is not None:
            self._flushing = self._talking.get_loop().call_later(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if self._moved or self._owed:
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
