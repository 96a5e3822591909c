"""Prompts in this process, with the locks and the rollback of a database."""

import datetime
from collections.abc import Sequence

import attrs

from adapters.in_memory.prompt_shelf import PromptShelf
from adapters.in_memory.shelves import Shelves
from domain.clean_text import clean_value
from domain.errors import StorageUnavailable
from domain.ids import Tenant
from domain.prompt.document import bytes_of, document_text
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import LabelMove, Prompt, PromptVersion, VersionOutline


@attrs.define
class InMemoryPrompts:
    """Writes wait here until `commit`; others see nothing of them before."""

    _shelves: Shelves
    _tenant: Tenant
    _heads: dict[PromptName, Prompt] = attrs.field(factory=dict, init=False)
    _versions: dict[VersionRef, PromptVersion | None] = attrs.field(factory=dict, init=False)
    """None for what this unit of work took away."""
    _used_at: dict[VersionRef, datetime.datetime] = attrs.field(factory=dict, init=False)
    _moves: list[LabelMove] = attrs.field(factory=list, init=False)
    _held: set[PromptName | VersionRef] = attrs.field(factory=set, init=False)
    _is_broken: bool = attrs.field(default=False, init=False)

    async def get(self, name: PromptName) -> Prompt | None:
        head = self._seen_heads().get(clean_value(name))
        return None if head is None or _is_removed(head) else head

    async def list(self, *, after: PromptName | None = None, limit: int) -> tuple[Prompt, ...]:
        heads = sorted(self._seen_heads().values(), key=lambda head: head.name)
        there = [head for head in heads if not _is_removed(head) and (after is None or head.name > after)]
        return tuple(there[: max(limit, 0)])

    async def find(self, refs: Sequence[VersionRef]) -> tuple[PromptVersion, ...]:
        seen = self._seen_versions()
        return tuple([seen[ref] for ref in dict.fromkeys(clean_value(tuple(refs))) if ref in seen])

    async def outlines(self, refs: Sequence[VersionRef]) -> tuple[VersionOutline, ...]:
        return tuple([_outline(version) for version in await self.find(refs)])

    async def history(
        self, name: PromptName, *, below: int | None = None, limit: int
    ) -> tuple[VersionOutline, ...]:
        mine = [
            version
            for version in self._seen_versions().values()
            if version.name == clean_value(name) and (below is None or version.number < below)
        ]
        mine.sort(key=lambda version: -version.number)
        return tuple([_outline(version) for version in mine[: max(limit, 0)]])

    async def lock(self, name: PromptName) -> Prompt | None:
        self._shelf()
        await self._hold(clean_value(name))
        return await self.get(name)

    async def removed(self, name: PromptName) -> Prompt | None:
        head = self._seen_heads().get(clean_value(name))
        return head if head is not None and _is_removed(head) else None

    async def put(self, prompt: Prompt) -> None:
        self._demand(prompt.tenant, prompt.name)
        self._heads[prompt.name] = clean_value(prompt)

    async def remove(self, name: PromptName) -> None:
        self._demand(self._tenant, name)
        head = self._seen_heads().get(name)
        if head is not None:
            self._heads[name] = attrs.evolve(head, latest=0, labels=(), file=None, assistant=None)

    async def add_version(self, version: PromptVersion) -> None:
        self._demand(version.tenant, version.name)
        if version.ref in self._seen_versions():
            self._is_broken = True
            raise StorageUnavailable("the store can't take a value of the prompt")
        source = version.source
        bare = attrs.evolve(source, turns=tuple([attrs.evolve(turn, origin=None) for turn in source.turns]))
        self._versions[version.ref] = clean_value(attrs.evolve(version, source=bare))

    async def delete_version(self, ref: VersionRef) -> bool:
        self._demand(self._tenant, ref.name)
        await self._hold(ref)
        if ref not in self._seen_versions() or self._is_used(ref):
            return False
        self._versions[ref] = None
        return True

    async def mark_used(self, refs: Sequence[VersionRef], *, at: datetime.datetime) -> frozenset[VersionRef]:
        seen = self._seen_versions()
        there = [ref for ref in clean_value(tuple(refs)) if ref in seen]
        unused = sorted(
            {ref for ref in there if not self._is_used(ref)}, key=lambda ref: (ref.name, ref.number)
        )
        for ref in unused:
            await self._hold(ref)  # nobody may be deleting it
            if ref in self._seen_versions() and not self._is_used(ref):
                self._used_at[ref] = at
        seen = self._seen_versions()
        return frozenset([ref for ref in there if ref in seen])

    async def including(self, ref: VersionRef, *, limit: int) -> tuple[VersionRef, ...]:
        refs = [
            version.ref
            for version in self._seen_versions().values()
            if any(pin.ref == ref for pin in version.pins)
        ]
        refs.sort(key=lambda each: (each.name, -each.number))
        return tuple(refs[: max(limit, 0)])

    async def note_move(self, move: LabelMove) -> None:
        self._demand(self._tenant, move.name)
        self._moves.append(clean_value(move))

    async def moves(self, name: PromptName, label: str, *, limit: int) -> tuple[LabelMove, ...]:
        stored = [move for tenant, move in self._shelf().moves if tenant == self._tenant]
        mine = [
            move
            for move in (*stored, *self._moves)
            if (move.name, move.label) == (clean_value(name), clean_value(label))
        ]
        return tuple(mine[::-1][: max(limit, 0)])

    async def commit(self) -> None:
        shelf = self._shelf()
        if self._is_broken:
            raise StorageUnavailable("an earlier step failed, so nothing was stored; try again")
        for name, head in self._heads.items():
            shelf.heads[self._tenant, name] = head
        for ref, version in self._versions.items():
            if version is None:
                shelf.versions.pop((self._tenant, ref), None)
            else:
                shelf.versions[self._tenant, ref] = version
        for ref, at in self._used_at.items():
            shelf.used_at.setdefault((self._tenant, ref), at)
        shelf.moves.extend([(self._tenant, move) for move in self._moves])
        self.leave()

    def leave(self) -> None:
        """Forgets what was not committed, and lets go of what it holds."""
        for written in (self._heads, self._versions, self._used_at, self._moves):
            written.clear()
        for key in self._held:
            self._shelves.prompts.release((self._tenant, key))
        self._held.clear()

    def _shelf(self) -> PromptShelf:
        self._shelves.demand()
        return self._shelves.prompts

    def _seen_heads(self) -> dict[PromptName, Prompt]:
        """Those of removed prompts too."""
        stored = self._shelf().heads
        seen = {name: head for (tenant, name), head in stored.items() if tenant == self._tenant}
        return seen | self._heads

    def _seen_versions(self) -> dict[VersionRef, PromptVersion]:
        stored = self._shelf().versions
        seen: dict[VersionRef, PromptVersion | None] = {
            ref: version for (tenant, ref), version in stored.items() if tenant == self._tenant
        }
        return {ref: version for ref, version in (seen | self._versions).items() if version is not None}

    def _is_used(self, ref: VersionRef) -> bool:
        return ref in self._used_at or (self._tenant, ref) in self._shelf().used_at

    async def _hold(self, key: PromptName | VersionRef) -> None:
        if key not in self._held:
            try:
                await self._shelf().hold((self._tenant, key))
            except StorageUnavailable:
                self._is_broken = True
                raise
            self._held.add(key)

    def _demand(self, tenant: Tenant, name: PromptName) -> None:
        self._shelf()
        if tenant != self._tenant:
            raise ValueError(f"a prompt of tenant `{tenant}` in a unit of work of another tenant")
        if name not in self._held:
            raise RuntimeError(f"`{name}` is written without a lock: await `lock` first")


def _is_removed(head: Prompt) -> bool:
    return head.latest == 0


def _outline(version: PromptVersion) -> VersionOutline:
    return VersionOutline(
        name=version.name,
        number=version.number,
        hash=version.hash,
        description=version.source.description,
        size_bytes=bytes_of(document_text(version.source)),
    )
