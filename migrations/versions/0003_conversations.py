# ruff: noqa: S608 - the statements are made of the names in this file
"""Conversations: tags, forks and deletion of threads, pins and feedback, summaries, idempotency keys.

On PostgreSQL `messages` and `attempts` become tables of months. What they hold stays where it is: the old table
becomes the partition of everything up to the month after next. It is read once, to know that it fits, and gets
its indexes; meanwhile nobody can read or write it.

The types are written out here, not imported: a revision must not change when the code does.
"""

import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
locks = ("messages", "attempts")
"""Tables whose rows are all read while nobody else can use them; said before it begins."""

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
    if op.get_bind().dialect.name == "postgresql":
        _divide()
    _index()
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
        "thread_tags",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("thread_id", _ID, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "tenant", "tag", name="pk_thread_tags"),
        sa.ForeignKeyConstraint(
            ["thread_id", "tenant"],
            ["threads.id", "threads.tenant"],
            name="fk_thread_tags_threads",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_thread_tags_tenant_tag_thread_id", "thread_tags", ["tenant", "tag", "thread_id"])
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
    in_flight = sa.text("state = 'in_flight'")
    op.create_index(
        "ix_idempotency_keys_in_flight",
        "idempotency_keys",
        ["tenant"],
        postgresql_where=in_flight,
        sqlite_where=in_flight,
    )


def _index() -> None:
    of_thread, is_rated = ["thread_id", "tenant", "position"], sa.text("rating IS NOT NULL")
    for name, table, columns, where in (
        ("ix_threads_deleted_at", "threads", ["deleted_at"], sa.text("deleted_at IS NOT NULL")),
        ("ix_messages_pinned", "messages", of_thread, sa.text("pinned")),
        ("ix_messages_rated", "messages", of_thread, is_rated),
        ("ix_messages_rated_tenant_id", "messages", ["tenant", "id"], is_rated),
    ):
        op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)


def _divide() -> None:
    op.execute("LOCK TABLE messages, attempts IN ACCESS EXCLUSIVE MODE")
    op.drop_constraint("fk_attempts_messages", "attempts", type_="foreignkey")
    op.drop_constraint("uq_messages_thread_id_tenant_position", "messages", type_="unique")
    today = op.get_bind().scalar(sa.text("SELECT CAST(now() AT TIME ZONE 'UTC' AS date)"))
    this_month = today.year * 12 + today.month - 1
    is_empty = not op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM messages)"))
    # What is there may bear the time of a clock that goes ahead: so its partition reaches into the next month.
    first = this_month if is_empty else this_month + 2
    months = range(first, this_month + 4)
    for table, key, primary_key in (
        ("messages", "id", "id, tenant"),
        ("attempts", "message_id", "message_id, tenant, number"),
    ):
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_earlier")
        op.execute(f"ALTER TABLE {table}_earlier RENAME CONSTRAINT pk_{table} TO pk_{table}_earlier")
        op.execute(
            f"CREATE TABLE {table} (LIKE {table}_earlier INCLUDING DEFAULTS) PARTITION BY RANGE ({key})"
        )
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({primary_key})")
        for month in months:
            op.execute(
                f"CREATE TABLE {table}_{_name(month)} PARTITION OF {table} "
                f"FOR VALUES FROM ('{_first_id(month)}') TO ('{_first_id(month + 1)}')"
            )
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        _hand_over(f"{table}_earlier", table)
    op.execute(
        "ALTER TABLE messages ADD CONSTRAINT fk_messages_threads FOREIGN KEY (thread_id, tenant) "
        "REFERENCES threads (id, tenant) ON DELETE CASCADE"
    )
    # Not unique: it would have to hold the id. The thread's row lock keeps positions apart.
    op.create_index("ix_messages_thread_id_tenant_position", "messages", ["thread_id", "tenant", "position"])
    for table, key in (("messages", "id"), ("attempts", "message_id")):
        if is_empty:
            op.execute(f"DROP TABLE {table}_earlier")
            continue
        # Ids that are no UUIDv7, or of a clock that is months ahead.
        op.execute(
            f"WITH moved AS (DELETE FROM {table}_earlier WHERE {key} >= '{_first_id(first)}' RETURNING *) "
            f"INSERT INTO {table} SELECT * FROM moved"
        )
        op.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {table}_earlier "
            f"FOR VALUES FROM (MINVALUE) TO ('{_first_id(first)}')"
        )


