"""Removes what may go, from PostgreSQL and SQLite."""

import datetime
from functools import partial

import attrs
import sqlalchemy as sa

from adapters.persistence import partitions, retention
from adapters.persistence.months import Month
from adapters.persistence.partitions import Partition
from adapters.persistence.portions import Portions
from adapters.persistence.retention import BEGINNING, Key
from adapters.persistence.tables import MESSAGES
from application.ports.maintenance import PruneReport, Retention


async def foretell(what: Retention, portions: Portions) -> PruneReport:
    """What `prune` would remove; the messages of whole partitions estimated."""

    def look(connection: sa.Connection) -> PruneReport:
        report = PruneReport()
        if what.deleted_before is not None:
            deleted = retention.count_deleted(connection, before=what.deleted_before)
            report = attrs.evolve(report, threads=deleted["threads"], messages=deleted["messages"])
        if what.messages_before is not None:
            old = _Old.of(connection, what.messages_before)
            deleted_before = what.deleted_before
            counts = retention.would_go(connection, before=old.before, deleted_before=deleted_before)
            report = attrs.evolve(
                report,
                partitions=tuple(part.name for part in old.whole),
                messages=report.messages
                + sum(part.rows for part in old.whole)
                + sum(
                    retention.count_old(
                        connection, before=old.before, deleted_before=deleted_before, table=table
                    )
                    for table in old.mixed
                ),
                threads=report.threads + counts["threads"],
                sessions=counts["sessions"],
            )
        if what.keys_before is not None:
            report = attrs.evolve(report, keys=retention.count_keys(connection, before=what.keys_before))
        return report

    return await portions.run(look)


async def prune(what: Retention, portions: Portions) -> PruneReport:
    report = PruneReport()
    if what.deleted_before is not None:
        report = await _prune_deleted(what.deleted_before, report, portions)
    if what.keys_before is not None:
        keys = partial(retention.delete_keys, before=what.keys_before, limit=portions.rows)
        report = attrs.evolve(report, keys=await portions.repeat(keys))
    if what.messages_before is not None:
        # Last, as not every role may drop a month.
        report = await _prune_messages(what.messages_before, report, portions)
    return report


@attrs.frozen(kw_only=True)
class _Old:
    """Where messages lie that may go."""

    before: datetime.datetime
    """On PostgreSQL the beginning of a month, as months go as a whole."""
    whole: tuple[Partition, ...] = ()
    mixed: tuple[sa.FromClause, ...]
    """Whose rows have to be looked at one by one."""

    @classmethod
    def of(cls, connection: sa.Connection, cut_off: datetime.datetime) -> "_Old":
        if connection.dialect.name != "postgresql":
            return cls(before=cut_off, mixed=(MESSAGES,))
        month = Month.of(cut_off)
        parts = partitions.partitions_of(connection, "messages")
        whole = tuple(part for part in parts if part.end is not None and part.end <= month.first_id)
        return cls(
            before=month.start,
            whole=whole,
            mixed=tuple(
                _table(part)
                for part in parts
                if part not in whole and (part.is_default or (part.first or BEGINNING) < month.first_id)
            ),
        )


def _table(part: Partition) -> sa.FromClause:
    return sa.table(part.name, *(sa.column(column.name, column.type) for column in MESSAGES.columns))


async def _prune_deleted(before: datetime.datetime, report: PruneReport, portions: Portions) -> PruneReport:
    messages = threads = 0
    while found := await portions.run(partial(retention.deleted_threads, before=before, limit=100)):
        for thread in found:
            messages += await portions.repeat(partial(_some_messages, thread=thread, limit=portions.rows))
            threads += await portions.run(partial(retention.delete_thread, thread=thread))
    return attrs.evolve(report, messages=messages, threads=threads)


def _some_messages(connection: sa.Connection, thread: Key, limit: int) -> int:
    return retention.delete_messages(connection, retention.messages_of(connection, thread, limit=limit))


async def _prune_messages(cut_off: datetime.datetime, report: PruneReport, portions: Portions) -> PruneReport:
    old = await portions.run(partial(_Old.of, cut_off=cut_off))
    messages, before, limit = report.messages, old.before, portions.rows
    for part in old.whole:
        await portions.repeat(
            partial(
                retention.delete_feedback_of, first=part.first or BEGINNING, end=str(part.end), limit=limit
            )
        )
        await portions.run(partial(_drop, part=part), doing="drop tables")
        messages += part.rows
    for table in old.mixed:
        messages += await portions.walk(
            lambda connection, after, table=table: retention.old_messages(  # type: ignore[misc]  # a default binds it
                connection, before=before, after=after, limit=limit, table=table
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
        partitions=tuple(part.name for part in old.whole),
        messages=messages,
        threads=report.threads + threads,
        sessions=sessions,
    )


def _drop(connection: sa.Connection, part: Partition) -> None:
    """The month's attempts go with it."""
    attempts = [
        each.name
        for each in partitions.partitions_of(connection, "attempts")
        if not each.is_default and (each.first, each.end) == (part.first, part.end)
    ]
    for name in (*attempts, part.name):
        connection.exec_driver_sql(f'DROP TABLE "{name}"')
