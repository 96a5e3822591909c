"""The prompt of a chat: which one, in which version, with its variables filled in."""

import asyncio
from collections.abc import Mapping
from typing import Final

from application.services.prompt_oven import PromptOven, parse_reference
from domain.errors import ConfigurationError, Fault, InvalidRequest, NotFound, StorageUnavailable
from domain.ids import DEFAULT_TENANT, Tenant
from domain.json_value import JSONValue
from domain.prompt.compiled import RenderedPrompt
from domain.prompt.rendering import OutOfPatience
from domain.values import frozen

PATIENCE: Final = 1_000
"""Operations in the sections of a prompt that are done before anybody could notice, in about a millisecond; sections
inside sections can ask for a thousand times that, of few values."""
MANY: Final = 1_000
"""Values inside the variables that are checked in about a millisecond."""


@frozen(kw_only=True)
class PromptChoice:
    oven: PromptOven
    default: str | None
    """The configured reference, for chats that name none."""
    variables: Mapping[str, JSONValue]
    """The configured ones, for those that a chat leaves out."""

    async def render(
        self, asked: str | None, variables: Mapping[str, JSONValue], *, tenant: Tenant, key: str, use: bool
    ) -> RenderedPrompt:
        """
        Args:
            asked: None is as configured.
            key, use: as in `PromptOven.bake`.

        Raises:
            InvalidRequest: there is no such prompt, version or label (at `system_prompt`), variables do not fit
                (at `variables.<name>`), or there are variables and no prompt to take them.
            ConfigurationError: it is the configured prompt that is not there.
            StorageUnavailable: the prompt is not at hand and the database is away.
        """
        text = asked if asked is not None else self.default
        if text is None:
            raise InvalidRequest.of(
                Fault(
                    path="variables", message="there is no prompt to take them; name one in `system_prompt`"
                )
            )
        try:
            compiled, label = await self.oven.bake_labelled(
                parse_reference(text), tenant=tenant, key=key, use=use
            )
        except NotFound as error:
            if asked is None:
                # Without a fault's path: `system_prompt` would point into the body of a caller who sent none.
                raise ConfigurationError(_unusable(text, error), ()) from error
            raise InvalidRequest.of(Fault(path="system_prompt", message=error.detail)) from error
        if not _holds_many(variables):
            try:
                return compiled.render(variables, defaults=self.variables, patience=PATIENCE, label=label)
            except OutOfPatience:
                pass  # it wants a thread
        return await asyncio.to_thread(compiled.render, variables, defaults=self.variables, label=label)

    async def default_fault(self, *, tenant: Tenant = DEFAULT_TENANT) -> str | None:
        """Why the configured prompt can't be used, and what to do about it, for an operator.

        None where it can be, where none is configured, and where nobody knows as the database is away.
        """
        if self.default is None:
            return None
        try:
            await self.oven.bake(parse_reference(self.default), tenant=tenant, key="")
        except NotFound as error:
            return _unusable(self.default, error)
        except StorageUnavailable:
            return None
        return None

    async def name_faults(
        self, asked: str | None, variables: Mapping[str, JSONValue] | None, *, tenant: Tenant
    ) -> tuple[Fault, ...]:
        """What is wrong with these, for a request that has other faults already.

        Args:
            variables: None where they can't be read, and so can't be judged.
        """
        if asked is None and not variables and self.default is None:
            return ()
        try:
            await self.render(asked, variables or {}, tenant=tenant, key="", use=False)
        except InvalidRequest as error:
            if variables is None:
                return tuple(fault for fault in error.faults if fault.path == "system_prompt")
            return error.faults
        except ConfigurationError:
            return ()  # not the caller's
        return ()


def _unusable(default: str, error: NotFound) -> str:
    return (
        f"`system_prompt: {default}` in lor3's configuration can't be used, and chats that name no prompt fail "
        f"until whoever runs lor3 corrects it or makes what it names: {error.detail}"
    )


def _holds_many(variables: Mapping[str, JSONValue]) -> bool:
    """Whether there are more than `MANY` values inside lists and objects."""
    level: list[JSONValue] = []
    for each in variables.values():
        # As the JSON decoder makes them; a comprehension costs what the whole loop does.
        if type(each) is list or type(each) is dict:
            level.append(each)  # noqa: PERF401
    found = 0
    while level:
        deeper: list[JSONValue] = []
        for value in level:
            if isinstance(value, list | dict):
                found += len(value)
                if found > MANY:
                    return True
                deeper += value if isinstance(value, list) else value.values()
        level = deeper
    return False
