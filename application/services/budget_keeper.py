"""Holds money of budgets for this process, so that a chat waits for no database."""

import asyncio
import contextlib
import datetime
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import attrs

from application.ports.budget_ledger import BudgetLedger, CounterKey, HoldRequest
from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.services.budget_waiter import Waiter
from application.services.local_counter import NOTHING, LocalCounter
from domain.errors import BudgetsUnreadable, StorageUnavailable
from domain.limits.budget import period_start

LEASE_S: Final = 15.0
"""How long what a killed process held is nobody's. Longer than a chat waits for a lost database to store it."""
BEAT_S: Final = 0.25
"""How often it is looked at what has changed."""
IDLE_S: Final = 0.25
"""After which what is spare is given back."""
SCARCE_S: Final = 0.05
"""The same, where others have little left beside it."""
FORGET_S: Final = 10.0
POLL_S: Final = 0.05
"""Between two looks at the database while a chat waits for money of others."""
CHUNK: Final = 16
"""Calls that are paid from one exchange, where there is plenty."""
LOW: Final = 4
"""Calls before the next exchange is sent ahead of need."""
SWEEP_S: Final = 30.0
MOST_AT_ONCE: Final = 500
"""Counters of one exchange."""
CLOSE_S: Final = 2.0
KNOW_S: Final = 60.0
"""Of a question that the database answers or fails long before."""

_log: Final = logging.getLogger("lor3.budgets")


