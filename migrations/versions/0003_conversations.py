"""Conversations: tags, forks and deletion of threads, pins and feedback, summaries, idempotency keys.

The types are written out here, not imported: a revision must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")


def upgrade() -> None:
    for name, kind in (("tags", _JSON), ("forked_from", _ID), ("deleted_at", _TIME)):
        op.add_column("threads", sa.Column(name, kind))
    op.create_index("ix_threads_session_id_tenant_id", "threads", ["session_id", "tenant", "id"])
    op.create_index("ix_threads_tenant_id", "threads", ["tenant", "id"])
    op.create_index("ix_sessions_tenant_id", "sessions", ["tenant", "id"])
    op.create_index("ix_sessions_tenant_user_id", "sessions", ["tenant", "user", "id"])
    op.add_column("messages", sa.Column("parent", _ID))
    op.add_column("messages", sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("messages", sa.Column("copied_from", _ID))
    op.add_column("messages", sa.Column("prompt_label", sa.Text))
    op.add_column("messages", sa.Column("rating", sa.Text))
    op.add_column("messages", sa.Column("feedback", _JSON))
    op.add_column("attempts", sa.Column("purpose", sa.Text))
    op.create_table(
        "thread_summaries",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("thread_id", _ID, nullable=False),
        sa.Column("up_to", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("token_count", sa.BigInteger),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "tenant", name="pk_thread_summaries"),
        sa.ForeignKeyConstraint(
            ["thread_id", "tenant"],
            ["threads.id", "threads.tenant"],
            name="fk_thread_summaries_threads",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "feedback_changes",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("message_id", _ID, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("rating", sa.Text),
        sa.Column("feedback", _JSON),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("message_id", "tenant", "position", name="pk_feedback_changes"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner", _ID, nullable=False),
        sa.Column("lease_until", _TIME, nullable=False),
        sa.Column("message_id", _ID),
        sa.Column("thread_id", _ID),
        sa.Column("answer", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", "tenant", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_index("ix_idempotency_keys_thread_id_tenant", "idempotency_keys", ["thread_id", "tenant"])


def downgrade() -> None:
    for table in ("idempotency_keys", "feedback_changes", "thread_summaries"):
        op.drop_table(table)
    op.drop_column("attempts", "purpose")
    for column in ("feedback", "rating", "prompt_label", "copied_from", "pinned", "parent"):
        op.drop_column("messages", column)
    op.drop_index("ix_sessions_tenant_user_id", "sessions")
    op.drop_index("ix_sessions_tenant_id", "sessions")
    op.drop_index("ix_threads_tenant_id", "threads")
    op.drop_index("ix_threads_session_id_tenant_id", "threads")
    for column in ("deleted_at", "forked_from", "tags"):
        op.drop_column("threads", column)
