# ruff: noqa: S608 - the statements are made of the names in this file
"""What was used, added up by the hour and the day, of all messages that are there.

Chats leave what they used in `usage_log`; a server adds that to `usage_hours` and `usage_days` seconds later. What
was stored before is added up here, which reads `messages` twice and `attempts` once: seven minutes for ten million
messages on two busy cores. Chats go on meanwhile, until an index is made at the end; but what a lor3 from before this
stores, then or later, is in no report.

The types are written out here, not imported: a revision must not change when the code does.
"""

import bisect
from decimal import Context, Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
locks = ("messages",)
"""Tables whose rows are all read while nobody else can write them: an index is made. Said before it begins."""
breaks_older = (
    "what replicas of a lor3 from before it answer from then on is stored, but is in no usage report: stop them first, "
    "migrate, then start the new ones"
)
"""On a database that has rows it is said, and asked about, before it begins."""

_TIME = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_MONEY = sa.Numeric().with_variant(sa.String(40), "sqlite")
_TEXTS = ("provider", "model", "prompt_version", "prompt_label", "key_id", "user", "outcome", "purpose")
_SUMS = (
    "requests", "errors", "failovers", "input_tokens", "output_tokens", "cached_input_tokens",
    "cache_write_tokens", "reasoning_tokens", "unpriced", "estimated", "latency_ms",
    "thumbs_up", "thumbs_down", "stars", "stars_total",
)  # fmt: skip
_KEY = ("tenant", "kind", "start", *_TEXTS, "latency_bucket")
_TABLES = ("usage_log", "usage_hours", "usage_days")
_CONDITION = (
    "tenant = ANY ((SELECT string_to_array(current_setting('lor3.tenants', true), E'\\x1f'))::text[]) "
    "OR (SELECT current_setting('lor3.tenants', true) = '*')"
)
_BOUNDS_MS = sorted({round(2 ** (step / 4)) for step in range(93)})
"""Where buckets of latencies begin."""