@attrs.define(kw_only=True, eq=False)
class BudgetKeeper:
    """Owns the one task that speaks with the ledger; what all chats of the process want goes there together.

    Without any budget it only sweeps what processes have left behind that were killed.
    """

    _ledger: BudgetLedger
    _clock: Clock
    _ids: IdGenerator
    _lease_s: float = LEASE_S
    _beat_s: float = BEAT_S
    _idle_s: float = IDLE_S
    _sweep_s: float = SWEEP_S
    _holder: str = attrs.field(init=False)
    _counters: dict[CounterKey, LocalCounter] = attrs.field(factory=dict, init=False)
    """Of the periods that are now."""
    _past: list[LocalCounter] = attrs.field(factory=list, init=False)
    """Of periods that are over, and of which chats are not."""
    _waiters: list[Waiter] = attrs.field(factory=list, init=False)
    _due: set[LocalCounter] = attrs.field(factory=set, init=False)
    """To be exchanged now."""
    _told: set[tuple[CounterKey, object, Decimal]] = attrs.field(factory=set, init=False)
    """Soft budgets that are known to be used up."""
    _sent: int = attrs.field(default=0, init=False)
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _serving: bool = attrs.field(default=False, init=False)
    _is_closing: bool = attrs.field(default=False, init=False)
    _task: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _look_at: float = attrs.field(default=0.0, init=False)
    """When it is looked next at what has changed."""
    _sweep_at: float = attrs.field(default=0.0, init=False)

    @_holder.default
    def _new_holder(self) -> str:
        return self._ids.new()

    def start(self) -> None:
        self._sweep_at = self._clock.monotonic() + self._sweep_s
        self._task = asyncio.create_task(self._work(), name="lor3-budgets")

    async def aclose(self) -> None:
        """Gives back what is held, as far as the database takes it in time."""
        self._is_closing = True
        self._wake.set()
        task, self._task = self._task, None
        if task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await task
        for waiter in self._waiters:
            if not waiter.done.done():
                waiter.done.set_exception(BudgetsUnreadable("the server is stopping"))

    def counters(self, wanted: Sequence[tuple[CounterKey, Decimal | None]]) -> tuple[LocalCounter, ...]:
        """Of the period that is now.

        Args:
            wanted: each with the limit that holds for what is taken; None where there is none.
        """
        now, found = self._clock.monotonic(), list[LocalCounter]()
        for key, limit_usd in wanted:
            counter = self._counters.get(key)
            if counter is None:
                counter = self._counters[key] = LocalCounter(key=key, limit_usd=limit_usd)
            elif counter.resets is not None and now >= counter.resets:
                counter = self._next(counter, now)
            if limit_usd != counter.limit_usd and limit_usd is not None:
                counter.limit_usd, counter.is_stale = limit_usd, True
            found.append(counter)
        return tuple(found)

    def peek(self, key: CounterKey) -> LocalCounter | None:
        """What is known already."""
        found = self._counters.get(key)
        return None if found is None or not found.is_known else found

    def least_left(self) -> float | None:
        """From 0 to 1: what is left of the hard limit that has least left of those in use here; None without any."""
        now = self._clock.monotonic()
        shares = [
            1.0 - float(each.spent_usd) / float(each.limit_usd)
            for each in self._counters.values()
            if each.limit_usd and each.is_known and not each.is_over(now)
        ]
        return max(0.0, min(shares)) if shares else None

    def _next(self, old: LocalCounter, now: float) -> LocalCounter:
        self._past.append(old)
        old.is_changed = True
        at = old.resets_at
        assert at is not None and old.resets is not None  # noqa: S101, PT018 - it is over
        # By what the database's clock said last, and named to it: by its own it may be a moment too early.
        at += datetime.timedelta(seconds=now - old.resets)
        new = self._counters[old.key] = LocalCounter(
            key=old.key, limit_usd=old.limit_usd, starts_at=period_start(old.key.period, at)
        )
        return new

    def knows(self, counters: Sequence[LocalCounter]) -> bool:
        for counter in counters:  # noqa: SIM110 - a generator costs more than all of it
            if not counter.answered:
                return False
        return True

    async def know(self, counters: Sequence[LocalCounter]) -> None:
        """Asks the database for those that are not known yet.

        Raises:
            BudgetsUnreadable: it can't be asked.
        """
        unknown = tuple([each for each in counters if not each.is_known])
        if unknown:
            await self._wait(unknown, NOTHING, NOTHING, NOTHING, NOTHING, KNOW_S)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def take(self, counters: Sequence[LocalCounter], amount_usd: Decimal) -> bool:
        """Commits it in all of them, or in none. At once."""
        now = self._clock.monotonic()
        for counter in counters:
            if not counter.affords(amount_usd, now):
                return False
        low_usd = LOW * amount_usd
        for counter in counters:
            free_usd = counter.take(amount_usd, now)
            counter.usual_usd = amount_usd
            if free_usd < low_usd and counter.left_usd > low_usd and now - counter.asked > POLL_S:
                counter.asked = now
                self._due.add(counter)
                self._wake.set()
        return True

    async def acquire(
        self,
        counters: tuple[LocalCounter, ...],
        want_usd: Decimal,
        *,
        enough_usd: Decimal,
        least_usd: Decimal,
        own_usd: Decimal,
        wait_s: float,
    ) -> Decimal | None:
        """Commits as much in all of them: what is wanted, or less where there is no more.

        Args:
            enough_usd: taken at once where there is no more now.
            least_usd: taken at last.
            own_usd: what is committed for the same chat, and is not worth waiting for.
            wait_s: how long to wait where money is only reserved for others.

        Returns:
            None where there is not even that.

        Raises:
            BudgetsUnreadable: the database can't be asked.
        """
        if not self._waiters and self.take(counters, want_usd):
            return want_usd
        for counter in counters:
            counter.usual_usd = want_usd
        return await self._wait(counters, want_usd, enough_usd, least_usd, own_usd, wait_s)

    async def _wait(
        self,
        counters: tuple[LocalCounter, ...],
        want: Decimal,
        enough: Decimal,
        least: Decimal,
        own: Decimal,
        wait_s: float,
    ) -> Decimal | None:
        if self._task is None:
            raise BudgetsUnreadable("nothing was asked: the server is stopping")
        loop = asyncio.get_running_loop()
        waiter = Waiter(
            counters=counters,
            want_usd=want,
            enough_usd=enough,
            least_usd=least,
            own_usd=own,
            born=self._sent,
            done=loop.create_future(),
        )
        self._waiters.append(waiter)
        self._due.update(counters)
        self._wake.set()
        timer = loop.call_later(wait_s, self._expire, waiter)
        try:
            return await waiter.done
        except asyncio.CancelledError:
            if waiter.done.done() and not waiter.done.cancelled() and waiter.done.exception() is None:
                granted = waiter.done.result()
                if granted:
                    self.give_back(counters, granted)
            raise
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def give_back(self, counters: Sequence[LocalCounter], amount_usd: Decimal) -> None:
        for counter in counters:
            counter.give_back(amount_usd)
        self.changed(counters)

    def changed(self, counters: Sequence[LocalCounter] = ()) -> None:
        """Something came free in these, or has to be told to the database in a while."""
        for counter in counters:
            if counter.is_scarce:
                self._look_soon()
                break
        if self._waiters and not self._serving:
            self._serving = True
            asyncio.get_running_loop().call_soon(self._serve)

    def is_first_told(self, counter: LocalCounter, limit_usd: Decimal) -> bool:
        """Whether nobody was told yet that this soft budget is used up."""
        mark = (counter.key, counter.starts_at, limit_usd)
        if mark in self._told:
            return False
        if len(self._told) > 10_000:
            self._told.clear()
        self._told.add(mark)
        return True

    def _expire(self, waiter: Waiter) -> None:
        waiter.is_due = True
        self._due.update(waiter.counters)
        self._wake.set()
        self.changed()

    def _serve(self) -> None:
        """Gives to those who wait, in their order; who needs less than another goes past."""
        self._serving = False
        now = self._clock.monotonic()
        rest: list[Waiter] = []
        for waiter in self._waiters:
            if waiter.done.done():
                continue
            if not self._settled(waiter, now):
                rest.append(waiter)
        self._waiters = rest

    def _settled(self, waiter: Waiter, now: float) -> bool:
        counters = waiter.counters
        if not all(counter.is_known for counter in counters):
            return False
        if not waiter.want_usd:
            waiter.done.set_result(NOTHING)
            return True
        if self.take(counters, waiter.want_usd):
            waiter.done.set_result(waiter.want_usd)
            return True
        short = [counter for counter in counters if not counter.affords(waiter.want_usd, now)]
        if not all(counter.answered > waiter.born for counter in short):
            return False
        available = min(counter.available_usd(now) for counter in counters)
        if waiter.fits(available):
            for counter in counters:
                counter.take(available, now)
            waiter.done.set_result(available)
            return True
        if waiter.is_due or any(waiter.is_hopeless(counter) for counter in short):
            waiter.done.set_result(None)
            return True
        return False

    def _look_soon(self) -> None:
        soon = self._clock.monotonic() + SCARCE_S
        if soon < self._look_at:
            self._look_at = soon
            self._wake.set()

    async def _work(self) -> None:
        while not self._is_closing:
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            now = self._clock.monotonic()
            if now >= self._look_at and (self._counters or self._past):
                self._look_at = now + self._beat_s
                self._look(now)
            await self._exchange()
            if now >= self._sweep_at:
                self._sweep_at = now + self._sweep_s
                await self._sweep()
        for counter in (*self._counters.values(), *self._past):
            counter.used = 0.0
            if counter.held_usd or counter.lost_usd or counter.is_changed:
                self._due.add(counter)
        await self._exchange()

    def _pause_s(self) -> float:
        if self._due:
            return 0.0
        if self._waiters:
            return POLL_S
        until = self._sweep_at
        if self._counters or self._past:
            until = min(until, self._look_at)
        return max(0.0, until - self._clock.monotonic())

    def _look(self, now: float) -> None:
        """Finds what the database has to be told, and forgets what nobody needs."""
        self._past = [each for each in self._past if not self._is_done(each, now)]
        for counter in list(self._counters.values()):
            if self._is_done(counter, now):
                del self._counters[counter.key]
        for counter in (*self._counters.values(), *self._past):
            if (
                counter.is_changed
                or (counter.held_usd and now >= counter.lease_ends - self._lease_s * 2 / 3)
                or (counter.free_usd > 0 and self._is_idle(counter, now))
            ):
                self._due.add(counter)

    def _is_idle(self, counter: LocalCounter, now: float) -> bool:
        return now - counter.used >= (min(SCARCE_S, self._idle_s) if counter.is_scarce else self._idle_s)

    def _is_done(self, counter: LocalCounter, now: float) -> bool:
        return not (
            counter.purses
            or counter.is_changed
            or counter.held_usd
            or counter.committed_usd
            or counter.lost_usd
            or counter in self._due
            or now - max(counter.used, counter.asked) < FORGET_S
        )

    async def _exchange(self) -> None:
        for waiter in self._waiters:  # all that is in the way of anybody
            self._due.update(waiter.counters)
        needs = self._needs()
        due = list(self._due)
        self._due.clear()
        for start in range(0, len(due), MOST_AT_ONCE):
            await self._send(due[start : start + MOST_AT_ONCE], needs)
        self._serve()
        now = self._clock.monotonic()
        if any(need > counter.available_usd(now) for counter, need in self._needs().items()):
            self._wake.set()  # money has come free

    def _needs(self) -> dict[LocalCounter, Decimal]:
        """What those who wait need of each counter, as far as it may be had."""
        needs: dict[LocalCounter, Decimal] = {}
        now = self._clock.monotonic()
        for waiter in self._waiters:
            most = waiter.want_usd
            for counter in waiter.counters:
                if counter.is_known and not counter.is_stale and counter.answered:
                    reach = counter.available_usd(now) + max(NOTHING, counter.left_usd)
                    most = min(most, reach - needs.get(counter, NOTHING))
            is_met = waiter.fits(most) if most < waiter.want_usd else True
            if not is_met:
                continue
            for counter in waiter.counters:
                needs[counter] = needs.get(counter, NOTHING) + most
        return needs

    async def _send(self, counters: list[LocalCounter], needs: dict[LocalCounter, Decimal]) -> None:
        now = self._clock.monotonic()
        waited_for = {counter for waiter in self._waiters for counter in waiter.counters}
        self._sent += 1
        number = self._sent
        requests: list[HoldRequest] = []
        for counter in counters:
            counter.asked = now
            free = max(NOTHING, counter.free_usd)
            need = needs.get(counter)
            is_idle = self._is_closing or self._is_idle(counter, now) or counter in self._past
            if need is None and (is_idle or counter in waited_for):
                # Idle, or of no use to those who wait here: others may have it.
                requests.append(
                    counter.request(keep_free_usd=NOTHING, needed_usd=NOTHING, wished_usd=NOTHING)
                )
                continue
            chunk = CHUNK * counter.usual_usd
            if need is None:
                # Where little is left, nobody keeps much more than the others could have.
                fair = max(2 * counter.usual_usd, (max(NOTHING, counter.left_usd) + free) / 4)
                free = min(free, max(chunk, fair) if counter.left_usd > chunk else fair)
            missing = max(NOTHING, (need or NOTHING) - free)
            requests.append(
                counter.request(
                    keep_free_usd=free,
                    needed_usd=missing,
                    wished_usd=max(missing, chunk + (need or NOTHING) - free),
                )
            )
        try:
            states = await self._ledger.exchange(self._holder, requests, lease_s=self._lease_s)
        except StorageUnavailable as error:
            self._fail(counters, BudgetsUnreadable(f"nothing was asked: {error.detail}"))
            return
        except Exception as error:  # the task must go on; without it nobody would get money any more
            _log.error("asking for money of budgets failed with %s", type(error).__name__)
            self._fail(counters, BudgetsUnreadable("nothing was asked: budgets can't be looked at"))
            return
        done = self._clock.monotonic()
        for counter, sent, state in zip(counters, requests, states, strict=True):
            counter.answer(sent, state, number=number, sent_at=now, now=done, lease_s=self._lease_s)
            if counter.is_scarce:
                self._look_soon()

    def _fail(self, counters: list[LocalCounter], error: BudgetsUnreadable) -> None:
        failed = set(counters)
        for counter in counters:
            counter.fail()
        for waiter in self._waiters:
            if not waiter.done.done() and not failed.isdisjoint(waiter.counters):
                waiter.done.set_exception(error)
        self._waiters = [waiter for waiter in self._waiters if not waiter.done.done()]

    async def _sweep(self) -> None:
        with contextlib.suppress(StorageUnavailable):  # there is another time
            await self._ledger.sweep()
