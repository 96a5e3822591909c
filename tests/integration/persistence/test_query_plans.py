"""What PostgreSQL does for the store's queries on a year of messages: by their index, in the months they are of."""

import datetime
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from adapters.persistence import postgresql_exchange, tenancy
from adapters.persistence.months import Month
from adapters.persistence.partitions import make
from adapters.persistence.postgresql_exchange import Statement
from adapters.persistence.store import SQLStore, create
from application.ports.unit_of_work import UnitOfWork
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.thread import ThreadOrder
from tests.support.databases import Databases
from tests.support.months import Past
from tests.support.records import new_chat, next_chat, store_config

_NOW = datetime.datetime.now(datetime.UTC)
_MONTH = Month.of(_NOW)
_YEAR = [Month(_MONTH.number - back) for back in range(12, 0, -1)]
_OLD = re.compile(r"(?:messages|attempts)_(" + "|".join(month.name for month in _YEAR) + ")")
_MANY = """
WITH ids AS (SELECT n, (lpad(to_hex((:start + n * 800) :: bigint), 12, '0') || '7000a'
    || substr(md5(n::text || :start), 1, 15))::uuid AS id FROM generate_series(1, 2500) n)
INSERT INTO messages (tenant, id, thread_id, position, role, content, status, pinned, created_at)
SELECT 'default', id, :thread, n, 'user', '{"parts": []}', 'complete', false, now() FROM ids
"""
_TRIES = (
    "INSERT INTO attempts (tenant, message_id, number, provider, model, outcome, started_at, latency_ms, "
    "input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_estimated) "
    "SELECT tenant, id, 0, 'demo', 'demo', 'ok', now(), 1, 0, 0, 0, 0, 0, false FROM messages"
)

_THREADS = (
    'INSERT INTO sessions (tenant, id, "user", created_at) '
    "SELECT 'default', gen_random_uuid(), 'u' || n, now() FROM generate_series(1, 2000) n",
    "INSERT INTO threads (tenant, id, session_id, next_position, created_at, updated_at) "
    "SELECT tenant, gen_random_uuid(), id, 0, now(), now() FROM sessions, generate_series(1, 10) "
    "WHERE \"user\" LIKE 'u%'",
    "INSERT INTO thread_tags (tenant, thread_id, tag) "
    "SELECT tenant, id, 'common' FROM threads WHERE next_position = 0",
    "INSERT INTO thread_tags (tenant, thread_id, tag) "
    "SELECT tenant, id, 'rare' FROM threads WHERE next_position = 0 LIMIT 5",
)


@attrs.define
class Plans:
    """A store, each of whose statements is run with EXPLAIN (and rolled back) just before it is run."""

    store: SQLStore
    past: Past
    url: str
    thread: ThreadId
    _nodes: list[str] = attrs.field(factory=list, init=False)

    async def of(self, work: Callable[[UnitOfWork], Awaitable[object]]) -> str:
        self.taken()
        async with self.store.unit_of_work(DEFAULT_TENANT) as unit:
            await work(unit)
        return self.taken()

    def taken(self) -> str:
        """The nodes of the plans since the last time, but those that were never executed."""
        nodes, self._nodes = self._nodes, []
        return "\n".join(nodes)

    def explain(self, statement: str, parameters: Any) -> None:
        if not re.match(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)\b", statement):
            return
        with psycopg.connect(self.url) as connection:
            cursor = (psycopg.RawCursor if isinstance(parameters, list) else psycopg.Cursor)(connection)
            connection.execute(tenancy.set_local(tenancy.ALL))
            # Rows that the store has locked can't be changed beside it: then the plan alone has to do.
            analyze = "" if statement.startswith("DELETE") else "ANALYZE, "
            cursor.execute(f"EXPLAIN ({analyze}COSTS OFF) {statement}", parameters)
            self._nodes += [str(line) for (line,) in cursor if "never executed" not in str(line)]
            connection.rollback()


@attrs.frozen
class Filled:
    """A database that holds a year."""

    url: str
    thread: ThreadId
    """Of this month, with a few messages."""


@pytest.fixture(scope="module")
def a_year(postgres_databases: Databases) -> Iterator[Filled]:
    """30,000 messages of a year, and a thread of this month with a few; one for all that look at plans."""
    with postgres_databases.fresh() as url:
        past = Past(url)
        engine = past.database.open_for_migration()
        with engine.begin() as connection:
            for month in _YEAR:
                for table in ("messages", "attempts"):
                    make(connection, table, month, most_moved=None)
        engine.dispose()
        for month in _YEAR:
            old = past.thread(begun=month.start)
            past.run(_MANY, start=int(month.start.timestamp() * 1000), thread=old)
        past.run(_MANY, start=int(_NOW.timestamp() * 1000), thread=past.thread(begun=_NOW))
        past.run(_TRIES)
        thread = past.thread(*[_NOW] * 40)
        for table in ("messages", "attempts", "threads", "sessions"):
            past.run(f"ANALYZE {table}")
        past.close()
        yield Filled(url, ThreadId(thread))