_COUNTS = "m.copied_from IS NULL"
_FIGURES = (
    f"{_COUNTS} AS counts, CASE WHEN {_COUNTS} AND m.status = 'complete' THEN m.latency_ms END AS ms, "
    "m.created_at AS at, m.status, m.input_tokens, m.output_tokens, m.cached_input_tokens, m.cache_write_tokens, "
    "m.reasoning_tokens, m.usage_estimated, m.cost_usd AS cost, m.rating"
)
_IS_COUNTED = (
    "(m.copied_from IS NULL AND (m.provider IS NOT NULL OR m.status <> 'complete') "
    "OR m.copied_from IS NOT NULL AND m.rating IS NOT NULL)"
)
# Of a chat that no model answered it is the one that was asked first; looked for where there is none alone.
_ASKED = (
    "CASE WHEN m.copied_from IS NULL THEN (SELECT a.{} FROM attempts a WHERE a.message_id = m.id "
    "AND a.tenant = m.tenant AND a.purpose IS NULL ORDER BY a.number LIMIT 1) END"
)
_ANSWERS = (
    f"SELECT m.tenant, 'answer' AS kind, coalesce(m.provider, {_ASKED.format('provider')}, '') AS provider, "
    f"coalesce(m.model, {_ASKED.format('model')}, '') AS model, "
    "coalesce(m.prompt_version, '') AS prompt_version, coalesce(m.prompt_label, '') AS prompt_label, "
    "coalesce(CAST(m.key_id AS text), '') AS key_id, '' AS \"user\", "
    "CASE WHEN m.status = 'complete' THEN '' ELSE m.status || coalesce('/' || m.error_code, '') END AS outcome, "
    f"{_FIGURES} FROM messages m WHERE {_IS_COUNTED}"
)
_USERS = (
    "SELECT m.tenant, 'user' AS kind, '' AS provider, '' AS model, '' AS prompt_version, '' AS prompt_label, "
    f"'' AS key_id, coalesce(s.\"user\", '') AS \"user\", '' AS outcome, {_FIGURES} FROM messages m "
    "LEFT JOIN threads t ON t.id = m.thread_id AND t.tenant = m.tenant "
    f"LEFT JOIN sessions s ON s.id = t.session_id AND s.tenant = t.tenant WHERE {_IS_COUNTED}"
)
_STARS = "('1', '2', '3', '4', '5')"
_OF_ANSWERS = {
    "requests": "sum(CASE WHEN counts THEN 1 ELSE 0 END)",
    "errors": "sum(CASE WHEN counts AND status = 'failed' THEN 1 ELSE 0 END)",
    "failovers": "0",
    **{
        name: f"coalesce(sum(CASE WHEN counts THEN {name} END), 0)"
        for name in _SUMS
        if name.endswith("_tokens")
    },
    "unpriced": "sum(CASE WHEN counts AND cost IS NULL THEN 1 ELSE 0 END)",
    "estimated": "sum(CASE WHEN counts AND usage_estimated THEN 1 ELSE 0 END)",
    "latency_ms": "coalesce(sum(ms), 0)",
    "thumbs_up": "sum(CASE WHEN rating = 'thumbs_up' THEN 1 ELSE 0 END)",
    "thumbs_down": "sum(CASE WHEN rating = 'thumbs_down' THEN 1 ELSE 0 END)",
    "stars": f"sum(CASE WHEN rating IN {_STARS} THEN 1 ELSE 0 END)",
    "stars_total": f"sum(CASE WHEN rating IN {_STARS} THEN CAST(rating AS integer) ELSE 0 END)",
}
_FAILED = "outcome NOT IN ('ok', 'cancelled') AND substr(outcome, 1, 8) <> 'skipped_'"
_ATTEMPTS = (
    "SELECT tenant, 'attempt' AS kind, provider, model, '' AS prompt_version, '' AS prompt_label, '' AS key_id, "
    "'' AS \"user\", outcome, coalesce(purpose, '') AS purpose, started_at AS at, "
    "CASE WHEN outcome = 'ok' THEN latency_ms END AS ms, input_tokens, output_tokens, cached_input_tokens, "
    "cache_write_tokens, reasoning_tokens, usage_estimated, cost_usd AS cost, "
    "outcome <> 'ok' AND coalesce(purpose, '') = coalesce(lead(purpose) OVER w, '') "
    "AND (provider <> lead(provider) OVER w OR model <> lead(model) OVER w) AS fell_back "
    "FROM attempts WINDOW w AS (PARTITION BY message_id, tenant ORDER BY number)"
)
_OF_ATTEMPTS = {
    "requests": "count(*)",
    "errors": f"sum(CASE WHEN {_FAILED} THEN 1 ELSE 0 END)",
    "failovers": "sum(CASE WHEN fell_back THEN 1 ELSE 0 END)",
    **{name: f"sum({name})" for name in _SUMS if name.endswith("_tokens")},
    "unpriced": "sum(CASE WHEN cost IS NULL THEN 1 ELSE 0 END)",
    "estimated": "sum(CASE WHEN usage_estimated THEN 1 ELSE 0 END)",
    "latency_ms": "coalesce(sum(ms), 0)",
    **dict.fromkeys(("thumbs_up", "thumbs_down", "stars", "stars_total"), "0"),
}


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table("usage_log", *_columns("at"))
    for table in ("usage_hours", "usage_days"):
        op.create_table(
            table,
            *_columns("start"),
            sa.Column("last_at", _TIME, nullable=False),
            sa.PrimaryKeyConstraint(*_KEY, name=f"pk_{table}"),
        )
    if on_postgresql:
        # Of the 4 MB that are the default all of it would be sorted on the disk.
        op.execute("SET LOCAL work_mem = '64MB'")
    for statement in backfill(on_postgresql=on_postgresql):
        op.get_bind().exec_driver_sql(statement)
    if on_postgresql:
        # Rows are deleted here, which a publication of all tables refuses where nothing tells them apart.
        op.execute("ALTER TABLE usage_log REPLICA IDENTITY FULL")
        for table in _TABLES:
            op.execute(sa.text(f"CREATE POLICY tenant_isolation ON {table} USING ({_CONDITION})"))
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        # Last, as nobody can write a message from here on until all of this is committed.
        op.create_index(
            "ix_messages_created_at",
            "messages",
            ["created_at"],
            postgresql_using="brin",
            postgresql_with={"autosummarize": "true"},
        )


