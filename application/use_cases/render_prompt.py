"""Fill in a prompt without asking a model: a dry run."""

import asyncio
from collections.abc import Mapping

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import Draft, PromptWriting
from domain.ids import DEFAULT_TENANT, Tenant
from domain.json_value import JSONValue
from domain.prompt.compiled import RenderedPrompt
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.source import PromptSource
from domain.values import frozen


@frozen(kw_only=True)
class RenderPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    reference: PromptReference
    variables: Mapping[str, JSONValue] = attrs.field(factory=dict)
    key: str = ""
    """Chooses among the versions of a rollout, as a thread's id does in a chat."""


@frozen(kw_only=True)
class TryPromptCommand:
    """A text that is not stored, as an editor has it."""

    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    source: PromptSource
    variables: Mapping[str, JSONValue] | None = None
    """None checks and compiles only."""


@attrs.define(kw_only=True)
class RenderPrompt:
    """Nothing that it does is stored, and no version counts as used by it."""

    _unit_of_work: UnitOfWorkFactory
    _writing: PromptWriting
    _oven: PromptOven
    _defaults: Mapping[str, JSONValue] = attrs.field(factory=dict)
    """The configured variables, which stand in here as they do in a chat."""

    async def execute(self, command: RenderPromptCommand) -> RenderedPrompt:
        """
        Raises:
            NotFound: there is no such prompt, version or label.
            InvalidRequest: naming every variable that is undeclared, missing or of the wrong type.
        """
        compiled = await self._oven.bake(command.reference, tenant=command.tenant, key=command.key)
        # Up to 256 KiB of text and 100,000 iterations.
        return await asyncio.to_thread(compiled.render, command.variables, defaults=self._defaults)

    async def try_out(self, command: TryPromptCommand) -> RenderedPrompt | None:
        """Compiles `source` as the next version of `name` would be, stores nothing, and renders it.

        Raises:
            InvalidRequest: naming every fault of the source, then of the variables.
            Overloaded: too many texts wait to be compiled.
        """
        draft = Draft(tenant=command.tenant, name=command.name, source=command.source, made_by="api")
        async with self._writing.prepared(self._unit_of_work, draft) as ready:
            compiled = ready.compiled
        if compiled is None:
            async with self._unit_of_work(command.tenant) as work:
                head = await work.prompts.get(command.name)
                compiled = (await self._writing.check(work, head, draft, ready=ready)).compiled
        if command.variables is None:
            return None
        return await asyncio.to_thread(compiled.render, command.variables, defaults=self._defaults)
