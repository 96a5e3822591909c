"""Counts requests that were turned away, and writes the counts to the store every few seconds."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from typing import Any, Final

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.errors import LorError
from domain.ids import DEFAULT_TENANT, Tenant
from domain.refusal import RefusalCount
from domain.telemetry import (
    ChatLost,
    ChatRefused,
    Event,
    KeyRefused,
    RateRefused,
    RequestRefused,
    RequestsShed,
)
from domain.usage_report import hour_of

EVERY_S: Final = 5.0
MAX_KINDS: Final = 2_000
"""Combinations of tenant, key, code and hour that wait at a time, while the store is away; further ones are lost."""
LAST_S: Final = 3.0
"""How long the last write may take, when the process ends."""
_TOLD: Final = frozenset((KeyRefused, RequestRefused, RateRefused, RequestsShed, ChatRefused, ChatLost))
"""The events that tell of refusals."""
_OF_KEYS: Final = frozenset(("unauthenticated", "forbidden"))

_log: Final = logging.getLogger("lor3.store")


@attrs.define
class _Counted:
    count: int
    last_at: datetime.datetime


_Kind = tuple[Tenant, str | None, str, datetime.datetime]
"""Whose, of which key, the code, and the hour."""


@attrs.define(kw_only=True)
class RefusalTally:
    """A sink of events that adds up what became no message, and owns the one task that writes it down.

    Each refusal is counted once, by the one event that is its own: the boundary's for keys, limits and overload, the
    chat's for what SendChat refuses before it asks anybody, and for what it paid and could not store. Who is not known
    is counted under the tenant `default`. What the store does not take is kept for the next time. A process that is
    killed loses the last few seconds; a commit whose answer is lost on its way may be counted twice.
    """

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    failures: int = attrs.field(default=0, init=False)
    """Writes that failed since the start."""
    lost: int = attrs.field(default=0, init=False)
    """Refusals that could not be kept, nor be counted otherwise."""
    _counted: dict[_Kind, _Counted] = attrs.field(factory=dict, init=False)
    _task: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _is_failing: bool = attrs.field(default=False, init=False)

    def taker(self, kind: type) -> Callable[[Any], None] | None:
        return self.emit if kind in _TOLD else None

    def emit(self, event: Event) -> None:
        match event:
            case KeyRefused() | RequestRefused():
                self._add(event.tenant, event.key_id, event.code)
            case RateRefused():
                self._add(event.tenant, event.key_id, "rate_limited")
            case RequestsShed():
                self._add(None, None, "overloaded", event.requests)
            # Of a chat that had asked somebody the failure is stored. What its key may not do `KeyRefused` tells.
            case ChatRefused() if not event.attempts and event.code not in _OF_KEYS:
                self._add(event.tenant, event.key_id, event.code)
            case ChatLost():
                self._add(event.tenant, None, event.code)
            case _:
                return

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(), name="refusals")

    async def aclose(self) -> None:
        """Writes what there is once more; waits `LAST_S` for it at most."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not self._counted:
            return
        last = asyncio.create_task(self.flush())
        await asyncio.wait((last,), timeout=LAST_S)
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)
        if left := sum(each.count for each in self._counted.values()):
            _log.warning("%d refusals are in no report, as the store did not take them in time", left)

    async def flush(self) -> None:
        """Writes what there is, each tenant's in a transaction; what can't be written stays."""
        counted, self._counted = self._counted, {}
        by_tenant: dict[Tenant, dict[_Kind, _Counted]] = {}
        for kind, each in counted.items():
            by_tenant.setdefault(kind[0], {})[kind] = each
        try:
            while by_tenant:
                tenant = next(iter(by_tenant))
                refusals = [
                    RefusalCount(code=code, key_id=key_id, count=each.count, last_at=each.last_at)
                    for (_, key_id, code, _), each in by_tenant[tenant].items()
                ]
                async with self._unit_of_work(tenant) as work:
                    await work.refusals.add(refusals)
                    await work.commit()
                del by_tenant[tenant]
        except LorError as error:
            self.failures += 1
            if not self._is_failing:
                _log.warning("refusals could not be written down, and will be later: %s", error.code)
            self._is_failing = True
        else:
            self._is_failing = False
        finally:
            for waiting in by_tenant.values():
                for kind, each in waiting.items():
                    self._put(kind, each.count, each.last_at)

    async def _work(self) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            if self._counted:
                await self.flush()

    def _add(self, tenant: str | None, key_id: str | None, code: str, count: int = 1) -> None:
        now = self._clock.now()
        self._put((Tenant(tenant or DEFAULT_TENANT), key_id, code, hour_of(now)), count, now)

    def _put(self, kind: _Kind, count: int, last_at: datetime.datetime) -> None:
        found = self._counted.get(kind)
        if found is not None:
            found.count += count
            found.last_at = max(found.last_at, last_at)
        elif len(self._counted) < MAX_KINDS:
            self._counted[kind] = _Counted(count, last_at)
        else:
            self.lost += count
