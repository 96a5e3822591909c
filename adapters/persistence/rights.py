"""What a role of PostgreSQL may do with the tables, against what lor3 does with them."""

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from adapters.persistence.tables import METADATA
from application.ports.maintenance import TableRights

_FOR_CHATS: Final = {
    "sessions": ("SELECT", "INSERT"),
    "threads": ("SELECT", "INSERT", "UPDATE"),
    "messages": ("SELECT", "INSERT"),
    "attempts": ("INSERT",),
    "usage_log": ("INSERT",),
    "idempotency_keys": ("SELECT", "INSERT", "UPDATE"),
    "budget_counters": ("SELECT", "INSERT", "UPDATE"),
}
_FOR_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_ROLE: Final = sa.text("SELECT quote_ident(current_user)")
# Rights on some columns may do: which ones are needed is not for here.
_LACKING: Final = sa.text(
    "SELECT t.name, r.name FROM unnest(CAST(:tables AS text[])) t(name), unnest(CAST(:rights AS text[])) r(name) "
    "WHERE to_regclass(quote_ident(t.name)) IS NOT NULL AND NOT CASE r.name "
    "WHEN 'DELETE' THEN has_table_privilege(to_regclass(quote_ident(t.name)), r.name) "
    "ELSE has_any_column_privilege(to_regclass(quote_ident(t.name)), r.name) END"
)


def lacking(connection: sa.Connection) -> TableRights:
    """Of the role that is connected; tables that do not exist are not counted."""
    role: str = connection.scalar(_ROLE) or ""
    found = {
        (table, right)
        for table, right in connection.execute(
            _LACKING, {"tables": list(METADATA.tables), "rights": list(_FOR_ALL)}
        )
    }
    for_chats = {(table, right) for table, right in found if right in _FOR_CHATS.get(table, ())}
    return TableRights(for_chats=_grants(for_chats, role), others=_grants(found - for_chats, role))


def _grants(lacking: Iterable[tuple[str, str]], role: str) -> tuple[str, ...]:
    """As few statements as there are sets of rights."""
    of_table: dict[str, list[str]] = {}
    for table, right in sorted(lacking, key=lambda each: (each[0], _FOR_ALL.index(each[1]))):
        of_table.setdefault(table, []).append(right)
    tables: dict[str, list[str]] = {}
    for table, rights in of_table.items():
        tables.setdefault(", ".join(rights), []).append(table)
    return tuple(f"GRANT {rights} ON {', '.join(names)} TO {role}" for rights, names in tables.items())
