"""What left the usual.

Takes a moment: the table is new. The condition of row security is written out here, not imported: a revision must not
change when the code does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
locks = ()
"""Tables whose rows are all read while nobody else can use them."""

_CONDITION = (
    "tenant = ANY ((SELECT string_to_array(current_setting('lor3.tenants', true), E'\\x1f'))::text[]) "
    "OR (SELECT current_setting('lor3.tenants', true) = '*')"
)


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    identifier = postgresql.UUID(as_uuid=False) if on_postgresql else sa.String(36)
    timestamp = sa.DateTime(timezone=True) if on_postgresql else sa.String(32)
    op.create_table(
        "anomalies",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", identifier, nullable=False),
        sa.Column("at", timestamp, nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("measure", sa.Text, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("usual", sa.Double, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("message_id", identifier),
        sa.PrimaryKeyConstraint("id", "tenant", name="pk_anomalies"),
    )
    op.create_index("ix_anomalies_tenant_at", "anomalies", ["tenant", "at"])
    if on_postgresql:
        op.execute(sa.text(f"CREATE POLICY tenant_isolation ON anomalies USING ({_CONDITION})"))
        op.execute("ALTER TABLE anomalies ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE anomalies FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("anomalies")
