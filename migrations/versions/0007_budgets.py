"""What budgets have spent, and what is reserved of them.

Takes a moment. The condition of row security is written out here, as in 0006.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
locks = ()
"""Tables whose rows are all read while nobody else can use them."""

_CONDITION = (
    "tenant = ANY ((SELECT string_to_array(current_setting('lor3.tenants', true), E'\\x1f'))::text[]) "
    "OR (SELECT current_setting('lor3.tenants', true) = '*')"
)
_TABLES = ("budget_counters", "budget_holds")


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    identifier = postgresql.UUID(as_uuid=False) if on_postgresql else sa.String(36)
    timestamp = sa.DateTime(timezone=True) if on_postgresql else sa.String(32)
    money = sa.Numeric() if on_postgresql else sa.String(40)
    op.create_table(
        "budget_counters",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("starts_at", timestamp, nullable=False),
        sa.Column("spent_usd", money, nullable=False),
        sa.PrimaryKeyConstraint(
            "subject_id", "tenant", "subject", "period", "starts_at", name="pk_budget_counters"
        ),
    )
    op.create_index("ix_budget_counters_starts_at", "budget_counters", ["starts_at"])
    op.create_table(
        "budget_holds",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("starts_at", timestamp, nullable=False),
        sa.Column("holder", identifier, nullable=False),
        sa.Column("amount_usd", money, nullable=False),
        sa.Column("lease_until", timestamp, nullable=False),
        sa.PrimaryKeyConstraint(
            "subject_id", "tenant", "subject", "period", "starts_at", "holder", name="pk_budget_holds"
        ),
    )
    op.create_index("ix_budget_holds_lease_until", "budget_holds", ["lease_until"])
    if on_postgresql:
        for table in _TABLES:
            op.execute(sa.text(f"CREATE POLICY tenant_isolation ON {table} USING ({_CONDITION})"))
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
