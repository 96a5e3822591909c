"""What is removed for its age, and what is not, on both databases."""

import asyncio
import datetime
import uuid
from collections.abc import Iterator

import pytest

from adapters.persistence import schema
from adapters.persistence.engine import Database
from adapters.persistence.maintenance import SQLMaintenance
from adapters.persistence.months import Month
from adapters.persistence.store import create
from application.ports.maintenance import PruneReport, Retention
from domain.errors import InvalidRequest
from tests.support.months import Past, id_at
from tests.support.records import new_chat, store_config

_NOW = datetime.datetime.now(datetime.UTC)
_THIS = Month.of(_NOW)
_OLD = Month(_THIS.number - 4).start + datetime.timedelta(days=3)
_CUT_OFF = Month(_THIS.number - 2).start
_RETENTION = Retention(messages_before=_CUT_OFF)


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    fixture = {"postgresql": "postgres_url", "sqlite": "sqlite_url"}[request.param]
    found: str = request.getfixturevalue(fixture)
    if request.param == "sqlite":
        schema.upgrade(Database.of(store_config(found)))
    return found


@pytest.fixture
def past(url: str) -> Iterator[Past]:
    opened = Past(url)
    yield opened
    opened.close()


@pytest.fixture
def maintenance(past: Past) -> SQLMaintenance:
    return SQLMaintenance(database=past.database)


async def test_old_messages_go_with_all_that_belongs_to_them(past: Past, maintenance: SQLMaintenance) -> None:
    """And so do threads and sessions that are left without any; a thread that is still written to stays."""
    past.thread(_OLD, _OLD, tenant="globex")
    living = past.thread(_OLD, _NOW)
    past.thread(_NOW)
    foretold = await maintenance.prune(_RETENTION, dry_run=True)

    assert PruneReport(messages=3, threads=1, sessions=1) == foretold
    assert past.counts()["messages"] == 5
    assert foretold == await maintenance.prune(_RETENTION)
    assert {
        "sessions": 2,
        "threads": 2,
        "messages": 2,
        "attempts": 2,
        "feedback_changes": 2,
        "idempotency_keys": 0,
    } == past.counts()
    assert past.run("SELECT position FROM messages WHERE thread_id = :id", id=living) == [1]
    assert PruneReport() == await maintenance.prune(_RETENTION)


async def test_nothing_goes_unless_it_is_said(past: Past, maintenance: SQLMaintenance) -> None:
    """None keeps everything for ever."""
    past.thread(_OLD, deleted_at=_OLD)
    before = past.counts()

    assert PruneReport() == await maintenance.prune(Retention())
    assert before == past.counts()


async def test_id_that_says_no_time_goes_by_when_it_was_made(past: Past, maintenance: SQLMaintenance) -> None:
    """An id that is no UUIDv7 may be less than that of any time, or more."""
    low, high = "00000000-0000-4000-8000-000000000001", "ffffffff-ffff-4fff-8fff-ffffffffffff"
    past.thread(_OLD, _OLD, _NOW, ids=(low, high, str(uuid.UUID(int=2, version=4))))

    assert PruneReport(messages=2) == await maintenance.prune(_RETENTION)
    assert past.counts()["messages"] == 1


