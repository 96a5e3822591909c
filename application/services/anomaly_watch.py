"""Watches what answers take, and says where it leaves the usual."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.telemetry import Telemetry
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.background import Background
from domain.anomaly import Anomaly, Consumption
from domain.anomaly_record import SeenAnomaly
from domain.errors import LorError
from domain.ids import Tenant
from domain.telemetry import AnomalySeen, ChatAnswered, Event
from domain.values import frozen

MAX_WATCHED: Final = 3_000
"""Models, prompt versions and keys at a time; the one that was quiet for longest makes way."""
MAX_UNWRITTEN: Final = 100
"""Anomalies that wait for the store at a time; further ones have their event alone."""

_log: Final = logging.getLogger("lor3.anomalies")


@frozen
class _Watched:
    """One model, prompt version or key, of one tenant."""

    key: tuple[str, str, str]
    """Tenant, dimension, name."""
    consumption: Consumption = attrs.field(factory=Consumption)


@attrs.define(kw_only=True)
class AnomalyWatch:
    """A sink of events that feeds what answers took to baselines of its own, and emits `AnomalySeen`.

    Each process watches for itself: what is usual is learnt anew after a start, from some thirty answers. An anomaly
    is written to the store in the background; where that fails the event is all there is, and the failure is counted.
    """

    _telemetry: Telemetry
    """Where what was seen goes: not to this very sink."""
    _unit_of_work: UnitOfWorkFactory
    _background: Background
    _clock: Clock
    _ids: IdGenerator
    unwritten: int = attrs.field(default=0, init=False)
    """Anomalies that could not be stored since the start."""
    _watched: "OrderedDict[tuple[str, str, str], _Watched]" = attrs.field(factory=OrderedDict, init=False)
    _together: dict[tuple[str, str, str | None, str | None], tuple[_Watched, ...]] = attrs.field(
        factory=dict, init=False
    )
    """By tenant, model, prompt version and key: what is watched of their answers. Empty while few have room."""
    _waiting: dict[Tenant, list[SeenAnomaly]] = attrs.field(factory=dict, init=False)
    _count: int = attrs.field(default=0, init=False)
    """Those in `_waiting`, and those being written."""

    def taker(self, kind: type) -> Callable[[Any], None] | None:
        return self._answered if kind is ChatAnswered else None

    def emit(self, event: Event) -> None:
        if isinstance(event, ChatAnswered):
            self._answered(event)

    def _answered(self, event: ChatAnswered) -> None:
        minute = int(self._clock.monotonic()) // 60
        usage, cost_usd = event.usage, event.cost_usd
        tokens = usage.input_tokens + usage.output_tokens
        cost = float(cost_usd) if cost_usd else 0.0
        whose = (event.tenant, str(event.model), event.prompt_version, event.key_id)
        for each in self._together.get(whose) or self._find(*whose):
            for measure, anomaly in each.consumption.see(tokens, cost, minute):
                self._tell(anomaly, event, each.key[1], each.key[2], measure)

    def _find(
        self, tenant: str, model: str, prompt_version: str | None, key_id: str | None
    ) -> tuple[_Watched, ...]:
        # A model is everybody's: one tenant's spike is told as its own, by what is usual for that tenant.
        names = (("model", model), ("prompt_version", prompt_version), ("key", key_id))
        found = tuple([self._one((tenant, kind, name)) for kind, name in names if name is not None])
        # Where it gets crowded somebody has to make way, and each has to say that it is still there.
        if len(self._watched) > MAX_WATCHED // 2:
            self._together.clear()
        elif len(self._together) < MAX_WATCHED:
            self._together[tenant, model, prompt_version, key_id] = found
        return found

    def _one(self, key: tuple[str, str, str]) -> _Watched:
        watched = self._watched.get(key)
        if watched is None:
            if len(self._watched) >= MAX_WATCHED:
                self._watched.popitem(last=False)
            watched = self._watched[key] = _Watched(key)
        else:
            self._watched.move_to_end(key)
        return watched

    def _tell(self, anomaly: Anomaly, event: ChatAnswered, dimension: str, name: str, measure: str) -> None:
        self._telemetry.emit(
            AnomalySeen(
                tenant=event.tenant,
                dimension=dimension,
                name=name,
                measure=measure,
                value=anomaly.value,
                usual=anomaly.usual,
                score=anomaly.score,
                request_id=event.request_id,
                message_id=event.message_id,
            )
        )
        if self._count >= MAX_UNWRITTEN:
            self._lose(1)
            return
        self._count += 1
        tenant = Tenant(event.tenant)
        is_first = not self._waiting
        self._waiting.setdefault(tenant, []).append(
            SeenAnomaly(
                id=self._ids.new(),
                at=self._clock.now(),
                dimension=dimension,
                name=name,
                measure=measure,
                value=anomaly.value,
                usual=anomaly.usual,
                score=anomaly.score,
                message_id=event.message_id,
            )
        )
        if is_first:
            self._background.begin(self._write())

    async def _write(self) -> None:
        """One answer may be an anomaly in several ways: all of them in one go."""
        waiting, self._waiting = self._waiting, {}
        for tenant, seen in waiting.items():
            try:
                async with self._unit_of_work(tenant) as work:
                    await work.anomalies.add(seen)
                    await work.commit()
            except LorError as error:
                self._lose(len(seen))
                _log.warning("%d anomalies could not be stored: %s", len(seen), error.code)
            finally:
                self._count -= len(seen)

    def _lose(self, count: int) -> None:
        self.unwritten += count
