"""`python -m bench seed`: millions of messages as lor3 would have stored them, made by the database itself.

A thread begins in one of the last twelve months and ends there; one thread of 10,000 messages goes through all of
them. Ids are UUIDv7 of the times that the messages bear, so that each lies in the partition of its month.
"""

import concurrent.futures
import datetime
import itertools
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import psycopg
import sqlalchemy as sa
from psycopg import sql

from adapters.persistence import partitions, schema, tenancy
from adapters.persistence.engine import Database
from adapters.persistence.months import Month
from application.ports.store import StoreConfig
from domain.ids import DEFAULT_TENANT
from domain.secret import Secret
from entrypoints.resources import resource

MONTHS: Final = 12
LONG: Final = 10_000
"""Messages of the long thread."""
EXCHANGES: Final = (1, 1, 1, 2, 2, 3, 3, 4, 6, 12)
"""Of ten threads that follow each other: most are short, few are long. Seven messages a thread on average."""
_PER_TEN: Final = 2 * sum(EXCHANGES)
_AT_ONCE: Final = 2
_BETWEEN_MS: Final = 90_000
"""From one question to the next."""
_ANSWER_MS: Final = 4_000
_LONGEST_MS: Final = _BETWEEN_MS * max(EXCHANGES)
# What differs between answers, by what is known of each: five models, eight versions of prompts, latencies from half a
# second to half a minute, every tenth answer rated.
_VARIED: Final = {
    "provider": "(ARRAY['openai', 'openai', 'anthropic', 'anthropic', 'gemini'])[1 + answer_cut %% 5]",
    "model": "(ARRAY['gpt-5-mini', 'gpt-5', 'claude-opus-5-5', 'claude-haiku-5', 'gemini-3-pro'])"
    "[1 + answer_cut %% 5]",
    "prompt": "(ARRAY['support', 'support', 'sales', 'greeter'])[1 + question_cut %% 4] || ':v' || "
    "(1 + answer_cut / 5 %% 2)",
    # Their logarithms add up as those of many causes do.
    "latency": "(4000 * exp(random() + random() + random() + random() - 2))::bigint",
    "rating": "CASE answer_cut %% 30 WHEN 0 THEN 'thumbs_up' WHEN 10 THEN 'thumbs_down' WHEN 20 THEN '4' END",
}

_WORDS: Final = (
    "The parcel shows as delivered but is not there, and the neighbours have not seen it either. Please wait until "
    "tomorrow evening: carriers sometimes scan a parcel a day before it arrives. If it is still missing then, reply "
    "with your order number, and we open a trace with the carrier the same day. "
)
_TEXT: Final = _WORDS * 8
"""Texts are cut from it: 40 to 360 characters of a question, 200 to 1,400 of an answer."""

# Inlined by the planner where it is called, so that a million ids take seconds.
_UUID7: Final = """
CREATE OR REPLACE FUNCTION pg_temp.uuid7(ms bigint) RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT overlay(overlay(lpad(to_hex(ms), 12, '0') || substr(md5(random()::text), 1, 20)
                 placing '7' from 13) placing 'a' from 17)::uuid
$$
"""

_THREADS: Final = """
CREATE TEMP TABLE seed_threads ON COMMIT DROP AS
SELECT n, ms, pg_temp.uuid7(ms) AS id, (%(exchanges)s::int[])[1 + n %% {ten}] AS exchanges
FROM (SELECT n, %(from_ms)s + (%(span_ms)s * (n::float8 / %(threads)s))::bigint AS ms
      FROM generate_series(0, %(threads)s - 1) n) t
"""

_SESSIONS: Final = """
INSERT INTO sessions (tenant, id, "user", created_at)
SELECT %(tenant)s, id, 'user-' || n %% 5000, to_timestamp(ms / 1000.0) FROM seed_threads
"""

_STORED_THREADS: Final = """
INSERT INTO threads (tenant, id, session_id, next_position, created_at, updated_at)
SELECT %(tenant)s, id, id, 2 * exchanges, to_timestamp(ms / 1000.0),
  to_timestamp((ms + {between} * (exchanges - 1) + {answer}) / 1000.0)
FROM seed_threads
"""

_EXCHANGES_OF: Final = """
CREATE TEMP TABLE seed_exchanges ON COMMIT DROP AS
SELECT t.id AS thread_id, e AS exchange, asked_ms, pg_temp.uuid7(asked_ms + {answer}) AS question,
  pg_temp.uuid7(asked_ms + {answer} + 1) AS answer, (n * 7 + e * 13) %% 320 AS question_cut, (n * 11 + e * 17) %% 1200 AS answer_cut
FROM seed_threads t, generate_series(1, t.exchanges) e, LATERAL (SELECT t.ms + {between} * (e - 1) AS asked_ms) a
"""