@pytest.fixture(scope="module")
def many_threads(postgres_databases: Databases) -> Iterator[Filled]:
    """20,000 threads of 2,000 users, a few of them with a tag that is rare."""
    with postgres_databases.fresh() as url:
        past = Past(url)
        thread = past.thread(_NOW)
        for statement in _THREADS:
            past.run(statement)
        for table in ("sessions", "threads", "thread_tags"):
            past.run(f"ANALYZE {table}")
        past.close()
        yield Filled(url, ThreadId(thread))


@pytest.fixture
async def plans(a_year: Filled, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plans]:
    async with _watched(a_year, monkeypatch) as found:
        yield found


@pytest.fixture
async def plans_of_many(many_threads: Filled, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plans]:
    async with _watched(many_threads, monkeypatch) as found:
        yield found


@asynccontextmanager
async def _watched(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plans]:
    store = create(store_config(filled.url, statement_timeout_s=20))
    assert isinstance(store, SQLStore)
    await store.start()
    found = Plans(store=store, past=Past(filled.url), url=filled.url, thread=filled.thread)

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        found.explain(statement, parameters)

    execute = postgresql_exchange.execute

    async def kept(connection: Any, statement: Statement, parameters: Any, **named: Any) -> Any:
        found.explain(statement.text.decode(), [value and value.decode() for value in parameters])
        return await execute(connection, statement, parameters, **named)

    sa.event.listen(store._pool().sync_engine, "before_cursor_execute", keep)
    monkeypatch.setattr(postgresql_exchange, "execute", kept)
    yield found
    await store.aclose()
    found.past.close()


def _is_fitting(plan: str) -> None:
    """No month but the thread's own is looked at, but for those to come, and that one by an index."""
    assert "actual" in plan
    assert not _OLD.findall(plan), plan
    assert f"Seq Scan on messages_{_MONTH.name}" not in plan, plan
    assert f"Seq Scan on attempts_{_MONTH.name}" not in plan, plan


async def test_tail_of_a_thread_is_read_from_its_own_months(plans: Plans) -> None:
    """By the index of its positions."""
    plan = await plans.of(lambda work: work.messages.tail(plans.thread, limit=10))

    _is_fitting(plan)
    assert "Index Scan" in plan


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_of_a_thread_are_read_from_its_own_months(plans: Plans, newest_first: bool) -> None:
    """Both ways."""
    _is_fitting(
        await plans.of(
            lambda work: work.messages.page(plans.thread, after=5, limit=10, newest_first=newest_first)
        )
    )


async def test_conversation_is_read_from_its_own_months(plans: Plans) -> None:
    """The read before each continued chat."""
    plans.taken()
    conversation = await plans.store.conversations.conversation(DEFAULT_TENANT, plans.thread, limit=10)

    assert conversation is not None
    _is_fitting(plans.taken())


async def test_message_and_its_attempts_are_found_in_its_month(plans: Plans) -> None:
    """By the id alone."""
    (message_id,) = plans.past.run(
        "SELECT id::text FROM messages WHERE thread_id = :id AND position = 7", id=plans.thread
    )

    _is_fitting(await plans.of(lambda work: work.messages.get(MessageId(message_id))))
    _is_fitting(await plans.of(lambda work: work.messages.attempts(MessageId(message_id))))


async def test_commit_of_a_chat_touches_its_month_alone(plans: Plans) -> None:
    """The one statement that stores a batch, for new threads and for continued ones."""
    chat = new_chat()
    for record in (chat, next_chat(chat)):
        plans.taken()
        await plans.store.journal.commit(record)
        plan = plans.taken()
        assert "Insert on messages" in plan
        _is_fitting(plan)


@pytest.mark.parametrize("order", ["created", "updated"])
@pytest.mark.parametrize("chosen", [{"tag": "rare"}, {"user": "u7"}, {"user": "u7", "tag": "common"}])
async def test_threads_of_a_user_or_tag_are_found_by_an_index(
    plans_of_many: Plans, chosen: dict[str, str], order: ThreadOrder
) -> None:
    """Among twenty thousand, without a look at the others."""
    found: list[object] = []

    async def work(unit: UnitOfWork) -> None:
        page = await unit.threads.list(user=chosen.get("user"), tag=chosen.get("tag"), order=order, limit=20)
        found.extend(page)

    plan = await plans_of_many.of(work)

    assert len(found) == (10 if "user" in chosen else 5)
    assert "Seq Scan" not in plan, plan
    assert max(int(each) for each in re.findall(r"rows=(\d+)", plan)) <= 20, plan


async def test_old_thread_is_purged_by_keys(plans: Plans) -> None:
    """Of a few messages that are a year old: what was tried since for others is not looked through."""
    old = ThreadId(plans.past.thread(*[_YEAR[0].start + datetime.timedelta(days=2)] * 30))
    plan = await plans.of(lambda work: work.threads.purge(old))

    assert "Delete on attempts" in plan
    months = "|".join(month.name for month in (*_YEAR, _MONTH))
    assert not re.findall(rf"Seq Scan on \w+_(?:{months})", plan), plan
