"""Prompts for the suites of stores, and how they are stored and read there."""

import asyncio
import datetime
from collections.abc import Awaitable
from typing import TypeVar

from application.ports.store import Store
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource, Turn
from domain.prompt.version import LabelMove, Pin, Prompt, PromptVersion

Stores = tuple[Store, Store]
"""Two started stores over the same data, as two replicas have them."""

NOW = datetime.datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=datetime.UTC)
OTHER_TENANT = Tenant("other")
NAME = PromptName("support_agent")

T = TypeVar("T")


def system_text(text: str) -> PromptSource:
    return PromptSource(turns=(Turn(role="system", template=text),))


def new_head(name: PromptName = NAME, *, latest: int = 1, tenant: Tenant = DEFAULT_TENANT) -> Prompt:
    return Prompt(
        tenant=tenant, name=name, latest=latest, next_number=latest + 1, created_at=NOW, updated_at=NOW
    )


def new_version(
    name: PromptName = NAME,
    number: int = 1,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    source: PromptSource | None = None,
    pins: tuple[VersionRef, ...] = (),
) -> PromptVersion:
    return PromptVersion(
        tenant=tenant,
        name=name,
        number=number,
        hash=f"{number:064x}",
        source=source or system_text(f"You are version {number}."),
        pins=tuple([Pin(written=ref.name, ref=ref, hash="0" * 64) for ref in pins]),
        made_by="api",
        created_at=NOW,
    )


def new_move(number: int, *, label: str = "production", name: PromptName = NAME) -> LabelMove:
    return LabelMove(name=name, label=label, weights=((number, 1),), moved_at=NOW)


async def save(store: Store, *versions: PromptVersion) -> None:
    """The versions, each as the newest of its prompt."""
    for version in versions:
        async with store.unit_of_work(version.tenant) as work:
            await work.prompts.lock(version.name)
            await work.prompts.add_version(version)
            await work.prompts.put(new_head(version.name, latest=version.number, tenant=version.tenant))
            await work.commit()


async def found(
    store: Store, *refs: VersionRef, tenant: Tenant = DEFAULT_TENANT
) -> dict[VersionRef, PromptVersion]:
    async with store.unit_of_work(tenant) as work:
        return {version.ref: version for version in await work.prompts.find(refs)}


async def head_of(store: Store, name: PromptName = NAME) -> Prompt | None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        return await work.prompts.get(name)


async def error_of(work: Awaitable[object]) -> BaseException | None:
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else None
