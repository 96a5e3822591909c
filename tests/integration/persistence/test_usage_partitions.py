"""Reports look at the months they are about, and at no others."""

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs
import pytest
import sqlalchemy as sa

from adapters.persistence.feedback import FeedbackOfMessages
from adapters.persistence.months import Month
from adapters.persistence.rows import Row
from adapters.persistence.scope import Scope
from adapters.persistence.usage import Usage
from domain.ids import ThreadId
from domain.usage_report import GROUPS, UsageGroup, UsageQuery
from tests.support.months import Past, id_at

_NOW = datetime.datetime.now(datetime.UTC)
_MONTH = Month.of(_NOW)
_AHEAD = Month(_MONTH.number + 2)


@attrs.define
class Explaining:
    """In place of a `Scope`: keeps what would be asked, and finds nothing."""

    asked: list[tuple[sa.Select[Any], dict[str, Any]]] = attrs.field(factory=list)
    database: str = "postgresql"
    is_of_every_tenant: bool = False

    async def allow(self, limit_s: float) -> None:
        """It takes no time."""

    async def rows(
        self, select: sa.Select[Any], table: sa.FromClause, parameters: Mapping[str, Any]
    ) -> list[Row]:
        scoped = select.where(table.c.tenant == sa.bindparam("tenant"))
        self.asked.append((scoped, {**parameters, "tenant": "default"}))
        return []


@pytest.fixture
def past(postgres_url: str) -> Iterator[Past]:
    opened = Past(postgres_url)
    yield opened
    opened.close()


def _partitions_read(past: Past, scope: Explaining) -> set[str]:
    """Of messages, by the plans of what was asked."""
    text = ""
    for select, parameters in scope.asked:
        text += _plan(past, select, parameters)
    return set(re.findall(r"on (messages_\w+)", text))


def _plan(past: Past, select: sa.Select[Any], parameters: dict[str, Any]) -> str:
    sent: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        sent.append((statement, parameters))

    with past._engine.begin() as connection:
        past._see_all(connection)
        sa.event.listen(connection, "before_cursor_execute", keep)
        connection.execute(select, parameters)
        sa.event.remove(connection, "before_cursor_execute", keep)
        ((statement, values),) = sent
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        return "\n".join(row[0] for row in plan)


@pytest.mark.parametrize("group_by", [None, *GROUPS])
async def test_usage_report_reads_the_months_of_its_time(past: Past, group_by: UsageGroup | None) -> None:
    """Parts of hours alone, however it is grouped; and what is rated in later months, as a copy there may be of an
    answer of its time."""
    scope = Explaining()
    since = _AHEAD.start + datetime.timedelta(days=3, minutes=10)
    query = UsageQuery(since=since, until=since + datetime.timedelta(days=20), group_by=group_by)
    await Usage(cast("Scope", scope)).report(query)

    read = _partitions_read(past, scope)
    assert f"messages_{_AHEAD.name}" in read
    assert read <= {f"messages_{_AHEAD.name}", f"messages_{_AHEAD.next.name}", "messages_default"}


async def test_usage_report_of_whole_hours_reads_no_message(past: Past) -> None:
    """They are added up."""
    scope = Explaining()
    query = UsageQuery(since=_MONTH.start, until=_NOW, group_by="user", is_open=True)
    await Usage(cast("Scope", scope)).report(query)

    assert _partitions_read(past, scope) == set()


async def test_feedback_of_a_thread_reads_no_month_before_it(past: Past) -> None:
    """A thread's messages are no older than the thread."""
    scope = Explaining()
    thread_id = ThreadId(id_at(_AHEAD.start + datetime.timedelta(days=3)))
    await FeedbackOfMessages(cast("Scope", scope)).of_thread(thread_id, limit=10)

    read = _partitions_read(past, scope)
    assert f"messages_{_AHEAD.name}" in read
    assert read <= {f"messages_{_AHEAD.name}", f"messages_{_AHEAD.next.name}", "messages_default"}


async def test_export_reads_no_month_before_its_beginning(past: Past) -> None:
    """Nor those behind which it goes on."""
    since = _AHEAD.start + datetime.timedelta(days=3)
    scope = Explaining()
    await FeedbackOfMessages(cast("Scope", scope)).rated(since=since, limit=10)

    read = _partitions_read(past, scope)
    assert f"messages_{_AHEAD.name}" in read
    assert f"messages_{_MONTH.name}" not in read
