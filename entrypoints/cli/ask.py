"""What `lor3 run` was asked, and the command that it makes of it."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from entrypoints.cli.variables import Typed, typed

if TYPE_CHECKING:
    from application.use_cases.chat_command import SendChatCommand
    from entrypoints.application import Application


@attrs.frozen(kw_only=True)
class Ask:
    """What the command line asked for; None means "as configured"."""

    prompt: str
    system: str | None
    variables: Mapping[str, str]
    """As written; what the prompt declares says what they are."""
    model: str | None
    format: str | None
    schema: dict[str, Any] | None
    thread: str | None
    context_depth: int | None
    max_tokens: int | None
    temperature: float | None
    stream: bool


def thread_id(text: str) -> str:
    """
    Raises:
        InvalidRequest: it is no UUID.
    """
    from domain.errors import Fault, InvalidRequest

    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise InvalidRequest.of(
            Fault(path="--thread", message="must be a UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057")
        ) from error


def read_schema(path: Path) -> dict[str, Any]:
    from entrypoints.http.codec import read_value

    try:
        schema = read_value(path.read_text("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(schema, dict):
        raise click.UsageError(f"{path} must hold a JSON object")
    return schema


def chat_command(application: "Application", ask: Ask, given: Typed) -> "SendChatCommand":
    from application.use_cases.chat_command import SendChatCommand
    from domain.ids import ThreadId
    from domain.message import Message

    return SendChatCommand(
        request_id=application.ids.new(),
        messages=(Message.of("user", ask.prompt),),
        thread_id=ThreadId(ask.thread) if ask.thread else None,
        system_prompt=ask.system,
        variables=given.values,
        model=ask.model,
        format=ask.format,
        schema=ask.schema,
        context_depth=ask.context_depth,
        max_tokens=ask.max_tokens,
        temperature=ask.temperature,
        stream=ask.stream,
        on_disconnect="cancel",
    )


async def typed_variables(application: "Application", ask: Ask) -> Typed:
    """The values as the prompt declares them.

    Raises:
        NotFound: there is no such prompt, version or label.
    """
    from domain.ids import DEFAULT_TENANT
    from domain.prompt.reference import PromptReference

    named = ask.system or application.settings.chat.system_prompt
    if named is None:
        return typed({}, ())
    reference = PromptReference.parse(named, path="--system")
    compiled = await application.read_prompts.compiled(DEFAULT_TENANT, reference)
    return typed(ask.variables, compiled.variables, prompt=reference.name)
