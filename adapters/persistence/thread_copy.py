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
_SOURCE: Final = (
    _M.thread_id == sa.bindparam("source"),
    _M.position >= sa.bindparam("first", type_=sa.BigInteger),
    _M.position < sa.bindparam("end", type_=sa.BigInteger),
    _M.id >= sa.bindparam("oldest"),
    _M.id <= sa.bindparam("newest"),
)
_LINKS: Final = (
    sa.select(_M.id, _M.position, _M.parent)
    .where(
        *_SOURCE,
        sa.exists().where(
            THREADS.c.id == sa.bindparam("source"),
            THREADS.c.tenant == sa.bindparam("tenant"),
            THREADS.c.deleted_at.is_(None),
        ),
    )
    .order_by(_M.position)
)
# A row for each copy, as JSON: the one form that both databases take as a single parameter.
_MADE: Final = {
    "postgresql": "SELECT original, id, parent, position "
    "FROM json_to_recordset(CAST(:made AS json)) AS made(original integer, id uuid, parent uuid, position integer)",
    "sqlite": "SELECT json_extract(value, '$.original') AS original, json_extract(value, '$.id') AS id, "
    "json_extract(value, '$.parent') AS parent, json_extract(value, '$.position') AS position FROM json_each(:made)",
}
_LEFT_BEHIND: Final = frozenset(("rating", "feedback"))


def _statement(made: str) -> sa.Insert:
    copy = (
        sa.text(made)
        .columns(
            sa.column("original", sa.Integer),
            sa.column("id", _M.id.type),
            sa.column("parent", _M.parent.type),
            sa.column("position", sa.Integer),
        )
        .subquery("made")
    )
    values: dict[str, sa.ColumnElement[object]] = {
        column.name: column for column in MESSAGES.columns if column.name not in _LEFT_BEHIND
    }
    values |= {
        "id": copy.c.id,
        "thread_id": sa.bindparam("copy", type_=_M.thread_id.type),
        "position": copy.c.position,
        "parent": copy.c.parent,
        "copied_from": _M.id,
    }
    select = (
        sa.select(*[value.label(f"copied_{name}") for name, value in values.items()])
        .select_from(copy)
        .join(MESSAGES, _M.position == copy.c.original)
        .where(*_SOURCE, _M.tenant == sa.bindparam("of_tenant"))
    )
    return sa.insert(MESSAGES).from_select(list(values), select, include_defaults=False)


_COPY: Final = {database: _statement(made) for database, made in _MADE.items()}


async def copy_messages(
    scope: Scope, source: str, copy: str, *, first: int, ids: Sequence[MessageId]
) -> None:
    """Two statements a portion: the one reads how the originals hang together, the other copies them.

    Args:
        source: canonical, as is `copy`.
    """
    bounds = message_ids(source, now_s=time.time())
    new_ids: dict[str, str] = {}
    for begin in range(0, len(ids), PORTION):
        end = min(begin + PORTION, len(ids))
        portion = {
            "source": source,
            "first": first + begin,
            "end": first + end,
            "oldest": bounds.oldest,
            "newest": bounds.newest,
        }
        links = await scope.rows(_LINKS, MESSAGES, portion)
        if not links:
            continue
        for link in links:
            new_ids[link["id"]] = ids[link["position"] - first]
        made = [
            {
                "original": link["position"],
                "id": new_ids[link["id"]],
                "parent": new_ids.get(link["parent"]),
                "position": link["position"] - first,
            }
            for link in links
        ]
        await scope.insert_selected(
            _COPY[scope.database], {**portion, "copy": copy, "made": json.dumps(made)}
        )
