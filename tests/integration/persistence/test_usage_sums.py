"""Sums of what was used: they say what the messages say, wherever a use is at the moment, and longer."""

import asyncio
import datetime
import random
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from adapters.in_memory.store import InMemoryStore
from adapters.persistence import schema, usage_sums
from adapters.persistence.engine import Database
from adapters.persistence.store import SQLStore, create
from adapters.persistence.usage_adder import UsageAdder
from adapters.system import SystemClock
from adapters.testing.feedback_suite import rate
from adapters.testing.usage_suite import GPT, KEY, OPUS, START, chat_at
from application.ports.store import Store
from application.use_cases.verify_usage import VerifyUsage, VerifyUsageCommand
from domain.attempt import Attempt
from domain.feedback import Feedback, Rating
from domain.ids import DEFAULT_TENANT, MessageId
from domain.model import ModelRef
from domain.thread import ChatRecord
from domain.usage import Usage
from domain.usage_report import GROUPS, UsageQuery
from tests.support.records import store_config
from tests.support.sqlite_files import put_migrated

HOUR = datetime.timedelta(hours=1)
SPAN = UsageQuery(since=START + 13.4 * HOUR, until=START + 80.7 * HOUR)
OTHER = ModelRef("gemini", "gemini-3-pro")
RATINGS: tuple[Rating, ...] = ("thumbs_up", "thumbs_down", 1, 4)


@attrs.frozen
class SQL:
    """A store, and what adds its log up now."""

    store: SQLStore
    database: Database
    add_up: Callable[[], Any]

    def run(self, statement: str) -> list[Any]:
        engine = self.database.open_for_migration()
        with engine.begin() as connection:
            if self.database.kind == "postgresql":
                connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
            result = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows


@pytest.fixture(params=["sqlite", "postgresql"])
async def sql(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SQL]:
    if request.param == "sqlite":
        put_migrated(tmp_path / "lor3.db")
        url = f"sqlite:///{tmp_path / 'lor3.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    store = cast("SQLStore", create(store_config(url)))
    await store.start()
    database = Database.of(store_config(url))

    async def add_up() -> None:
        if database.kind == "postgresql":
            await UsageAdder(exchange=store._exchange()).add_up()
            return
        engine = database.open_for_writing()
        with engine.begin() as connection:
            usage_sums.add_up(connection)
        engine.dispose()

    yield SQL(store, database, add_up)
    await store.aclose()


def _some_chats(count: int) -> list[ChatRecord]:
    """Of a hundred hours, all sorts of them."""
    chance = random.Random(5)  # noqa: S311 - variety, no more
    chats = []
    for _ in range(count):
        at = START + chance.random() * 100 * HOUR
        model = chance.choice((GPT, OPUS, None))
        status = "failed" if model is None else chance.choice(("complete", "complete", "failed", "cancelled"))
        version = chance.choice(("support:v1", "support:v2", "sales:v1", None))
        tokens = Usage(
            input_tokens=chance.randrange(5000),
            output_tokens=chance.randrange(900),
            cached_input_tokens=chance.randrange(9),
            cache_write_tokens=chance.randrange(3),
            reasoning_tokens=chance.randrange(3),
            estimated=chance.random() < 0.2,
        )
        record = chat_at(
            at,
            user=chance.choice(("ada", "bob", None)),
            model=model,
            status=status,
            error_code="upstream_error" if status == "failed" else None,
            usage=tokens,
            cost_usd=chance.choice((None, Decimal(chance.randrange(10**9)) / 10**12, Decimal("0.1"))),
            latency_ms=round(chance.lognormvariate(6, 1)),
            prompt_version=version,
            prompt_label=chance.choice(("production", None)) if version else None,
            key_id=chance.choice((KEY, None)),
        )
        answered = record.messages[-1].created_at
        tries = [
            Attempt(
                model=each,
                outcome=chance.choice(("ok", "rate_limited", "skipped_breaker", "cancelled")),
                started_at=answered,
                latency_ms=chance.randrange(3000),
                usage=tokens,
                cost_usd=chance.choice((None, Decimal("0.0003"))),
            )
            for each in chance.choices((GPT, GPT, OPUS, OTHER), k=chance.randrange(1, 4))
        ]
        chats.append(attrs.evolve(record, attempts=tuple(tries)))
    return chats


