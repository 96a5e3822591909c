"""What `lor3 run` was asked, and the command that it makes of it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import attrs
import click

from domain.values import frozen
from entrypoints.cli.options import tenant_from
from entrypoints.cli.variables import Typed, typed

if TYPE_CHECKING:
    from application.use_cases.chat_command import SendChatCommand
    from domain.chat_defaults import MemoryMode
    from domain.idempotency import IdempotencyKey
    from entrypoints.application import Application


@frozen(kw_only=True)
class Ask:
    """What the command line asked for; None means "as configured"."""

    prompt: str | None
    """None where an answer is made again."""
    system: str | None
    variables: Mapping[str, str]
    """As written; what the prompt declares says what they are."""
    model: str | None
    format: str | None
    schema: dict[str, Any] | None
    thread: str | None
    """Of the one to continue, or the beginning of its id."""
    session: str | None
    user: str | None
    regenerates: str | None
    """The whole id of the answer in whose place another one is made."""
    context_depth: int | None
    memory: "MemoryMode | None"
    idempotency_key: str | None
    max_tokens: int | None
    temperature: float | None
    stream: bool


def memory_mode(text: str) -> "MemoryMode":
    """
    Raises:
        Misused: there is no such mode.
    """
    from domain.chat_defaults import MemoryMode
    from entrypoints.cli.choices import one_of

    return cast("MemoryMode", one_of(text, get_args(MemoryMode), path="--memory"))


def key_text(text: str) -> str:
    """
    Raises:
        Misused: it is no idempotency key.
    """
    from entrypoints.cli.misuse import misused

    if 1 <= len(text) <= 255 and all("!" <= char <= "~" for char in text):
        return text
    raise misused("--idempotency-key", "must be 1 to 255 visible ASCII characters, such as a UUID")


def user_name(text: str) -> str:
    """
    Raises:
        Misused: it is too long.
    """
    from domain.feedback import MAX_USER
    from entrypoints.cli.misuse import misused

    if len(text) <= MAX_USER:
        return text
    raise misused("--user", f"must have at most {MAX_USER} characters; it has {len(text):,}")


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
    from domain.ids import MessageId, SessionId, ThreadId
    from domain.message import Message

    return SendChatCommand(
        tenant=tenant_from(),
        request_id=application.ids.new(),
        messages=() if ask.prompt is None else (Message.of("user", ask.prompt),),
        thread_id=ThreadId(ask.thread) if ask.thread else None,
        session_id=SessionId(ask.session) if ask.session else None,
        user=ask.user,
        regenerates=MessageId(ask.regenerates) if ask.regenerates else None,
        system_prompt=ask.system,
        variables=given.values,
        model=ask.model,
        format=ask.format,
        schema=ask.schema,
        context_depth=ask.context_depth,
        memory=ask.memory,
        max_tokens=ask.max_tokens,
        temperature=ask.temperature,
        stream=ask.stream,
        on_disconnect="cancel",
        idempotency=None if ask.idempotency_key is None else _idempotency(ask, ask.idempotency_key),
    )


async def whole_thread(application: "Application", ask: Ask) -> Ask:
    """`ask` with the whole id of its thread.

    Raises:
        NotFound: no thread's id begins so.
        InvalidRequest: several do.
    """
    from entrypoints.cli.identifiers import existing_thread_id

    if ask.thread is None:
        return ask
    return attrs.evolve(ask, thread=await existing_thread_id(application, ask.thread, path="--thread"))


def _idempotency(ask: Ask, key: str) -> "IdempotencyKey":
    """How the answer is printed makes no other request of it."""
    from domain.idempotency import IdempotencyKey

    asked = attrs.asdict(attrs.evolve(ask, stream=False, idempotency_key=None))
    text = json.dumps(["lor3 run", asked], sort_keys=True, ensure_ascii=True)
    return IdempotencyKey(key=key, fingerprint=hashlib.sha256(text.encode()).hexdigest())


async def typed_variables(application: "Application", ask: Ask) -> Typed:
    """The values as the prompt declares them.

    Raises:
        NotFound: there is no such prompt, version or label.
    """
    from domain.prompt.reference import PromptReference

    named = ask.system or application.settings.chat.system_prompt
    if named is None:
        return typed({}, ())
    reference = PromptReference.parse(named, path="--system")
    compiled = await application.read_prompts.compiled(tenant_from(), reference)
    return typed(ask.variables, compiled.variables, prompt=reference.name)
