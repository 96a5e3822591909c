"""What PostgreSQL makes of a usual answer's row is what every attempt and every use says."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import attrs
import pytest

from adapters.persistence.engine import Database
from adapters.persistence.postgresql_rows import UsualRows
from adapters.persistence.store import SQLStore, create
from domain.thread import ChatRecord
from domain.usage import Usage
from tests.support.records import new_chat, next_chat, store_config

_KEY = "01a208ed-a20c-737d-b81f-7d57d2ce704c"
_ESTIMATED = Usage(input_tokens=1, output_tokens=2, estimated=True)
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "as it is": {},
    "anonymous": {"session": {"user": None}},
    "without a price": {"answer": {"cost_usd": None}, "attempt": {"cost_usd": None}},
    "free": {"answer": {"cost_usd": Decimal(0)}, "attempt": {"cost_usd": Decimal(0)}},
    "estimated": {"answer": {"usage": _ESTIMATED}, "attempt": {"usage": _ESTIMATED}},
    "of a prompt and a key": {"answer": {"prompt_version": "p@3", "prompt_label": "live", "key_id": _KEY}},
    "no status": {"attempt": {"status": None, "response_id": None}},
    "slow": {"answer": {"latency_ms": 90_000}, "attempt": {"latency_ms": 0}},
}


def _made(case: str, record: ChatRecord) -> ChatRecord:
    changes = _CASES[case]
    asked, answer = record.messages
    return attrs.evolve(
        record,
        session=attrs.evolve(record.session, **changes.get("session", {})),
        messages=(attrs.evolve(asked, metadata=()), attrs.evolve(answer, **changes.get("answer", {}))),
        attempts=(attrs.evolve(record.attempts[0], **changes.get("attempt", {})),),
    )


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[SQLStore]:
    store = cast("SQLStore", create(store_config(postgres_url)))
    await store.start()
    yield store
    await store.aclose()


def _left(database: Database) -> list[Any]:
    """Takes what there is in both tables, but for which message it is of."""
    engine = database.open_for_migration()
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
        rows = [
            row
            for table in ("attempts", "usage_log")
            for (row,) in connection.exec_driver_sql(
                f"SELECT to_jsonb(t) - 'message_id' FROM {table} t ORDER BY to_jsonb(t)::text"  # noqa: S608
            )
        ]
        connection.exec_driver_sql("DELETE FROM attempts")
        connection.exec_driver_sql("DELETE FROM usage_log")
    engine.dispose()
    return rows


async def test_usual_chats_leave_the_same(
    store: SQLStore, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each alone, in a new thread and in one that grows, as a usual chat and as one like any."""
    database = Database.of(store_config(postgres_url))
    usual = UsualRows.add
    added: list[bool] = []

    def add(rows: UsualRows, record: ChatRecord, *, first: int, continues: bool) -> bool:
        added.append(usual(rows, record, first=first, continues=continues))
        return added[-1]

    for case in _CASES:
        monkeypatch.setattr(UsualRows, "add", add)
        begun = _made(case, new_chat())
        await store.journal.commit(begun)
        of_usual = _left(database)
        await store.journal.commit(_made(case, next_chat(begun)))
        of_grown = _left(database)
        monkeypatch.setattr(UsualRows, "add", lambda rows, record, *, first, continues: False)
        begun = _made(case, new_chat())
        await store.journal.commit(begun)
        of_any = _left(database)
        await store.journal.commit(_made(case, next_chat(begun)))
        of_any_grown = _left(database)

        assert len(of_any) == 3
        assert (case, of_any) == (case, of_usual)
        assert (case, of_any_grown) == (case, of_grown)
    assert added == [True] * (2 * len(_CASES))
