"""The one task that keeps the store small: when it works, and what it survives."""

import asyncio
import datetime
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.randomness import FixedRandomness
from adapters.in_memory.telemetry import RecordingTelemetry
from application.ports.maintenance import PartitionState, PruneReport, Retention, TableRights
from application.use_cases.prune_store import PruneStore, PruneStoreCommand
from domain.errors import StorageUnavailable
from domain.telemetry import StorePruned
from entrypoints.housekeeper import EVERY_S, FIRST_S, Housekeeper

NOW = datetime.datetime(2031, 5, 1, tzinfo=datetime.UTC)
"""By the clock of the store, which is no host's."""


@attrs.define
class Maintaining:
    """Stands for the store: fails as it is told, then reports."""

    failures: list[Exception] = attrs.field(factory=list)
    report: PruneReport = PruneReport()
    prepared: int = 0
    asked: list[tuple[Retention, bool]] = attrs.field(factory=list)

    async def now(self) -> datetime.datetime:
        return NOW

    async def prune(self, retention: Retention, *, dry_run: bool = False) -> PruneReport:
        self.asked.append((retention, dry_run))
        if self.failures:
            raise self.failures.pop(0)
        return self.report

    async def prepare(self) -> tuple[str, ...]:
        self.prepared += 1
        if self.failures:
            raise self.failures.pop(0)
        return ()

    async def partitions(self) -> PartitionState | None:
        return None

    async def lacking_rights(self) -> TableRights:
        return TableRights()


def _prune_store(maintaining: Maintaining, days: int | None = 90) -> PruneStore:
    return PruneStore(
        maintenance=maintaining,
        keeps_messages=None if days is None else datetime.timedelta(days=days),
        keeps_deleted_threads=datetime.timedelta(days=30),
    )


@asynccontextmanager
async def _keeping(
    maintaining: Maintaining, *, days: int
) -> AsyncIterator[tuple[ManualClock, RecordingTelemetry]]:
    """A housekeeper that has worked for so many days of a clock that nobody waits for."""
    clock, telemetry = ManualClock(), RecordingTelemetry()
    housekeeper = Housekeeper(
        maintenance=maintaining,
        prune_store=_prune_store(maintaining),
        clock=clock,
        randomness=FixedRandomness(),
        telemetry=telemetry,
    )
    housekeeper.start()
    async with asyncio.timeout(30):
        while len(clock.slept) <= days:  # noqa: ASYNC110 - the clock is nobody else's to tell of
            await asyncio.sleep(0)
    await housekeeper.aclose()
    yield clock, telemetry


async def test_prepares_at_once_and_prunes_after_minutes_then_daily() -> None:
    """Spread by chance, so that replicas do not all begin at once."""
    maintaining = Maintaining(report=PruneReport(messages=3, keys=1))
    async with _keeping(maintaining, days=2) as (clock, telemetry):
        assert [FIRST_S * 1.5, EVERY_S, EVERY_S] == clock.slept[:3]
        assert (3, 2) == (maintaining.prepared, len(maintaining.asked))
        expected = StorePruned(partitions=0, messages=3, threads=0, sessions=0, keys=1)
        assert [expected, expected] == telemetry.events


async def test_nothing_removed_is_nothing_to_tell() -> None:
    """A log of every day's nothing helps nobody."""
    async with _keeping(Maintaining(), days=1) as (_, telemetry):
        assert telemetry.events == []


async def test_failure_is_logged_and_another_day_tried(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it is; what the store says of it is told, and of a fault of ours the kind."""
    caplog.set_level(logging.WARNING, "lor3.store")
    refused = StorageUnavailable("run `lor3 db prune` as the role that owns the tables")
    maintaining = Maintaining(failures=[refused, RuntimeError("boom"), refused])
    async with _keeping(maintaining, days=3):
        told = [record.getMessage() for record in caplog.records]

    assert [
        "the months to come have no partitions yet: run `lor3 db prune` as the role that owns the tables",
        "the months to come can't be prepared: RuntimeError",
        "what is old can't be removed: run `lor3 db prune` as the role that owns the tables",
    ] == told
    assert 3 == len(maintaining.asked)


async def test_settings_say_what_may_go() -> None:
    """An age that the command names takes the place of the settings'; without either, messages stay. Ages are
    counted by the clock of the store, whatever the host's says."""
    maintaining, now = Maintaining(), NOW
    named = now - datetime.timedelta(days=7)
    await _prune_store(maintaining).execute(PruneStoreCommand())
    await _prune_store(maintaining, days=None).execute(PruneStoreCommand(dry_run=True))
    await _prune_store(maintaining).execute(PruneStoreCommand(messages_before=named))

    assert [now - datetime.timedelta(days=90), None, named] == [
        retention.messages_before for retention, _ in maintaining.asked
    ]
    assert [False, True, False] == [dry_run for _, dry_run in maintaining.asked]
    assert {now - datetime.timedelta(days=30)} == {
        retention.deleted_before for retention, _ in maintaining.asked
    }
    assert {now - datetime.timedelta(hours=1)} == {
        retention.keys_before for retention, _ in maintaining.asked
    }