async def _rate_some(store: Store, chats: list[ChatRecord]) -> None:
    """Some change their mind, some take it back."""
    chance = random.Random(6)  # noqa: S311 - variety, no more
    for record in chats[::3]:
        answer = record.messages[-1].id
        for rating in chance.choices((*RATINGS, None), k=2):
            if rating is not None:
                await rate(store, answer, Feedback(rating=rating, given_at=START))
            else:
                await _take_back(store, answer)


async def _take_back(store: Store, message_id: MessageId) -> None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.feedback.lock(message_id)
        await work.feedback.put(message_id, None, at=START)
        await work.commit()


async def _everything(store: Store) -> dict[str, Any]:
    """All reports, each by the name of what it is."""
    found: dict[str, Any] = {}
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        for group_by in (None, *GROUPS):
            query = attrs.evolve(SPAN, group_by=group_by)
            found[f"report by {group_by}"] = await work.usage.report(query)
        found["open report"] = await work.usage.report(attrs.evolve(SPAN, is_open=True))
        by_user = attrs.evolve(SPAN, group_by="user")
        found["series"] = await work.usage.series(by_user, every="hour")
        by_model = attrs.evolve(SPAN, group_by="model")
        found["series of attempts"] = await work.usage.series(by_model, every="day", of="attempts")
        found["prompts"] = await work.usage.prompts(SPAN)
        found["providers"] = await work.usage.providers(SPAN)
        found["errors"] = await work.usage.errors(SPAN)
        short = UsageQuery(since=START + 30.2 * HOUR, until=START + 30.9 * HOUR)
        found["within an hour"] = await work.usage.report(short)
    return found


async def _fill(store: Store, chats: list[ChatRecord]) -> None:
    await asyncio.gather(*(store.journal.commit(record) for record in chats))
    await _rate_some(store, chats)


async def test_reports_say_what_the_messages_say(sql: SQL) -> None:
    """Before they are added up, in between, and after; and as the migration adds up what it finds."""
    chats = _some_chats(80)
    plain = InMemoryStore()
    await _fill(plain, chats)
    expected = await _everything(plain)
    await _fill(sql.store, chats)

    found = [await _everything(sql.store)]
    await sql.add_up()
    found.append(await _everything(sql.store))
    await _rate_some(sql.store, chats)  # the same again: as much is taken off as is added
    found.append(await _everything(sql.store))
    await sql.add_up()
    found.append(await _everything(sql.store))
    await asyncio.to_thread(schema.downgrade, sql.database, "0007")
    await asyncio.to_thread(schema.upgrade, sql.database)
    found.append(await _everything(sql.store))
    for reports in found:
        for name, report in expected.items():
            assert reports[name] == report, name


async def test_reports_outlive_the_messages(sql: SQL) -> None:
    """Of whole hours: retention changes no books."""
    await _fill(sql.store, _some_chats(30))
    query = UsageQuery(since=START, until=START + 200 * HOUR, group_by="user")
    async with sql.store.unit_of_work(DEFAULT_TENANT) as work:
        before = await work.usage.report(query)
    await sql.add_up()
    for table in ("messages", "attempts", "threads", "sessions"):
        sql.run(f"DELETE FROM {table}")  # noqa: S608 - names in this file

    async with sql.store.unit_of_work(DEFAULT_TENANT) as work:
        assert await work.usage.report(query) == before
    assert sum(row.requests for row in before) == 30