def _unite() -> None:
    for table in ("messages", "attempts"):
        op.execute(f"CREATE TABLE {table}_whole (LIKE {table} INCLUDING DEFAULTS)")
        op.execute(f"INSERT INTO {table}_whole SELECT * FROM {table}")
        _hand_over(table, f"{table}_whole")
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE {table}_whole RENAME TO {table}")
    op.create_primary_key("pk_messages", "messages", ["id", "tenant"])
    op.create_primary_key("pk_attempts", "attempts", ["message_id", "tenant", "number"])
    op.create_unique_constraint(
        "uq_messages_thread_id_tenant_position", "messages", ["thread_id", "tenant", "position"]
    )
    for name, table, to, column in (
        ("fk_messages_threads", "messages", "threads", "thread_id"),
        ("fk_attempts_messages", "attempts", "messages", "message_id"),
    ):
        op.create_foreign_key(name, table, to, [column, "tenant"], ["id", "tenant"], ondelete="CASCADE")


_GRANTS = sa.text(
    "SELECT a.privilege_type, '', a.grantee, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a "
    "WHERE c.oid = to_regclass(:table) AND a.grantee <> c.relowner "
    "UNION ALL SELECT a.privilege_type, ' (' || quote_ident(t.attname) || ')', a.grantee, a.is_grantable "
    "FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a "
    "WHERE c.oid = to_regclass(:table) AND NOT t.attisdropped AND a.grantee <> c.relowner"
)
_ROLE = sa.text("SELECT CASE WHEN :id = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(:id)) END")
_OWNER = sa.text("SELECT relowner FROM pg_class WHERE oid = to_regclass(:table)")
_PARTITIONS = sa.text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table)"
)


def _hand_over(old: str, new: str) -> None:
    """Gives a table that takes the place of another the same owner and rights, which LIKE does not copy.

    Its partitions need no rights: who reads and writes the whole table is not asked for theirs.
    """
    database = op.get_bind()
    grants = database.execute(_GRANTS, {"table": old}).all()
    owner = database.scalar(_OWNER, {"table": old})
    if owner != database.scalar(_OWNER, {"table": new}):  # a superuser migrates
        for table in (new, *database.scalars(_PARTITIONS, {"table": new}).all()):
            op.execute(f"ALTER TABLE {table} OWNER TO {database.scalar(_ROLE, {'id': owner})}")
    for right, columns, grantee, is_grantable in grants:
        role = database.scalar(_ROLE, {"id": grantee})
        option = " WITH GRANT OPTION" if is_grantable else ""
        op.execute(f"GRANT {right}{columns} ON {new} TO {role}{option}")


def _name(month: int) -> str:
    """`2026_11`; months are counted from the year 0."""
    return f"{month // 12:04}_{month % 12 + 1:02}"


def _first_id(month: int) -> str:
    """No UUIDv7 of the month is less than this, and none of the month before is more."""
    start = datetime.datetime(month // 12, month % 12 + 1, 1, tzinfo=datetime.UTC)
    digits = f"{int(start.timestamp()) * 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def downgrade() -> None:
    for table in ("idempotency_keys", "feedback_changes", "thread_tags", "thread_summaries"):
        op.drop_table(table)
    for name in ("ix_messages_rated_tenant_id", "ix_messages_rated", "ix_messages_pinned"):
        op.drop_index(name, "messages")
    op.drop_index("ix_threads_deleted_at", "threads")
    if op.get_bind().dialect.name == "postgresql":
        _unite()
    op.drop_column("attempts", "purpose")
    for column in ("feedback", "rating", "prompt_label", "copied_from", "pinned", "parent"):
        op.drop_column("messages", column)
    op.drop_index("ix_sessions_tenant_user_id", "sessions")
    op.drop_index("ix_sessions_tenant_id", "sessions")
    op.drop_index("ix_threads_tenant_id", "threads")
    op.drop_index("ix_threads_session_id_tenant_id", "threads")
    for column in ("deleted_at", "forked_from", "tags"):
        op.drop_column("threads", column)
