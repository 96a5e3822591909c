"""Prompts ready to be rendered: the newest word on which version a name means, and its compiled form."""

import attrs

from domain.ids import Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import PromptName, PromptReference, VersionRef


@attrs.define(kw_only=True)
class PromptOven:
    """In-process layer over the shared cache over the store."""

    async def bake(self, reference: PromptReference, *, tenant: Tenant, key: str) -> CompiledPrompt:
        """
        Args:
            key: whoever must see the same version of a rollout each time.

        Raises:
            NotFound: there is no such prompt, version or label.
            StorageUnavailable: it is not at hand, and the database is away.
        """
        raise NotImplementedError

    async def compiled(self, ref: VersionRef, *, tenant: Tenant) -> CompiledPrompt:
        """Raises as `bake` does."""
        raise NotImplementedError

    def changed(self, tenant: Tenant, name: PromptName) -> None:
        """Call it after each commit that changed a head: forgets it here, and tells the other replicas."""
        raise NotImplementedError
