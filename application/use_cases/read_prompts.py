"""Look at prompts, their versions and their labels."""

import attrs

from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.version import LabelMove, Prompt, PromptVersion


@attrs.frozen(kw_only=True)
class PromptView:
    """A prompt and the version that was asked for."""

    prompt: Prompt
    version: PromptVersion


@attrs.frozen(kw_only=True)
class Page:
    """Some of a list; `next_after` begins the next page, None on the last one."""

    items: tuple[PromptView, ...]
    """Each with the version that its bare name means."""
    next_after: PromptName | None = None


@attrs.frozen(kw_only=True)
class VersionPage:
    prompt: Prompt
    items: tuple[PromptVersion, ...]
    """Newest first."""
    next_below: int | None = None


@attrs.define(kw_only=True)
class ReadPrompts:
    """Reads past the caches: an editor must see what is stored."""

    async def page(self, tenant: Tenant, *, after: PromptName | None = None, limit: int = 100) -> Page:
        raise NotImplementedError

    async def one(self, tenant: Tenant, reference: PromptReference) -> PromptView:
        """The version that `reference` means; of a rollout, the one with most weight.

        Raises:
            NotFound: there is no such prompt, version or label; says what there is.
        """
        raise NotImplementedError

    async def compiled(self, tenant: Tenant, reference: PromptReference) -> CompiledPrompt:
        """That version, compiled. Raises as `one` does."""
        raise NotImplementedError

    async def versions(
        self, tenant: Tenant, name: PromptName, *, below: int | None = None, limit: int = 100
    ) -> VersionPage:
        """Raises as `one` does."""
        raise NotImplementedError

    async def moves(
        self, tenant: Tenant, name: PromptName, label: str, *, limit: int = 100
    ) -> tuple[LabelMove, ...]:
        """The history of a label, newest first. Raises as `one` does."""
        raise NotImplementedError
