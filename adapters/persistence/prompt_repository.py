"""Prompts in SQL."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.byte_length import byte_length
from adapters.persistence.prompt_rows import (
    move_of,
    move_row,
    outline_of,
    pin_rows,
    prompt_of,
    prompt_row,
    ref_of,
    version_of,
    version_row,
)
from adapters.persistence.rows import Row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import PROMPT_LABEL_MOVES, PROMPT_PINS, PROMPT_VERSIONS, PROMPTS
from domain.clean_text import clean_value
from domain.errors import UnreadableVersion
from domain.ids import Tenant
from domain.prompt.document import BEGINNING
from domain.prompt.reference import MAX_VERSION, PromptName, VersionRef
from domain.prompt.version import LabelMove, Prompt, PromptVersion, VersionOutline

_MAX_LIMIT: Final = 2**31 - 1

_V: Final = PROMPT_VERSIONS.c
_M: Final = PROMPT_LABEL_MOVES.c
_NAMED: Final = PROMPTS.c.name == sa.bindparam("of_name", type_=sa.Text)
_LIMIT: Final = sa.bindparam("limit", type_=sa.BigInteger)
_AMONG: Final = sa.tuple_(_V.name, _V.number).in_(sa.bindparam("refs", expanding=True))
_MOVES_OF: Final = (_M.name == sa.bindparam("name"), _M.label == sa.bindparam("label"))

# Of a prompt that was removed its row stays, with this in it: its numbers are not given again.
_IS_REMOVED: Final = PROMPTS.c.latest == 0
_HEAD: Final = sa.select(PROMPTS).where(_NAMED, ~_IS_REMOVED)
_REMOVED: Final = sa.select(PROMPTS).where(_NAMED, _IS_REMOVED)
_HEADS: Final = (
    sa.select(PROMPTS)
    .where(PROMPTS.c.name > sa.bindparam("after"), ~_IS_REMOVED)
    .order_by(PROMPTS.c.name)
    .limit(_LIMIT)
)
_FIND: Final = sa.select(PROMPT_VERSIONS).where(_AMONG)
_USES: Final = sa.select(_V.name, _V.number, _V.used_at).where(_AMONG)
# In order, so that two of them never wait for each other in a circle. The lock returns the newest rows.
_USES_LOCKED: Final = _USES.order_by(_V.name, _V.number).with_for_update(key_share=True)
# Without the text, which may have a megabyte.
_OUTLINE: Final = sa.select(
    _V.name,
    _V.number,
    _V.hash,
    sa.func.substr(_V.template, 1, BEGINNING).label("beginning"),
    byte_length(_V.template).label("size_bytes"),
)
_OUTLINES: Final = _OUTLINE.where(_AMONG)
_HISTORY: Final = (
    _OUTLINE.where(_V.name == sa.bindparam("name"), _V.number < sa.bindparam("below", type_=sa.BigInteger))
    .order_by(_V.number.desc())
    .limit(_LIMIT)
)
_INCLUDING: Final = (
    sa.select(PROMPT_PINS.c.name, PROMPT_PINS.c.number)
    .where(
        PROMPT_PINS.c.pinned_name == sa.bindparam("name"),
        PROMPT_PINS.c.pinned_number == sa.bindparam("number"),
    )
    .order_by(PROMPT_PINS.c.name, PROMPT_PINS.c.number.desc())
    .limit(_LIMIT)
)
_MOVES: Final = sa.select(PROMPT_LABEL_MOVES).where(*_MOVES_OF).order_by(_M.position.desc()).limit(_LIMIT)
_LAST_MOVE: Final = sa.select(sa.func.coalesce(sa.func.max(_M.position), 0).label("position")).where(
    *_MOVES_OF
)
_PUT: Final = sa.update(PROMPTS).where(_NAMED)
_REMOVE: Final = sa.update(PROMPTS).where(_NAMED).values(latest=0, labels=[], file=None, assistant=None)
_USE: Final = sa.update(PROMPT_VERSIONS).where(_AMONG).values(used_at=sa.bindparam("at"))
_DELETE: Final = sa.delete(PROMPT_VERSIONS).where(
    _V.name == sa.bindparam("of_name"), _V.number == sa.bindparam("of_number"), _V.used_at.is_(None)
)


@attrs.define
class Prompts:
    """Reads commit by themselves until the first lock or write begins the transaction."""

    _scope: Scope
    _locked: set[PromptName] = attrs.field(factory=set, init=False)

    async def get(self, name: PromptName) -> Prompt | None:
        rows = await self._scope.rows(_HEAD, PROMPTS, {"of_name": name})
        return prompt_of(rows[0]) if rows else None

    async def list(self, *, after: PromptName | None = None, limit: int) -> tuple[Prompt, ...]:
        rows = await self._some(_HEADS, PROMPTS, {"after": after or ""}, limit)
        return tuple([prompt_of(row) for row in rows])

    async def find(self, refs: Sequence[VersionRef]) -> tuple[PromptVersion, ...]:
        found: list[PromptVersion] = []
        unreadable: list[str] = []
        for row in await self._among(_FIND, refs):
            try:
                found.append(version_of(row))
            except UnreadableVersion as error:
                unreadable += error.refs
        if unreadable:
            raise UnreadableVersion(*unreadable)
        return tuple(found)

    async def outlines(self, refs: Sequence[VersionRef]) -> tuple[VersionOutline, ...]:
        return tuple([outline_of(row) for row in await self._among(_OUTLINES, refs)])

    async def history(
        self, name: PromptName, *, below: int | None = None, limit: int
    ) -> tuple[VersionOutline, ...]:
        beyond = MAX_VERSION + 1
        bound = beyond if below is None else max(0, min(below, beyond))
        rows = await self._some(_HISTORY, PROMPT_VERSIONS, {"name": name, "below": bound}, limit)
        return tuple([outline_of(row) for row in rows])

    async def lock(self, name: PromptName) -> Prompt | None:
        await self._scope.lock(f"prompt\0{clean_value(name)}")
        self._locked.add(name)
        # A statement of its own: one that waited for the lock sees the rows as they were before it waited.
        return await self.get(name)

    async def removed(self, name: PromptName) -> Prompt | None:
        rows = await self._scope.rows(_REMOVED, PROMPTS, {"of_name": name})
        return prompt_of(rows[0]) if rows else None

    async def put(self, prompt: Prompt) -> None:
        self._demand(prompt.tenant, prompt.name)
        row = prompt_row(clean_value(prompt))
        if not await self._scope.change(_PUT.values(row), PROMPTS, {"of_name": prompt.name}):
            await self._scope.add(PROMPTS, [row])

    async def remove(self, name: PromptName) -> None:
        self._demand(self._scope.tenant, name)
        await self._scope.change(_REMOVE, PROMPTS, {"of_name": name})

    async def add_version(self, version: PromptVersion) -> None:
        self._demand(version.tenant, version.name)
        cleaned = clean_value(version)
        await self._scope.add(PROMPT_VERSIONS, [version_row(cleaned)])
        pins = pin_rows(cleaned)
        if pins:
            await self._scope.add(PROMPT_PINS, pins)

    async def delete_version(self, ref: VersionRef) -> bool:
        self._demand(self._scope.tenant, ref.name)
        if not _is_storable(ref):
            return False
        # Waits for a `mark_used` that is under way, and then sees what it wrote.
        parameters = {"of_name": ref.name, "of_number": ref.number}
        return await self._scope.change(_DELETE, PROMPT_VERSIONS, parameters) > 0

    async def mark_used(self, refs: Sequence[VersionRef], *, at: datetime.datetime) -> frozenset[VersionRef]:
        rows = await self._among(_USES, refs)
        if any(row["used_at"] is None for row in rows):
            # Once in the life of a version. From here on nobody can delete them; who did so before is seen.
            await self._scope.begin()
            rows = await self._among(_USES_LOCKED, [ref_of(row) for row in rows])
            unused = [(row["name"], row["number"]) for row in rows if row["used_at"] is None]
            if unused:
                await self._scope.change(_USE, PROMPT_VERSIONS, {"refs": unused, "at": at})
        return frozenset([ref_of(row) for row in rows])

    async def including(self, ref: VersionRef, *, limit: int) -> tuple[VersionRef, ...]:
        if not _is_storable(ref):
            return ()
        parameters = {"name": ref.name, "number": ref.number}
        return tuple([ref_of(row) for row in await self._some(_INCLUDING, PROMPT_PINS, parameters, limit)])

    async def note_move(self, move: LabelMove) -> None:
        self._demand(self._scope.tenant, move.name)
        parameters = {"name": move.name, "label": move.label}
        last = await self._scope.rows(_LAST_MOVE, PROMPT_LABEL_MOVES, parameters)
        row = move_row(clean_value(move), position=last[0]["position"] + 1)
        await self._scope.add(PROMPT_LABEL_MOVES, [row])

    async def moves(self, name: PromptName, label: str, *, limit: int) -> tuple[LabelMove, ...]:
        parameters = {"name": name, "label": label}
        rows = await self._some(_MOVES, PROMPT_LABEL_MOVES, parameters, limit)
        return tuple([move_of(row) for row in rows])

    def unlock(self) -> None:
        """The transaction ended."""
        self._locked.clear()

    async def _some(
        self, select: sa.Select[Any], table: sa.Table, parameters: dict[str, Any], limit: int
    ) -> Sequence[Row]:
        if limit <= 0:
            return []
        return await self._scope.rows(select, table, {**parameters, "limit": min(limit, _MAX_LIMIT)})

    async def _among(self, select: sa.Select[Any], refs: Sequence[VersionRef]) -> Sequence[Row]:
        known = {(ref.name, ref.number) for ref in refs if _is_storable(ref)}
        if not known:
            return []
        return await self._scope.rows(select, PROMPT_VERSIONS, {"refs": sorted(known)})

    def _demand(self, tenant: Tenant, name: PromptName) -> None:
        if tenant != self._scope.tenant:
            raise ValueError(f"a prompt of tenant `{tenant}` in a unit of work of another tenant")
        if name not in self._locked:
            raise RuntimeError(f"`{name}` is written without a lock: await `lock` first")


def _is_storable(ref: VersionRef) -> bool:
    return 0 < ref.number <= MAX_VERSION
