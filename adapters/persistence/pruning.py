"""Removes what may go, from PostgreSQL and SQLite."""

import datetime
from functools import partial
from typing import Final

import attrs
import sqlalchemy as sa

from adapters.persistence import old_months, retention
from adapters.persistence.old_months import OldMessages
from adapters.persistence.portions import Portions
from adapters.persistence.retention import Key
from adapters.persistence.tables import ATTEMPTS, FEEDBACK_CHANGES
from application.ports.maintenance import PruneReport, Retention

_AT_ONCE: Final = 100
"""Deleted threads that are found with one look."""


def store_time(connection: sa.Connection) -> datetime.datetime:
    """PostgreSQL's own; a file of SQLite has none but that of this host."""
    if connection.dialect.name != "postgresql":
        return datetime.datetime.now(datetime.UTC)
    now: datetime.datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
    return now


async def foretell(what: Retention, portions: Portions) -> PruneReport:
    """What `prune` would remove; the messages of whole partitions estimated."""

    def look(connection: sa.Connection) -> PruneReport:
        report = PruneReport()
        old = _look(connection, what)
        deleted_before = what.deleted_before
        if deleted_before is not None:
            deleted = retention.count_deleted(
                connection, before=deleted_before, but=() if old is None else old.whole_ids
            )
            report = attrs.evolve(report, threads=deleted["threads"], messages=deleted["messages"])
        if old is not None:
            counts = retention.would_go(
                connection, before=old.before, deleted_before=deleted_before, whole=old.whole_ids
            )
            report = attrs.evolve(
                report,
                partitions=tuple(month.name for month in old.whole),
                messages=report.messages
                + sum(month.messages for month in old.whole)
                + sum(
                    retention.count_old(
                        connection, before=old.before, deleted_before=deleted_before, table=table
                    )
                    for table in old.mixed
                ),
                is_estimated=any(month.is_estimated for month in old.whole),
                threads=report.threads + counts["threads"],
                sessions=counts["sessions"],
            )
        if what.keys_before is not None:
            report = attrs.evolve(report, keys=retention.count_keys(connection, before=what.keys_before))
        return report

    return await portions.run(look)


async def prune(what: Retention, portions: Portions) -> PruneReport:
    old = await portions.run(partial(_look, what=what))
    report = PruneReport()
    if what.keys_before is not None:
        # First, as a deleted thread takes its own with it.
        keys = partial(retention.delete_keys, before=what.keys_before, limit=portions.rows)
        report = attrs.evolve(report, keys=await portions.repeat(keys))
    if what.deleted_before is not None:
        report = await _prune_deleted(what.deleted_before, old, report, portions)
    if old is not None:
        # Last, as not every role may drop a month.
        report = await _prune_messages(old, report, portions)
    return report


def _look(connection: sa.Connection, what: Retention) -> OldMessages | None:
    """None where messages stay whatever their age.

    Raises:
        InvalidRequest: what may go is no past yet.
    """
    what.demand_past(store_time(connection))
    return None if what.messages_before is None else OldMessages.of(connection, what.messages_before)


async def _prune_deleted(
    before: datetime.datetime, old: OldMessages | None, report: PruneReport, portions: Portions
) -> PruneReport:
    messages = threads = 0
    counted_with_months = () if old is None else old.whole_ids

    def some(connection: sa.Connection, thread: Key) -> tuple[int, int]:
        found = retention.messages_of(connection, thread, limit=portions.rows)
        retention.delete_messages(connection, found)
        return len(found), old_months.in_none(found, counted_with_months)

    while found := await portions.run(partial(retention.deleted_threads, before=before, limit=_AT_ONCE)):
        for thread in found:
            more = 1
            while more:
                more, counted = await portions.run(partial(some, thread=thread))
                messages += counted
            threads += await portions.run(partial(retention.delete_thread, thread=thread))
    return attrs.evolve(report, messages=messages, threads=threads)


async def _prune_messages(old: OldMessages, report: PruneReport, portions: Portions) -> PruneReport:
    messages, before, limit = report.messages, old.before, portions.rows
    dropped = [
        month
        for month in old.whole
        if await portions.run(partial(old_months.drop, month=month), doing="drop tables")
    ]
    messages += sum(month.messages for month in dropped)
    await _sweep(before, portions)
    for table in old.mixed:
        messages += await portions.walk(
            lambda connection, after, table=table: (  # type: ignore[misc]  # a default binds it
                retention.old_messages(connection, before=before, after=after, limit=limit, table=table)
                if old_months.is_there(connection, table)
                else []
            ),
            retention.delete_messages,
        )
    threads = await portions.walk(
        lambda connection, after: retention.empty_threads(
            connection, before=before, after=after, limit=limit
        ),
        partial(retention.delete_empty_threads, before=before),
    )
    sessions = await portions.walk(
        lambda connection, after: retention.empty_sessions(
            connection, before=before, after=after, limit=limit
        ),
        retention.delete_empty_sessions,
    )
    return attrs.evolve(
        report,
        partitions=tuple(month.name for month in dropped),
        messages=messages,
        is_estimated=any(month.is_estimated for month in dropped),
        threads=report.threads + threads,
        sessions=sessions,
    )


async def _sweep(before: datetime.datetime, portions: Portions) -> None:
    """Removes what months left behind, those of earlier runs too.

    Only now: a month that can't be dropped keeps the history of its feedback, and whoever rated one of its messages
    had to be done before it could go.
    """
    for ids in await portions.run(partial(old_months.gone, before=before)):
        for table in (FEEDBACK_CHANGES, ATTEMPTS):
            await portions.walk(
                partial(_left, table=table, ids=ids, limit=portions.rows),
                partial(retention.delete_of, table=table),
            )


def _left(
    connection: sa.Connection, after: str, table: sa.Table, ids: retention.IdRange, limit: int
) -> list[Key]:
    return retention.left_behind(connection, table, ids=ids, after=after, limit=limit)