def _columns(time: str) -> list[sa.Column[Any]]:
    return [
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column(time, _TIME, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in _TEXTS],
        sa.Column("latency_bucket", sa.Integer, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS],
        sa.Column("latency_low_ms", sa.BigInteger, nullable=False),
        sa.Column("latency_high_ms", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", _MONEY, nullable=False),
    ]


class _DecimalSum:
    """SQLite would add binary fractions up."""

    def __init__(self) -> None:
        self._total = Decimal(0)

    def step(self, value: str | None) -> None:
        if value is not None:
            self._total = Context(prec=200).add(self._total, Decimal(value))

    def finalize(self) -> str:
        return format(self._total, "f")


def backfill(*, on_postgresql: bool) -> list[str]:
    """The hours of answers, users and attempts, then the days of the hours."""
    if on_postgresql:
        bounds = ", ".join(map(str, _BOUNDS_MS))
        bucket, add = f"width_bucket(ms, ARRAY[{bounds}]::bigint[])", "sum"
        hour, day = "date_trunc('hour', at, 'UTC')", "date_trunc('day', start, 'UTC')"
    else:
        connection: Any = op.get_bind().connection.driver_connection
        connection.create_aggregate("lor3_decimal_sum", 1, _DecimalSum)
        connection.create_function("lor3_bucket", 1, lambda ms: bisect.bisect_right(_BOUNDS_MS, ms))
        bucket, add = "lor3_bucket(ms)", "lor3_decimal_sum"
        hour = "substr(at, 1, 13) || ':00:00.000000+00:00'"
        day = "substr(start, 1, 10) || 'T00:00:00.000000+00:00'"
    names = ", ".join(f'"{name}"' for name in (*_KEY, *_SUMS))
    into = f"({names}, latency_low_ms, latency_high_ms, cost_usd, last_at)"
    texts = ", ".join(f'"{name}"' for name in _TEXTS)
    zero = "0" if on_postgresql else "'0'"
    statements = []
    least, most = "coalesce(min(ms), 0)", "coalesce(max(ms), 0)"
    for source, purpose, sums, cost, latency in (
        (_ANSWERS, "''", _OF_ANSWERS, "CASE WHEN counts THEN cost END", (bucket, least, most)),
        # Latencies of users are all in one bucket: they would have a row for each.
        (_USERS, "''", _OF_ANSWERS, "CASE WHEN counts THEN cost END", ("0", "0", "0")),
        (_ATTEMPTS, "purpose", _OF_ATTEMPTS, "cost", (bucket, least, most)),
    ):
        key = ", ".join(f'"{name}"' if name != "purpose" else purpose for name in _TEXTS)
        statements.append(
            f"INSERT INTO usage_hours {into} "
            f"SELECT tenant, kind, {hour} AS start, {key}, "
            f"CASE WHEN ms IS NULL THEN -1 ELSE {latency[0]} END AS latency_bucket, "
            f"{', '.join(sums[name] for name in _SUMS)}, {latency[1]}, {latency[2]}, "
            f"coalesce({add}({cost}), {zero}), max(at) FROM ({source}) e "
            f"GROUP BY {', '.join(str(number) for number in range(1, len(_KEY) + 1))}"
        )
    statements.append(
        f"INSERT INTO usage_days {into} "
        f"SELECT tenant, kind, {day} AS start, {texts}, latency_bucket, "
        f"{', '.join(f'sum({name})' for name in _SUMS)}, min(latency_low_ms), max(latency_high_ms), "
        f"{add}(cost_usd), max(last_at) FROM usage_hours "
        f"GROUP BY {', '.join(str(number) for number in range(1, len(_KEY) + 1))}"
    )
    return statements


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_messages_created_at", "messages")
    for table in _TABLES:
        op.drop_table(table)