_LONG_EXCHANGES: Final = """
CREATE TEMP TABLE seed_exchanges ON COMMIT DROP AS
SELECT %(thread)s::uuid AS thread_id, e AS exchange, asked_ms, pg_temp.uuid7(asked_ms + {answer}) AS question,
  pg_temp.uuid7(asked_ms + {answer} + 1) AS answer, e * 13 %% 320 AS question_cut, e * 170 %% 1200 AS answer_cut
FROM generate_series(1, %(exchanges)s) e,
  LATERAL (SELECT %(from_ms)s + (%(span_ms)s * (e::float8 / %(exchanges)s))::bigint AS asked_ms) a
"""

_MESSAGES: Final = """
INSERT INTO messages (tenant, id, thread_id, position, role, content, token_count, status, parent, pinned, format,
  provider, model, prompt_version, prompt_label, finish_reason, input_tokens, output_tokens, cached_input_tokens,
  cache_write_tokens, reasoning_tokens, usage_estimated, cost_usd, latency_ms, rating, feedback, created_at)
SELECT %(tenant)s, m.id, thread_id, 2 * exchange - 2 + m.nth, m.role,
  jsonb_build_object('parts', jsonb_build_array(jsonb_build_object('type', 'text', 'text',
    substr(%(text)s, 1 + m.cut %% 97, m.cut + m.least)))),
  (m.cut + m.least) / 4, 'complete', m.parent, false, m.format, m.provider, m.model, m.prompt, m.label, m.finish_reason,
  m.input, m.output, m.zero, m.zero, m.zero, m.estimated, m.cost, m.latency, m.rating,
  CASE WHEN m.rating IS NOT NULL THEN
    jsonb_build_object('comment', NULL, 'tags', '[]'::jsonb, 'user', NULL, 'given_at', '2026-01-01T00:00:00+00:00')
  END,
  to_timestamp((asked_ms + {answer} * m.nth) / 1000.0)
FROM seed_exchanges x, LATERAL (VALUES
  (0, 'user', question, NULL::uuid, question_cut, 40, NULL::text, NULL::text, NULL::text, NULL::text,
   NULL::bigint, NULL::bigint, NULL::bigint, NULL::boolean, NULL::numeric, NULL::bigint, NULL::text, NULL::text,
   NULL::text),
  (1, 'assistant', answer, question, answer_cut, 200, 'markdown', {provider}, {model}, 'stop',
   50 + 30 * exchange, (answer_cut + 200) / 4, 0, false, 0.000125 * exchange, {latency}, {prompt}, 'production',
   {rating})
) m (nth, role, id, parent, cut, least, format, provider, model, finish_reason, input, output, zero, estimated,
     cost, latency, prompt, label, rating)
"""

_ATTEMPTS: Final = """
INSERT INTO attempts (tenant, message_id, number, provider, model, outcome, status, started_at, latency_ms,
  input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_estimated, cost_usd,
  response_id)
SELECT %(tenant)s, answer, 0, {provider}, {model}, 'ok', 200, to_timestamp(asked_ms / 1000.0), {latency},
  50 + 30 * exchange, (answer_cut + 200) / 4, 0, 0, 0, false, 0.000125 * exchange, 'chatcmpl-' || answer
FROM seed_exchanges
"""


@attrs.frozen(kw_only=True)
class Seeded:
    messages: int
    threads: int
    long_thread: str
    seconds: float
    bytes: int
    """Of the database on disk."""

    def __str__(self) -> str:
        return (
            f"{self.messages:,} messages in {self.threads:,} threads over {MONTHS} months, "
            f"{self.bytes / 1e9:.1f} GB, seeded in {self.seconds:.0f} s ({self.messages / self.seconds:,.0f}/s)"
        )


@attrs.frozen(kw_only=True)
class _Slice:
    """What is made in one month."""

    month: Month
    from_ms: int
    span_ms: int
    threads: int


def seed(url: str, messages: int, *, say: Callable[[str], None] = lambda line: None) -> Seeded:
    """Brings the schema to its head and adds about `messages` messages, the long thread's among them.

    Args:
        url: an own database; its user must be allowed to make tables.
    """
    started = time.perf_counter()
    database = Database.of(StoreConfig(url=Secret(url), migrations_path=str(resource("migrations"))))
    schema.upgrade(database)
    now = datetime.datetime.now(datetime.UTC)
    slices = _slices(now, max(0, messages - LONG))
    _make_months(database, [each.month for each in slices])
    threads = 0
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        for each in pool.map(lambda part: _fill(url, part), slices):
            threads += each.threads
            say(f"{each.month.name}: {each.threads:,} threads")
    thread = _fill_long(url, slices)
    say("the long thread is made; now VACUUM and ANALYZE")
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("sessions", "threads", "messages", "attempts"):
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert size is not None
    return Seeded(
        messages=threads // len(EXCHANGES) * _PER_TEN + LONG,
        threads=threads + 1,
        long_thread=thread,
        seconds=time.perf_counter() - started,
        bytes=int(size[0]),
    )


