"""Sessions, threads, messages, attempts and prompt versions.

The types are written out here, not imported: a revision must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_MONEY = sa.Numeric().with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("user", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", "tenant", name="pk_sessions"),
    )
    op.create_table(
        "threads",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("next_position", sa.Integer, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", "tenant", name="pk_threads"),
        sa.ForeignKeyConstraint(
            ["session_id", "tenant"],
            ["sessions.id", "sessions.tenant"],
            name="fk_threads_sessions",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "messages",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("thread_id", _ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("content", _JSON, nullable=False),
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
        sa.Column("cost_usd", _MONEY),
        sa.Column("latency_ms", sa.BigInteger),
        sa.Column("metadata", _JSON),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", "tenant", name="pk_messages"),
        sa.UniqueConstraint("thread_id", "tenant", "position", name="uq_messages_thread_id_tenant_position"),
        sa.ForeignKeyConstraint(
            ["thread_id", "tenant"],
            ["threads.id", "threads.tenant"],
            name="fk_messages_threads",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "attempts",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("latency_ms", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("usage_estimated", sa.Boolean, nullable=False),
        sa.Column("cost_usd", _MONEY),
        sa.Column("response_id", sa.Text),
        sa.PrimaryKeyConstraint("message_id", "tenant", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(
            ["message_id", "tenant"],
            ["messages.id", "messages.tenant"],
            name="fk_attempts_messages",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "prompt_versions",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("template", _JSON, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name="pk_prompt_versions"),
    )


def downgrade() -> None:
    for table in ("prompt_versions", "attempts", "messages", "threads", "sessions"):
        op.drop_table(table)