async def test_log_is_added_up_and_emptied(sql: SQL) -> None:
    """Each use is in one place; a second time there is nothing to do."""
    await _fill(sql.store, _some_chats(5))
    assert sql.run("SELECT count(*) FROM usage_log") > [(5,)]
    for _ in range(2):
        await sql.add_up()

        assert sql.run("SELECT count(*) FROM usage_log") == [(0,)]
        for table in ("usage_hours", "usage_days"):
            counted = f"SELECT sum(requests) FROM {table} WHERE kind = 'answer'"  # noqa: S608 - as above
            assert sql.run(counted) == [(5,)]


async def test_sums_of_replicas_that_add_up_at_once_are_exact(postgres_url: str) -> None:
    """Nothing is lost or counted twice, and none waits for another in a circle."""
    stores = [cast("SQLStore", create(store_config(postgres_url))) for _ in range(2)]
    for store in stores:
        await store.start()
    adders = [UsageAdder(exchange=store._exchange()) for store in stores]
    chats = _some_chats(80)

    async def commit(store: SQLStore, part: list[ChatRecord]) -> None:
        for record in part:
            await store.journal.commit(record)

    async def add(adder: UsageAdder) -> None:
        for _ in range(15):
            await adder.add_up()

    seen = []

    async def look() -> None:
        for _ in range(10):
            async with stores[0].unit_of_work(DEFAULT_TENANT) as work:
                (row,) = await work.usage.report(UsageQuery(since=START, until=START + 200 * HOUR))
            seen.append(row.requests)

    await asyncio.gather(
        commit(stores[0], chats[:40]), commit(stores[1], chats[40:]), *map(add, adders), look()
    )
    await adders[0].add_up()
    async with stores[1].unit_of_work(DEFAULT_TENANT) as work:
        (row,) = await work.usage.report(UsageQuery(since=START, until=START + 200 * HOUR))
    for store in stores:
        await store.aclose()
    assert row.requests == 80
    assert seen == sorted(seen)


async def test_sqlite_adds_up_by_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log stays short, without a task of its own."""
    monkeypatch.setattr(usage_sums, "_DUE", 10)
    put_migrated(tmp_path / "lor3.db")
    url = f"sqlite:///{tmp_path / 'lor3.db'}"
    store = cast("SQLStore", create(store_config(url)))
    await store.start()
    for record in _some_chats(20):
        await store.journal.commit(record)
    await store.aclose()

    found = SQL(store, Database.of(store_config(url)), lambda: None)
    assert found.run("SELECT count(*) FROM usage_log") < [(14,)]
    assert found.run("SELECT sum(requests) > 0 FROM usage_days WHERE kind = 'answer'") == [(1,)]


async def test_answers_that_no_report_counts_are_found(sql: SQL) -> None:
    """As an older lor3 leaves them; where messages went after they were added up, that is no lack."""
    chats = _some_chats(60)
    await _fill(sql.store, chats)
    await sql.add_up()
    command = VerifyUsageCommand(since=START, until=START + 100 * HOUR)
    verify = VerifyUsage(unit_of_work=sql.store.unit_of_work, clock=SystemClock())
    whole = await verify.execute(command)
    late = [chat_at(START + 30 * HOUR), chat_at(START + 31 * HOUR)]
    for record in late:
        await sql.store.journal.commit(record)
    before = await verify.execute(command)
    sql.run("DELETE FROM usage_log")
    gone = chats[0].messages[-1]
    sql.run(f"UPDATE messages SET model = NULL, provider = NULL, status = 'complete' WHERE id = '{gone.id}'")  # noqa: S608 - our own id
    after = await verify.execute(command)

    assert len(whole.days) >= 4
    assert all(day.is_equal for verified in (whole, before) for day in verified.days)
    assert [day.day for day in after.days if day.is_lacking] == [(START + 30 * HOUR).date()]
    assert {day.day for day in after.days if not day.is_equal} == {
        (START + 30 * HOUR).date(),
        gone.created_at.date(),
    }
