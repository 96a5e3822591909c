"""What is stored of prompts, and who holds which of it."""

import asyncio
import datetime
from collections.abc import Hashable

import attrs

from domain.errors import StorageUnavailable
from domain.ids import Tenant
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import LabelMove, Prompt, PromptVersion

VersionKey = tuple[Tenant, VersionRef]


@attrs.define(kw_only=True)
class PromptShelf:
    """Tests may look."""

    heads: dict[tuple[Tenant, PromptName], Prompt] = attrs.field(factory=dict)
    """Those of removed prompts too, with a `latest` of 0."""
    versions: dict[VersionKey, PromptVersion] = attrs.field(factory=dict)
    used_at: dict[VersionKey, datetime.datetime] = attrs.field(factory=dict)
    """When a chat first used a version."""
    moves: list[tuple[Tenant, LabelMove]] = attrs.field(factory=list)
    """Oldest first."""
    lock_timeout_s: float = 2.0
    _held: dict[Hashable, asyncio.Event] = attrs.field(factory=dict, init=False)

    async def hold(self, key: Hashable) -> None:
        """Waits until nobody holds `key`, and holds it.

        Raises:
            StorageUnavailable: whoever holds it did not let go in time.
        """
        try:
            async with asyncio.timeout(self.lock_timeout_s):
                while (released := self._held.get(key)) is not None:
                    await released.wait()
        except TimeoutError:
            raise StorageUnavailable("somebody else is changing the prompt; try again in a moment") from None
        self._held[key] = asyncio.Event()

    def release(self, key: Hashable) -> None:
        self._held.pop(key).set()
