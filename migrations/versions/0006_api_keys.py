"""API keys, and which one asked for an answer.

Takes a moment, however many rows there are. The condition of row security is written out here, not imported: a
revision must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
locks = ()
"""Tables whose rows are all read while nobody else can use them: none, a column without a default is only noted."""

_CONDITION = (
    "tenant = ANY ((SELECT string_to_array(current_setting('lor3.tenants', true), E'\\x1f'))::text[]) "
    "OR (SELECT current_setting('lor3.tenants', true) = '*')"
)


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    identifier = postgresql.UUID(as_uuid=False) if on_postgresql else sa.String(36)
    timestamp = sa.DateTime(timezone=True) if on_postgresql else sa.String(32)
    document = postgresql.JSONB() if on_postgresql else sa.JSON()
    op.add_column("messages", sa.Column("key_id", identifier))
    op.create_table(
        "api_keys",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", identifier, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("scopes", document, nullable=False),
        sa.Column("models", document, nullable=False),
        sa.Column("limits", document, nullable=False),
        sa.Column("budgets", document, nullable=False),
        sa.Column("account", identifier, nullable=False),
        sa.Column("replaces", identifier),
        sa.Column("created_at", timestamp, nullable=False),
        sa.Column("changed_at", timestamp, nullable=False),
        sa.Column("expires_at", timestamp),
        sa.Column("revoked_at", timestamp),
        sa.PrimaryKeyConstraint("id", "tenant", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
    )
    op.create_index("ix_api_keys_changed_at", "api_keys", ["changed_at"])
    op.create_index("ix_api_keys_tenant_name", "api_keys", ["tenant", "name"])
    if on_postgresql:
        op.execute(sa.text(f"CREATE POLICY tenant_isolation ON api_keys USING ({_CONDITION})"))
        op.execute("ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE api_keys FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_column("messages", "key_id")
