"""Sees to it that a request which is sent twice is answered, and charged, once."""

import asyncio
import logging
from collections import defaultdict
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.telemetry import Telemetry
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.errors import KeyInFlight, KeyReused, LorError
from domain.idempotency import (
    RENEW_S,
    Answered,
    Claimed,
    ClaimOutcome,
    IdempotencyKey,
    InFlight,
    OfAnotherRequest,
)
from domain.ids import DEFAULT_TENANT, Tenant
from domain.telemetry import ChatReplayed
from domain.values import frozen

_LOGGER: Final = logging.getLogger(__name__)

SWEEP_S: Final = 5.0
"""How often claims are looked for whose owner went silent."""
ASK_AGAIN_S: Final = (1.0, 2.0)
"""The least and the most that a caller is told to wait for another one's answer."""
DRAIN_S: Final = 2.0

_Place = tuple[Tenant, str]


@frozen
class _Held:
    claim: Claimed
    fingerprint: str


@attrs.define(kw_only=True)
class IdempotencyGuard:
    """Claims keys for this process's requests, and says every `RENEW_S` that it still works on them.

    A claim is committed before anything costs; the chat record completes it, and `forget` takes note of that;
    a failure gives it back by `release`. Whoever dies meanwhile is silent, so its lease ends, and the next request
    with the key takes over. Nothing of a key goes into a log, an event or an error.
    """

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock
    _ids: IdGenerator
    _telemetry: Telemetry
    _held: dict[_Place, _Held] = attrs.field(factory=dict, init=False)
    """Claims of requests under way in this process."""
    _places: dict[str, _Place] = attrs.field(factory=dict, init=False)
    """Where each owner's claim is in `_held`."""
    _asking: "dict[_Place, tuple[str, asyncio.Task[ClaimOutcome]]]" = attrs.field(factory=dict, init=False)
    """Claims on their way to the database, each with its fingerprint: its duplicates wait for it."""
    _tenants: set[Tenant] = attrs.field(factory=lambda: {DEFAULT_TENANT}, init=False)
    """Whose silent claims are looked for: those of tenants that this process has seen a key of. Nobody needs the mark
    of others, since whoever sends such a key again takes it over, marked or not."""
    _afterwards: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)
    """Releases of claims that were got for a caller who had left."""
    _heart: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)

    async def claim(
        self, tenant: Tenant, key: IdempotencyKey, *, request_id: str | None = None
    ) -> Claimed | Answered:
        """The caller's to answer, or the answer that the key completed with before.

        Raises:
            KeyInFlight: another request holds the key; says when to ask again.
            KeyReused: the key was sent with another request.
            StorageUnavailable: the database is away, so nothing may be asked.
        """
        outcome = await self._outcome((tenant, key.key), key)
        if isinstance(outcome, InFlight):
            raise _in_flight(outcome.lease_left_s)
        if isinstance(outcome, OfAnotherRequest):
            raise _reused()
        if isinstance(outcome, Answered):
            self._telemetry.emit(
                ChatReplayed(
                    request_id=request_id,
                    tenant=tenant,
                    message_id=outcome.answer.message_id,
                    thread_id=outcome.answer.thread_id,
                    model=outcome.answer.model,
                )
            )
        return outcome

    def forget(self, claim: Claimed) -> None:
        """The claim is completed: its chat is stored."""
        place = self._places.pop(claim.owner, None)
        if place is not None:
            del self._held[place]

    async def release(self, tenant: Tenant, claim: Claimed) -> None:
        """The request failed: the same key may be sent again. Where the database is away, the lease ends by itself."""
        self.forget(claim)
        try:
            async with self._unit_of_work(tenant) as work:
                await work.idempotency.release(claim)
                await work.commit()
        except LorError as error:
            _LOGGER.warning("a claim of an idempotency key was left to its lease: %s", error.code)

    async def start(self) -> None:
        """Starts the heartbeat; owned by the guard, ended by `aclose`."""
        self._heart = asyncio.create_task(self._beat(), name="lor3-idempotency")

    async def aclose(self) -> None:
        """Ends the heartbeat, and gives back what is still held. After the requests have ended."""
        heart, self._heart = self._heart, None
        if heart is not None:
            heart.cancel()
            await asyncio.wait((heart,), timeout=DRAIN_S)
        under_way: set[asyncio.Task[object]] = {task for _, task in self._asking.values()}
        if under_way:
            await asyncio.wait(under_way, timeout=DRAIN_S)
        left = [(tenant, held.claim) for (tenant, _), held in self._held.items()]
        for tenant, claim in left:
            self._later(tenant, claim)
        if self._afterwards:
            _, late = await asyncio.wait(self._afterwards, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _outcome(self, place: _Place, key: IdempotencyKey) -> ClaimOutcome:
        while True:
            held = self._held.get(place)
            if held is not None:  # in this very process: no need to ask the database
                return (
                    InFlight(lease_left_s=0.0) if held.fingerprint == key.fingerprint else OfAnotherRequest()
                )
            asking = self._asking.get(place)
            if asking is None:
                return await self._ask(place, key)
            fingerprint, task = asking
            await asyncio.wait((task,))
            if fingerprint == key.fingerprint:
                outcome = task.result()
                return InFlight(lease_left_s=0.0) if isinstance(outcome, Claimed) else outcome

    async def _ask(self, place: _Place, key: IdempotencyKey) -> ClaimOutcome:
        """Claims in a task of its own, so that a caller who leaves does not cut it in two."""
        tenant, _ = place
        self._tenants.add(tenant)
        task = asyncio.ensure_future(self._claim(tenant, key))
        self._asking[place] = (key.fingerprint, task)
        task.add_done_callback(lambda _: self._asking.pop(place))
        try:
            outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: self._give_back(tenant, done))
            raise
        if isinstance(outcome, Claimed):
            self._held[place] = _Held(outcome, key.fingerprint)
            self._places[outcome.owner] = place
        return outcome

    async def _claim(self, tenant: Tenant, key: IdempotencyKey) -> ClaimOutcome:
        async with self._unit_of_work(tenant) as work:
            outcome = await work.idempotency.claim(key, owner=self._ids.new())
            if isinstance(outcome, Claimed):
                await work.commit()
            return outcome

    def _give_back(self, tenant: Tenant, task: "asyncio.Task[ClaimOutcome]") -> None:
        if task.cancelled() or task.exception() is not None:
            return
        outcome = task.result()
        if isinstance(outcome, Claimed):
            self._later(tenant, outcome)

    def _later(self, tenant: Tenant, claim: Claimed) -> None:
        task = asyncio.ensure_future(self.release(tenant, claim))
        self._afterwards.add(task)
        task.add_done_callback(self._afterwards.discard)

    async def _beat(self) -> None:
        swept_at: float | None = None
        while True:
            await self._clock.sleep(RENEW_S)
            try:
                await self._renew()
                now = self._clock.monotonic()
                if swept_at is None or now - swept_at >= SWEEP_S:
                    swept_at = now
                    await self._sweep()
            except Exception as error:
                # The task must go on: without it every claim of this process ends while its request runs.
                _LOGGER.error("the heartbeat of idempotency keys failed with %s", type(error).__name__)

    async def _renew(self) -> None:
        by_tenant: dict[Tenant, list[Claimed]] = defaultdict(list)
        for (tenant, _), held in self._held.items():
            by_tenant[tenant].append(held.claim)
        for tenant, claims in by_tenant.items():
            try:
                async with self._unit_of_work(tenant) as work:
                    await work.idempotency.renew(claims)
                    await work.commit()
            except LorError as error:
                # The lease is longer than three of these. Past it, who takes over wins, and this one can't commit.
                _LOGGER.warning("claims of idempotency keys were not renewed: %s", error.code)

    async def _sweep(self) -> None:
        for tenant in tuple(self._tenants):
            try:
                async with self._unit_of_work(tenant) as work:
                    await work.idempotency.interrupt()
                    await work.commit()
            except LorError as error:
                # Only a mark, and readiness tells of the database: nobody need read of it.
                _LOGGER.debug("interrupted idempotency keys were not looked for: %s", error.code)


def _in_flight(lease_left_s: float) -> KeyInFlight:
    least, most = ASK_AGAIN_S
    return KeyInFlight(
        "the first request with this Idempotency-Key is still being answered; send it again in a moment",
        retry_after_s=min(most, max(least, lease_left_s)),
    )


def _reused() -> KeyReused:
    return KeyReused(
        "this Idempotency-Key was sent with another request before: send a new key with each new request"
    )
