"""Fill in a prompt without asking a model: a dry run."""

from collections.abc import Mapping

import attrs

from domain.ids import DEFAULT_TENANT, Tenant
from domain.json_value import JSONValue
from domain.prompt.compiled import RenderedPrompt
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.source import PromptSource


@attrs.frozen(kw_only=True)
class RenderPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    reference: PromptReference
    variables: Mapping[str, JSONValue] = attrs.field(factory=dict)
    key: str = ""
    """Chooses among the versions of a rollout, as a thread's id does in a chat."""


@attrs.frozen(kw_only=True)
class TryPromptCommand:
    """A text that is not stored, as an editor has it."""

    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    source: PromptSource
    variables: Mapping[str, JSONValue] | None = None
    """None checks and compiles only."""


@attrs.define(kw_only=True)
class RenderPrompt:
    async def execute(self, command: RenderPromptCommand) -> RenderedPrompt:
        """
        Raises:
            NotFound: there is no such prompt, version or label.
            InvalidRequest: naming every variable that is undeclared, missing or of the wrong type.
        """
        raise NotImplementedError

    async def try_out(self, command: TryPromptCommand) -> RenderedPrompt | None:
        """Compiles `source` as the next version of `name` would be, stores nothing, and renders it.

        Raises:
            InvalidRequest: naming every fault of the source, then of the variables.
        """
        raise NotImplementedError
