"""Watches what answers take, and says where it leaves the usual."""

import logging
from collections import OrderedDict
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.telemetry import Telemetry
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.background import Background
from domain.anomaly import Anomaly, Baseline, MinuteSum
from domain.anomaly_record import SeenAnomaly
from domain.errors import LorError
from domain.ids import Tenant
from domain.telemetry import AnomalySeen, ChatAnswered, Event

MAX_WATCHED: Final = 3_000
"""Models, prompt versions and keys at a time; the one that was quiet for longest makes way."""
MAX_UNWRITTEN: Final = 100
"""Anomalies that wait for the store at a time; further ones have their event alone."""

_log: Final = logging.getLogger("lor3.anomalies")


@attrs.define
class _Watched:
    """The baselines of one model, prompt version or key."""

    tokens: Baseline = attrs.field(factory=Baseline)
    cost: Baseline = attrs.field(factory=Baseline)
    tokens_a_minute: MinuteSum = attrs.field(factory=MinuteSum)
    cost_a_minute: MinuteSum = attrs.field(factory=MinuteSum)


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
    _waiting: dict[Tenant, list[SeenAnomaly]] = attrs.field(factory=dict, init=False)
    _count: int = attrs.field(default=0, init=False)
    """Those in `_waiting`, and those being written."""

    def emit(self, event: Event) -> None:
        if not isinstance(event, ChatAnswered):
            return
        minute = int(self._clock.monotonic() // 60)
        usage, cost_usd = event.usage, event.cost_usd
        tokens = usage.input_tokens + usage.output_tokens
        cost = float(cost_usd) if cost_usd else 0.0
        self._see(event, "model", str(event.model), tokens, cost, minute)
        if event.prompt_version is not None:
            self._see(event, "prompt_version", event.prompt_version, tokens, cost, minute)
        if event.key_id is not None:
            self._see(event, "key", event.key_id, tokens, cost, minute)

    def _see(
        self, event: ChatAnswered, dimension: str, name: str, tokens: int, cost: float, minute: int
    ) -> None:
        # A model is everybody's: one tenant's spike is told as its own, by what is usual for that tenant.
        key = (event.tenant, dimension, name)
        watched = self._watched.get(key)
        if watched is None:
            if len(self._watched) >= MAX_WATCHED:
                self._watched.popitem(last=False)
            watched = self._watched[key] = _Watched()
        else:
            self._watched.move_to_end(key)
        if (anomaly := watched.tokens.see(tokens)) is not None:
            self._tell(anomaly, event, dimension, name, "tokens")
        if (anomaly := watched.tokens_a_minute.see(tokens, minute)) is not None:
            self._tell(anomaly, event, dimension, name, "tokens_per_minute")
        if cost:
            if (anomaly := watched.cost.see(cost)) is not None:
                self._tell(anomaly, event, dimension, name, "cost_usd")
            if (anomaly := watched.cost_a_minute.see(cost, minute)) is not None:
                self._tell(anomaly, event, dimension, name, "cost_usd_per_minute")

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
