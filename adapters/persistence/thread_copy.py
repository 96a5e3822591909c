"""Copies messages from one thread to another inside the database: what they say never leaves it."""

import json
import time
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from adapters.persistence.identifiers import message_ids
from adapters.persistence.scope import Scope
from adapters.persistence.tables import MESSAGES, THREADS
from domain.ids import MessageId

PORTION: Final = 1000
"""Rows a statement copies: each stays far below the limit of a statement."""

_M: Final = MESSAGES.c
_MONTHS: Final = (_M.id >= sa.bindparam("oldest"), _M.id <= sa.bindparam("newest"))
_LINKS: Final = (
    sa.select(_M.id, _M.position, _M.parent)
    .where(
        *_MONTHS,
        _M.thread_id == sa.bindparam("source"),
        _M.position >= sa.bindparam("first", type_=sa.BigInteger),
        _M.position < sa.bindparam("end", type_=sa.BigInteger),
        sa.exists().where(
            THREADS.c.id == sa.bindparam("source"),
            THREADS.c.tenant == sa.bindparam("tenant"),
            THREADS.c.deleted_at.is_(None),
        ),
    )
    .order_by(_M.position)
)
# A row for each copy, as JSON: the one form that both databases take as a single parameter. They name their
# originals by id, and each is looked up by it. With the thread's index to choose from, SQLite looked through the
# JSON once for each message; left to join as it likes, PostgreSQL read a month whole where it had no statistics yet.
_MADE: Final = {
    "postgresql": "SELECT original, id, parent, position "
    "FROM json_to_recordset(CAST(:made AS json)) AS made(original uuid, id uuid, parent uuid, position integer)",
    "sqlite": "SELECT json_extract(value, '$.original') AS original, json_extract(value, '$.id') AS id, "
    "json_extract(value, '$.parent') AS parent, json_extract(value, '$.position') AS position FROM json_each(:made)",
}
_LEFT_BEHIND: Final = frozenset(("rating", "feedback"))


def _statement(database: str, made: str) -> sa.Insert:
    copy = (
        sa.text(made)
        .columns(
            sa.column("original", _M.id.type),
            sa.column("id", _M.id.type),
            sa.column("parent", _M.parent.type),
            sa.column("position", sa.Integer),
        )
        .subquery("made")
    )
    original: sa.FromClause = MESSAGES
    if database == "postgresql":
        of_id = (*_MONTHS, _M.id == copy.c.original, _M.tenant == sa.bindparam("of_tenant"))
        # With a limit it is no join that could be turned around.
        original = sa.select(MESSAGES).where(*of_id).limit(1).lateral("original")
    values: dict[str, sa.ColumnElement[object]] = {
        column.name: column for column in original.columns if column.name not in _LEFT_BEHIND
    }
    values |= {
        "id": copy.c.id,
        "thread_id": sa.bindparam("copy", type_=_M.thread_id.type),
        "position": copy.c.position,
        "parent": copy.c.parent,
        "copied_from": original.c.id,
    }
    select = (
        sa.select(*[value.label(f"copied_{name}") for name, value in values.items()])
        .select_from(copy)
        .join(original, original.c.id == copy.c.original)
        .where(original.c.tenant == sa.bindparam("of_tenant"))
    )
    return sa.insert(MESSAGES).from_select(list(values), select, include_defaults=False)


_COPY: Final = {database: _statement(database, made) for database, made in _MADE.items()}


async def copy_messages(
    scope: Scope, source: str, copy: str, *, first: int, ids: Sequence[MessageId]
) -> None:
    """Two statements a portion: the one reads how the originals hang together, the other copies them.

    Args:
        source: canonical, as is `copy`.
    """
    bounds = message_ids(source, now_s=time.time())
    months = {"oldest": bounds.oldest, "newest": bounds.newest}
    new_ids: dict[str, str] = {}
    for begin in range(0, len(ids), PORTION):
        end = min(begin + PORTION, len(ids))
        portion = {"source": source, "first": first + begin, "end": first + end}
        links = await scope.rows(_LINKS, MESSAGES, {**months, **portion})
        if not links:
            continue
        for link in links:
            new_ids[link["id"]] = ids[link["position"] - first]
        made = [
            {
                "original": link["id"],
                "id": new_ids[link["id"]],
                "parent": new_ids.get(link["parent"]),
                "position": link["position"] - first,
            }
            for link in links
        ]
        await scope.insert_selected(_COPY[scope.database], {**months, "copy": copy, "made": json.dumps(made)})
