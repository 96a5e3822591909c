# ruff: noqa: S608 - the statements are made of the tables' own names, once, at import
"""The one statement that writes a batch to PostgreSQL, and its parameters.

Each table's rows travel as one JSON text (`postgresql_rows.py`) and PostgreSQL takes it apart with
`json_to_recordset`. That costs the caller's CPU less than arrays for `unnest`, of which a batch
would need some forty, and far less than a parameter a value.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from adapters.persistence.batch import Batch
from adapters.persistence.json_codec import encode_json_bytes
from adapters.persistence.postgresql_exchange import Statement
from adapters.persistence.postgresql_rows import UsualRows
from adapters.persistence.rows import Row
from adapters.persistence.tables import (
    ATTEMPTS,
    BUDGET_COUNTERS,
    IDEMPOTENCY_KEYS,
    MESSAGES,
    SESSIONS,
    THREADS,
    USAGE_LOG,
)
from adapters.persistence.thread_counters import Counter, ThreadCounters, ThreadKey
from adapters.persistence.usage_log import NOTHING as NOTHING_USED
from adapters.persistence.usual_tries import ATTEMPT, FIRST_TRIES, USES, USUAL
from domain.thread import ChatRecord
from domain.values import frozen

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap


def _names(columns: Iterable[sa.Column[Any]]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _recordset(parameter: str, columns: Iterable[sa.Column[Any]], extra: str = "") -> str:
    types = ", ".join(f'"{column.name}" {column.type.compile(_DIALECT)}' for column in columns)
    return f"json_to_recordset(%({parameter})s::json) AS x({types}{extra})"


def _parents() -> str:
    # Two chats may open the same session at the same time; the first one makes it.
    return (
        f"new_sessions AS (INSERT INTO sessions ({_names(SESSIONS.columns)}) "
        f"SELECT {_names(SESSIONS.columns)} FROM {_recordset('sessions', SESSIONS.columns)} "
        f"ON CONFLICT DO NOTHING), "
        f"new_threads AS (INSERT INTO threads ({_names(THREADS.columns)}) "
        f"SELECT {_names(THREADS.columns)} FROM {_recordset('threads', THREADS.columns)})"
    )


def _completed(stored: str) -> str:
    """Ends the claims of the records that are stored.

    Their rows are locked in order, as the heartbeat locks them, so that neither waits for the other in a circle.
    """
    columns = [
        IDEMPOTENCY_KEYS.c[name] for name in ("tenant", "key", "owner", "message_id", "thread_id", "answer")
    ]
    return (
        f"due AS MATERIALIZED (SELECT * FROM "
        f"{_recordset('completions', columns, ', continues boolean')} WHERE {stored}), "
        f"claims AS MATERIALIZED (SELECT k.tenant, k.key, k.owner FROM idempotency_keys k "
        f"WHERE k.key = ANY(%(keys)s::text[]) AND k.tenant = ANY(%(tenants)s::text[]) "
        # Interrupted ones too: a run that was silent for long and whose key nobody took has its answer all the same.
        f"AND k.state <> 'done' ORDER BY k.key, k.tenant FOR NO KEY UPDATE OF k), "
        f"completed AS (UPDATE idempotency_keys k SET state = 'done', answer = d.answer, "
        f"message_id = d.message_id, thread_id = d.thread_id FROM claims c "
        f"JOIN due d ON d.tenant = c.tenant AND d.key = c.key AND d.owner = c.owner "
        f"WHERE k.tenant = c.tenant AND k.key = c.key RETURNING k.key)"
    )


def _told() -> str:
    """Messages, and what is told of a usual answer beside it (`usual_tries.py`)."""
    return f"told AS MATERIALIZED (SELECT * FROM {_recordset('messages', MESSAGES.columns, FIRST_TRIES)})"


def _tried(stored: str, extra: str = "") -> str:
    columns = ", ".join(f'x."{column.name}"' for column in ATTEMPTS.columns)
    usual = ", ".join(ATTEMPT[column.name] for column in ATTEMPTS.columns)
    return (
        f"INSERT INTO attempts ({_names(ATTEMPTS.columns)}) "
        f"SELECT {columns} FROM {_recordset('attempts', ATTEMPTS.columns, extra)} WHERE {stored} "
        f"UNION ALL SELECT {usual} FROM told x WHERE {USUAL} AND ({stored})"
    )


def _used(stored: str) -> str:
    """A row each, which nobody else can be waiting for."""
    values = ", ".join(
        f'coalesce(x."{column.name}", {_literal(NOTHING_USED[column.name])})'
        if column.name in NOTHING_USED
        else f'x."{column.name}"'
        for column in USAGE_LOG.columns
    )
    usual = "".join(
        f" UNION ALL SELECT {', '.join(_of_use(use, column.name) for column in USAGE_LOG.columns)} "
        f"FROM told x WHERE {USUAL} AND ({stored})"
        for use in USES
    )
    return (
        f", used AS (INSERT INTO usage_log ({_names(USAGE_LOG.columns)}) SELECT {values} "
        f"FROM {_recordset('uses', USAGE_LOG.columns, ', thread_id uuid, continues boolean')} WHERE {stored}{usual})"
    )


def _of_use(use: Mapping[str, str], name: str) -> str:
    return use[name] if name in use else _literal(NOTHING_USED[name])


def _literal(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _spent(stored: str) -> str:
    """Adds to the counters of budgets, each once and in their order, as whoever reserves of them locks them."""
    key = ("tenant", "subject", "subject_id", "period", "starts_at")
    names = ", ".join(key)
    columns = [BUDGET_COUNTERS.c[name] for name in (*key, "spent_usd")]
    return (
        f", spent AS (INSERT INTO budget_counters AS c ({names}, spent_usd) "
        f"SELECT {names}, sum(x.spent_usd) "
        f"FROM {_recordset('spends', columns, ', thread_id uuid, continues boolean')} WHERE {stored} "
        f"GROUP BY {names} ORDER BY subject_id, tenant, subject, period, starts_at "
        f"ON CONFLICT (subject_id, tenant, subject, period, starts_at) "
        f"DO UPDATE SET spent_usd = c.spent_usd + excluded.spent_usd)"
    )


# A division by zero rolls all of it back: `failures.py` knows its code.
_ALL_COMPLETED: Final = "1 / ((SELECT count(*) FROM completed) = (SELECT count(*) FROM due))::int"

_IS_STORED: Final = "x.continues IS NOT TRUE OR EXISTS (SELECT FROM locked l WHERE l.tenant = x.tenant AND l.id = x.thread_id)"


def _new_threads_only(*, completing: bool = False, spending: bool = False) -> str:
    attempts = _tried("true")
    if completing:
        attempts = f"new_attempts AS ({attempts}), {_completed('true')} SELECT {_ALL_COMPLETED}"
    return (
        f"WITH {_told()}, {_parents()}{_used('true')}{_spent('true') if spending else ''}, "
        f"new_messages AS (INSERT INTO messages ({_names(MESSAGES.columns)}) "
        f"SELECT {_names(MESSAGES.columns)} FROM told)"
        f"{', ' if completing else ' '}{attempts}"
    )


def _with_growth(*, completing: bool = False, spending: bool = False) -> str:
    messages = ", ".join(
        'x."position" + coalesce(l.next_position, 0)' if column.name == "position" else f'x."{column.name}"'
        for column in MESSAGES.columns
    )
    grown = [THREADS.c.tenant, THREADS.c.id, THREADS.c.next_position, THREADS.c.updated_at]
    return (
        f"WITH growth AS MATERIALIZED (SELECT * FROM {_recordset('growth', grown)}), "
        # In id order, so that two replicas never wait for each other in a circle. The lock returns the newest
        # row, even where it was changed after this statement began. `= ANY` keeps a generic plan on the index.
        f"locked AS MATERIALIZED (SELECT t.tenant, t.id, t.next_position FROM threads t "
        f"WHERE t.tenant = ANY(%(tenants)s::text[]) AND t.id = ANY(%(ids)s::uuid[]) "
        f"AND EXISTS (SELECT FROM growth g WHERE g.tenant = t.tenant AND g.id = t.id) "
        f"ORDER BY t.id, t.tenant FOR NO KEY UPDATE OF t), "
        f"grown AS (UPDATE threads t SET next_position = l.next_position + g.next_position, "
        f"updated_at = greatest(t.updated_at, g.updated_at) FROM locked l "
        f"JOIN growth g ON g.tenant = l.tenant AND g.id = l.id "
        f"WHERE t.tenant = l.tenant AND t.id = l.id), "
        f"{_told()}, {_parents()}{_used(_IS_STORED)}{_spent(_IS_STORED) if spending else ''}, "
        f"new_messages AS (INSERT INTO messages ({_names(MESSAGES.columns)}) SELECT {messages} "
        f"FROM told x "
        f"LEFT JOIN locked l ON x.continues AND l.tenant = x.tenant AND l.id = x.thread_id "
        f"WHERE x.continues IS NOT TRUE OR l.id IS NOT NULL), "
        f"new_attempts AS ({_tried(_IS_STORED, ', thread_id uuid, continues boolean')})"
        + (
            f", {_completed(_IS_STORED)} SELECT l.tenant, l.id::text "
            # One row at least, so that it is divided even where no thread was found.
            f"FROM (SELECT {_ALL_COMPLETED} AS whole) a LEFT JOIN locked l ON a.whole = 1"
            if completing
            else " SELECT tenant, id::text FROM locked"
        )
    )


_ROWS: Final[tuple[str, ...]] = ("sessions", "threads", "messages", "attempts", "uses")
_GROWTH: Final = ("growth", "ids")
_COMPLETIONS: Final = ("completions", "keys")


def _statement(name: str, text: str, parameters: Sequence[str]) -> Statement:
    for number, parameter in enumerate(parameters, start=1):
        text = text.replace(f"%({parameter})s", f"${number}")
    return Statement(name=name.encode(), text=text.encode())


def _variant(*, growing: bool, completing: bool, spending: bool) -> Statement:
    made = _with_growth if growing else _new_threads_only
    name = "lor3_growth" if growing else "lor3_new_threads"
    parameters = _ROWS
    if growing or completing:
        parameters += ("tenants",)
    for is_used, suffix, more in ((growing, "", _GROWTH), (completing, "_keys", _COMPLETIONS)):
        if is_used:
            name, parameters = name + suffix, parameters + more
    if spending:
        name, parameters = f"{name}_spends", (*parameters, "spends")
    return _statement(name, made(completing=completing, spending=spending), parameters)


# Made of the tables' own names and types, nothing else. By whether threads grow, keys are completed and budgets spent
# of: what a batch does not have it does not pay for.
_WRITE: Final = {
    (growing, completing, spending): _variant(growing=growing, completing=completing, spending=spending)
    for growing in (False, True)
    for completing in (False, True)
    for spending in (False, True)
}


_NONE: Final = b"[]"
NOTHING: Final = (_WRITE[True, True, True], [b"[]"] * 5 + [b"{}", b"[]", b"{}", b"[]", b"{}", b"[]"])
"""The statement that does everything, and its parameters where there is nothing to do."""


def array(texts: Iterable[str]) -> bytes:
    """An array in PostgreSQL's text form, each element quoted.

    Raises:
        TypeError: an element holds U+0000, which no text in PostgreSQL can.
    """
    elements = ",".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    if "\0" in elements:
        raise TypeError("U+0000 is no text")
    return f"{{{elements}}}".encode()


@frozen(kw_only=True)
class PostgreSQLBatch:
    """Some records as the statement that writes them, and its parameters in the order in which it numbers them."""

    statement: Statement
    """Of no rows; where threads grow, of the tenant and id of each that was found."""
    parameters: Sequence[bytes]
    grown: Collection[ThreadKey]
    """The threads that existed before."""

    @classmethod
    def of(cls, records: Sequence[ChatRecord]) -> "PostgreSQLBatch":
        """
        Raises:
            TypeError, ValueError: a record holds something that the database can't take.
        """
        counters, usual, rest = ThreadCounters(), UsualRows(), Batch()
        for record in records:
            first, continues = counters.place(record)
            if not usual.add(record, first=first, continues=continues):
                rest.add(record, first=first, continues=continues)
        for counter in counters.made.values():
            if not usual.add_thread(counter):
                rest.add_thread(counter)
        parameters = [
            _array(usual.sessions, rest.sessions),
            _array(usual.threads, rest.threads),
            _array(usual.messages, rest.messages),
            _array((), rest.attempts),
            _array((), rest.uses),
        ]
        completions, spends = rest.completions, _array(usual.spends, rest.spends)
        grown = counters.grown
        if grown or completions:
            tenants = {tenant for tenant, _ in grown}
            tenants.update(row["tenant"] for row in completions)
            parameters.append(array(tenants))
        if grown:
            parameters.append(encode_json_bytes([_growth(counter) for counter in grown.values()]))
            parameters.append(array(thread_id for _, thread_id in grown))
        if completions:
            parameters.append(encode_json_bytes(completions))
            parameters.append(array(row["key"] for row in completions))
        if spends is not _NONE:
            parameters.append(spends)
        statement = _WRITE[bool(grown), bool(completions), spends is not _NONE]
        return cls(statement=statement, parameters=parameters, grown=grown.keys())


def _array(usual: Sequence[str], rest: Sequence[Row]) -> bytes:
    """Of JSON objects; `_NONE` where there are none."""
    if not rest:
        return f"[{','.join(usual)}]".encode() if usual else _NONE
    encoded = encode_json_bytes(rest)
    return f"[{','.join(usual)},".encode() + encoded[1:] if usual else encoded


def _growth(counter: Counter) -> Row:
    thread = counter.thread
    return {
        "tenant": thread.tenant,
        "id": thread.id,
        "next_position": counter.count,
        "updated_at": counter.updated_at,
    }
