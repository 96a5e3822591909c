"""Chats by the ids that clients give them.

Takes a moment, however many rows there are. The condition of row security is written out here, not imported: a
revision must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
locks = ()
"""Tables whose rows are all read while nobody else can use them: none, it makes a new one."""

_CONDITION = (
    "tenant = ANY ((SELECT string_to_array(current_setting('lor3.tenants', true), E'\\x1f'))::text[]) "
    "OR (SELECT current_setting('lor3.tenants', true) = '*')"
)


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    identifier = postgresql.UUID(as_uuid=False) if on_postgresql else sa.String(36)
    timestamp = sa.DateTime(timezone=True) if on_postgresql else sa.String(32)
    op.create_table(
        "client_chats",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("thread_id", identifier, nullable=False),
        sa.Column("created_at", timestamp, nullable=False),
        sa.Column("updated_at", timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", "tenant", name="pk_client_chats"),
        sa.ForeignKeyConstraint(
            ["thread_id", "tenant"],
            ["threads.id", "threads.tenant"],
            name="fk_client_chats_threads",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_client_chats_thread_id_tenant", "client_chats", ["thread_id", "tenant"])
    if on_postgresql:
        op.execute(sa.text(f"CREATE POLICY tenant_isolation ON client_chats USING ({_CONDITION})"))
        op.execute("ALTER TABLE client_chats ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE client_chats FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("client_chats")
