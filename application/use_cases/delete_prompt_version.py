"""Delete a version that nothing needs."""

import attrs

from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import VersionRef


@attrs.frozen(kw_only=True)
class DeletePromptVersionCommand:
    tenant: Tenant = DEFAULT_TENANT
    ref: VersionRef
    if_match: tuple[str, ...] | None = None


@attrs.define(kw_only=True)
class DeletePromptVersion:
    """Deletes a version; the prompt goes with its last one."""

    async def execute(self, command: DeletePromptVersionCommand) -> None:
        """
        Raises:
            NotFound: there is no such version.
            VersionInUse: a chat used it, a label points to it, or another version pins it: says which.
            PreconditionFailed: somebody else changed the prompt first.
            StorageUnavailable: nothing was deleted.
        """
        raise NotImplementedError