def longest_thread(url: str) -> tuple[str, int]:
    """The thread with the most messages, and how many."""
    with psycopg.connect(url) as connection:
        _of_all_tenants(connection)
        row = connection.execute(
            "SELECT id::text, next_position FROM threads ORDER BY next_position DESC LIMIT 1"
        ).fetchone()
    if row is None:
        raise ValueError("the database holds no threads: seed it first")
    return str(row[0]), int(row[1])


def _slices(now: datetime.datetime, messages: int) -> tuple[_Slice, ...]:
    """The last months; none reaches into the future, and no thread into the next month."""
    this_month = Month.of(now)
    found: list[tuple[Month, int, int]] = []
    for number in range(this_month.number - MONTHS + 1, this_month.number + 1):
        month = Month(number)
        end = min(month.next.start, now)
        span_ms = (end - month.start) // datetime.timedelta(milliseconds=1) - _LONGEST_MS - 60_000
        if span_ms > 0:
            found.append((month, int(month.start.timestamp()) * 1000, span_ms))
    tens = -(-messages // _PER_TEN)
    each, more = divmod(tens, len(found))
    return tuple(
        _Slice(
            month=month,
            from_ms=from_ms,
            span_ms=span_ms,
            threads=(each + (index < more)) * len(EXCHANGES),
        )
        for index, (month, from_ms, span_ms) in enumerate(found)
    )


def _make_months(database: Database, months: Sequence[Month]) -> None:
    engine = database.open_for_migration()
    try:
        for table, month in itertools.product(partitions.KEYS, months):
            with engine.begin() as connection:
                connection.execute(
                    sa.text("SELECT set_config(:name, :value, true)"),
                    {"name": tenancy.SETTING, "value": tenancy.ALL},
                )
                if not any(each.holds(month) for each in partitions.partitions_of(connection, table)):
                    partitions.make(connection, table, month, most_moved=None)
    finally:
        engine.dispose()


def _fill(url: str, part: _Slice) -> _Slice:
    with psycopg.connect(url) as connection:
        _prepare(connection)
        _run(
            connection,
            (_THREADS, _SESSIONS, _STORED_THREADS, _EXCHANGES_OF, _MESSAGES, _ATTEMPTS),
            {
                "exchanges": list(EXCHANGES),
                "from_ms": part.from_ms,
                "span_ms": part.span_ms,
                "threads": part.threads,
            },
        )
    return part


def _fill_long(url: str, slices: Sequence[_Slice]) -> str:
    first, last = slices[0], slices[-1]
    thread = _uuid7(first.from_ms)
    with psycopg.connect(url) as connection:
        _prepare(connection)
        connection.execute(
            'INSERT INTO sessions (tenant, id, "user", created_at) VALUES (%s, %s, %s, to_timestamp(%s / 1000.0))',
            (DEFAULT_TENANT, thread, "the one who never stops", first.from_ms),
        )
        connection.execute(
            "INSERT INTO threads (tenant, id, session_id, title, next_position, created_at, updated_at) "
            "VALUES (%s, %s, %s, 'A long one', %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0))",
            (DEFAULT_TENANT, thread, thread, LONG, first.from_ms, last.from_ms + last.span_ms),
        )
        _run(
            connection,
            (_LONG_EXCHANGES, _MESSAGES, _ATTEMPTS),
            {
                "thread": thread,
                "exchanges": LONG // 2,
                "from_ms": first.from_ms,
                "span_ms": last.from_ms + last.span_ms - first.from_ms,
            },
        )
    return thread


def _prepare(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    _of_all_tenants(connection)
    connection.execute("SET temp_buffers = '256MB'")
    connection.execute("SET synchronous_commit = off")  # the checkpoint at the end makes it durable
    is_superuser = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if is_superuser and is_superuser[0]:
        # Foreign keys would be checked row by row; what is made here keeps to them.
        connection.execute("SET session_replication_role = replica")
    connection.execute(_UUID7)
    connection.commit()


def _of_all_tenants(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    connection.execute("SELECT set_config(%s, %s, false)", (tenancy.SETTING, tenancy.ALL))


def _run(
    connection: "psycopg.Connection[tuple[object, ...]]",
    statements: Sequence[str],
    values: dict[str, object],
) -> None:
    numbers: dict[str, object] = {
        "answer": _ANSWER_MS,
        "between": _BETWEEN_MS,
        "ten": len(EXCHANGES),
        **_VARIED,
    }
    # Bound by the client: a statement of CREATE TABLE AS takes no parameters.
    with psycopg.ClientCursor(connection) as cursor:
        for statement in statements:
            cursor.execute(statement.format(**numbers), values | {"tenant": DEFAULT_TENANT, "text": _TEXT})


def _uuid7(ms: int) -> str:
    return str(uuid.UUID(int=(ms << 80) | (0x7 << 76) | (0x2 << 62) | 1))
