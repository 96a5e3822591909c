"""The tables. `migrations/` makes them; a test holds both to each other.

Every key holds `tenant`, so that neither a query nor a foreign key can cross from one to another. It comes
after the id: an id tells rows apart sooner than a tenant that most rows share, and no index but the right one
fits a look-up. (With the tenant first, PostgreSQL checked foreign keys of a fresh database by walking all of a
tenant's messages, on a plan it then kept.)
"""

import sqlalchemy as sa

from adapters.persistence.column_types import Identifier, JSONDocument, Money, Timestamp

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _belongs_to(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column, "tenant"], [f"{table}.id", f"{table}.tenant"], ondelete="CASCADE")


SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("user", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("id", "tenant"),
)

THREADS = sa.Table(
    "threads",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("session_id", Identifier, nullable=False),
    sa.Column("title", sa.Text),
    sa.Column("next_position", sa.Integer, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("id", "tenant"),
    _belongs_to("sessions", "session_id"),
)

MESSAGES = sa.Table(
    "messages",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("thread_id", Identifier, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("content", JSONDocument, nullable=False),
    sa.Column("token_count", sa.BigInteger),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("format", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("prompt_version", sa.Text),
    sa.Column("finish_reason", sa.Text),
    sa.Column("input_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("cached_input_tokens", sa.BigInteger),
    sa.Column("cache_write_tokens", sa.BigInteger),
    sa.Column("reasoning_tokens", sa.BigInteger),
    sa.Column("usage_estimated", sa.Boolean),
    sa.Column("cost_usd", Money),
    sa.Column("latency_ms", sa.BigInteger),
    sa.Column("metadata", JSONDocument),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("id", "tenant"),
    # Also the index that the tail of a thread is read from.
    sa.UniqueConstraint("thread_id", "tenant", "position"),
    _belongs_to("threads", "thread_id"),
)

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("message_id", Identifier, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("started_at", Timestamp, nullable=False),
    sa.Column("latency_ms", sa.BigInteger, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
    sa.Column("usage_estimated", sa.Boolean, nullable=False),
    sa.Column("cost_usd", Money),
    sa.Column("response_id", sa.Text),
    sa.PrimaryKeyConstraint("message_id", "tenant", "number"),
    _belongs_to("messages", "message_id"),
)

PROMPT_VERSIONS = sa.Table(
    "prompt_versions",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("template", JSONDocument, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("tenant", "name", "version"),
)
