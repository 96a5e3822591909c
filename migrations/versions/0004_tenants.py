"""Row security on PostgreSQL: a transaction sees and writes the rows of the tenants it names, and no others.

Takes a moment, however many rows there are. The condition is written out here, not imported: a revision must not
change when the code does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
locks = ()
"""Tables whose rows are all read while nobody else can use them: none, each is locked for a moment only."""
breaks_older = (
    "replicas of a lor3 from before it do not say whose rows they mean, so on PostgreSQL they find no thread and store "
    "no chat from then on: stop them first, migrate, then start the new ones"
)
"""On a database that has rows it is said, and asked about, before it begins."""

_TABLES = (
    "sessions",
    "threads",
    "thread_tags",
    "messages",
    "attempts",
    "thread_summaries",
    "feedback_changes",
    "idempotency_keys",
    "prompts",
    "prompt_versions",
    "prompt_pins",
    "prompt_label_moves",
)
_PARTITIONS = sa.text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent IN ('messages'::regclass, 'attempts'::regclass) AND c.relkind = 'r' ORDER BY 1"
)
_CONDITION = (
    "tenant = ANY ((SELECT string_to_array(current_setting('lor3.tenants', true), E'\\x1f'))::text[]) "
    "OR (SELECT current_setting('lor3.tenants', true) = '*')"
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    # Who names a partition is not bound by the policy of the whole table.
    for table in (*_TABLES, *op.get_bind().scalars(_PARTITIONS)):
        op.execute(sa.text(f'CREATE POLICY tenant_isolation ON "{table}" USING ({_CONDITION})'))
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in (*_TABLES, *op.get_bind().scalars(_PARTITIONS)):
        op.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')
        op.execute(f'DROP POLICY tenant_isolation ON "{table}"')
