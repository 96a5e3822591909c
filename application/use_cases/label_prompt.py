"""Move a label of a prompt."""

import attrs

from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName
from domain.prompt.version import Label, Prompt, Weights


@attrs.frozen(kw_only=True)
class LabelPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    label: str
    weights: Weights | None
    """None keeps where it points, to change its protection alone; empty takes the label away."""
    protected: bool | None = None
    """None keeps it as it is; a new label is not protected."""
    force: bool = False
    """Needed to move or take away a protected label."""
    author: str | None = None
    message: str | None = None
    if_match: tuple[str, ...] | None = None
    """As in `VersionPromptCommand`."""


@attrs.frozen(kw_only=True)
class LabelledPrompt:
    prompt: Prompt
    label: Label | None
    """None where it was taken away."""
    before: Weights
    """Empty for a new one."""


@attrs.define(kw_only=True)
class LabelPrompt:
    """Moves a label atomically and keeps its history."""

    async def execute(self, command: LabelPromptCommand) -> LabelledPrompt:
        """
        Raises:
            InvalidRequest: a name, a weight or a version is not one.
            NotFound: there is no such prompt, or no such label to take away.
            LabelProtected: the label is protected and `force` is not given.
            PreconditionFailed: somebody else changed the prompt first.
            StorageUnavailable: nothing was changed.
        """
        raise NotImplementedError