async def test_deleted_threads_go_whole_when_their_time_is_over(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """One that was deleted later stays, and so does one that was not."""
    past.thread(_NOW, _NOW, deleted_at=_OLD)
    past.thread(_OLD, deleted_at=_NOW)
    past.thread(_OLD)
    what = Retention(deleted_before=_CUT_OFF)

    assert PruneReport(threads=1, messages=2) == await maintenance.prune(what, dry_run=True)
    assert PruneReport(threads=1, messages=2) == await maintenance.prune(what)
    assert [2, 2, 2, 2] == [
        past.counts()[table] for table in ("threads", "messages", "attempts", "feedback_changes")
    ]


async def test_what_goes_for_two_reasons_is_foretold_once(past: Past, maintenance: SQLMaintenance) -> None:
    """Old messages of threads that were deleted; a session goes when nothing else is in it."""
    past.thread(_OLD, _OLD, deleted_at=_OLD)
    past.thread(_OLD, _NOW, deleted_at=_OLD)
    past.thread(_OLD, deleted_at=_NOW)
    past.thread(_OLD, _NOW)
    what = Retention(messages_before=_CUT_OFF, deleted_before=_CUT_OFF)
    foretold = await maintenance.prune(what, dry_run=True)

    assert PruneReport(messages=6, threads=3, sessions=3) == foretold
    assert foretold == await maintenance.prune(what)


async def test_expired_idempotency_keys_go(past: Past, maintenance: SQLMaintenance) -> None:
    """Whatever the tenant."""
    for number, expires_at in enumerate((_OLD, _OLD, _NOW)):
        past.run(
            "INSERT INTO idempotency_keys (tenant, key, fingerprint, state, owner, lease_until, created_at, "
            "expires_at) VALUES (:tenant, :key, 'f', 'done', :owner, :at, :at, :at)",
            tenant=f"t{number}",
            key="k",
            owner=id_at(_OLD),
            at=expires_at.isoformat(timespec="microseconds"),
        )
    what = Retention(keys_before=_CUT_OFF)

    assert PruneReport(keys=2) == await maintenance.prune(what, dry_run=True)
    assert PruneReport(keys=2) == await maintenance.prune(what)
    assert past.run("SELECT tenant FROM idempotency_keys") == ["t2"]


async def test_portions_end_where_there_is_nothing_more(past: Past, maintenance: SQLMaintenance) -> None:
    """More rows than a portion has, and some old threads that stay."""
    past.thread(*[_OLD] * 450)
    for _ in range(3):
        past.thread(_OLD, _NOW)

    assert PruneReport(messages=453, threads=1, sessions=1) == await maintenance.prune(_RETENTION)
    assert past.counts()["messages"] == 3


async def test_a_serving_lor3_goes_on_meanwhile(url: str, past: Past, maintenance: SQLMaintenance) -> None:
    """Chats are stored while months and messages go."""
    for _ in range(10):
        past.thread(*[_OLD] * 60)
    store = create(store_config(url))
    await store.start()
    pruning = asyncio.create_task(maintenance.prune(_RETENTION))
    stored = 0
    while not pruning.done() or stored < 5:
        await store.journal.commit(new_chat())
        stored += 1
    await store.aclose()

    assert (await pruning).messages == 600
    assert 2 * stored == past.counts()["messages"]


async def test_copies_of_a_fork_are_as_old_as_the_fork(past: Past, maintenance: SQLMaintenance) -> None:
    """They bear the times of their originals, and ids of their own; so does what is foretold."""
    past.thread(_OLD, _OLD)
    fork = past.thread(_OLD, _OLD, begun=_NOW, ids=(id_at(_NOW), id_at(_NOW)))
    foretold = await maintenance.prune(_RETENTION, dry_run=True)

    assert PruneReport(messages=2, threads=1, sessions=1) == foretold
    assert foretold == await maintenance.prune(_RETENTION)
    assert [0, 1] == past.run(
        "SELECT position FROM messages WHERE thread_id = :id ORDER BY position", id=fork
    )


async def test_key_of_a_deleted_thread_is_told_of_as_it_was_foretold(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """It goes for its age, not with the thread."""
    thread = past.thread(_OLD, deleted_at=_OLD)
    past.run(
        "INSERT INTO idempotency_keys (tenant, key, fingerprint, state, owner, lease_until, created_at, expires_at, "
        "thread_id) VALUES ('default', 'k', 'f', 'done', :thread, :at, :at, :at, :thread)",
        thread=thread,
        at=_OLD.isoformat(timespec="microseconds"),
    )
    what = Retention(deleted_before=_CUT_OFF, keys_before=_CUT_OFF)
    foretold = await maintenance.prune(what, dry_run=True)

    assert PruneReport(messages=1, threads=1, keys=1) == foretold
    assert foretold == await maintenance.prune(what)


@pytest.mark.parametrize(
    ("field", "ahead"),
    [
        ("messages_before", datetime.timedelta(hours=-23)),
        ("messages_before", datetime.timedelta(days=400)),
        ("deleted_before", datetime.timedelta(minutes=1)),
        ("keys_before", datetime.timedelta(minutes=1)),
    ],
)
async def test_what_is_no_past_is_refused(
    past: Past, maintenance: SQLMaintenance, field: str, ahead: datetime.timedelta
) -> None:
    """By the database's clock, whoever reckoned it; nothing goes."""
    past.thread(_NOW, deleted_at=_NOW)
    what = Retention(**{field: datetime.datetime.now(datetime.UTC) + ahead})
    for dry_run in (True, False):
        with pytest.raises(InvalidRequest) as refused:
            await maintenance.prune(what, dry_run=dry_run)
        assert [field] == [fault.path for fault in refused.value.faults]

    assert 1 == past.counts()["messages"]
