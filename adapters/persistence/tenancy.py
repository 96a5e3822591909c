"""Row security of PostgreSQL: which tenants a transaction may see and write.

Every table with a `tenant` has one policy. It compares with the setting `lor3.tenants`, which a transaction sets
for itself alone; where it is not set, there are no rows. So a query that forgot its tenant finds nothing of
another's, and a pooler may hand the connection to somebody else after the transaction:
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from collections.abc import Iterable
from typing import Final

from domain.ids import Tenant

SETTING: Final = "lor3.tenants"
ALL: Final = "*"
"""The setting's value for work of all tenants."""
POLICY: Final = "tenant_isolation"

SET: Final = (
    f"SELECT set_config('{SETTING}', $1, true), set_config('plan_cache_mode', 'force_generic_plan', true)"
)
"""Before a statement, in one transaction with it: for libpq's pipelines, with `setting(…)` as its parameter.

Planned once: over a year of partitions a plan costs ten times what it does, and which months a statement looks at is
decided when it runs, by its parameters.
"""

_SEPARATOR: Final = "\x1f"
# Each of the two is asked once a statement, not once a row.
_OURS: Final = f"(SELECT string_to_array(current_setting('{SETTING}', true), E'\\x1f'))::text[]"
_EVERYBODY: Final = f"(SELECT current_setting('{SETTING}', true) = '{ALL}')"
_CONDITION: Final = f"tenant = ANY ({_OURS}) OR {_EVERYBODY}"


def setting(tenants: Iterable[Tenant]) -> str:
    """The setting's value for these tenants, of which there is at least one. Each appears once, in order.

    Raises:
        ValueError: a tenant holds U+0000, which no text of PostgreSQL can, or U+001F, which parts tenants here.
    """
    each = sorted(set(tenants))
    for tenant in each:
        if "\0" in tenant or _SEPARATOR in tenant:
            raise ValueError("a tenant holds U+0000 or U+001F: choose another name for it")
    if len(each) == 1 and each[0] in (ALL, ""):
        each *= 2  # a tenant whose name is `*` is not all tenants, and nothing is not a tenant without a name
    if not each:
        raise ValueError("a transaction needs a tenant")
    return _SEPARATOR.join(each)


def set_local(value: str) -> str:
    """SQL that sets it until the transaction ends, for the simple protocol, which takes no parameters."""
    # With E, backslashes count whatever `standard_conforming_strings` is.
    quoted = value.replace("\\", "\\\\").replace("'", "''")
    return f"SET LOCAL {SETTING} = E'{quoted}'"


def secure(table: str) -> tuple[str, ...]:
    """SQL that switches row security on for a table or a partition, for its owner too.

    A partition has its own: that of the whole table does not bind who names the partition.
    """
    return (
        f'CREATE POLICY {POLICY} ON "{table}" USING ({_CONDITION})',
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
    )
