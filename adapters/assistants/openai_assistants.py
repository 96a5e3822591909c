"""Assistants through the official `openai` SDK, which costs over a second to import: imported at first use.

Wire: `GET/POST {base}/assistants/{id}` and `POST {base}/assistants` with `OpenAI-Beta: assistants=v2`, as in
`openai/resources/beta/assistants.py` of the SDK 3.54.
"""

import asyncio
import re
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import attrs

from adapters.assistants.failures import another, failure_of, garbage, no_answer_in_time
from application.ports.assistants import Assistant
from application.ports.chat_provider import ProviderConfig
from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONValue
from domain.prompt.formats.assistant import left_over

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
_TOTAL_S: Final = 60.0
"""Of one call. A chat may take minutes; these answers are a few kilobytes that nobody has to think about."""
_MAX_TEXT: Final = 1024 * 1024
_OTHER_FIELDS: Final = (
    "model", "tools", "tool_resources", "temperature", "top_p", "response_format", "reasoning_effort", "metadata"
)  # fmt: skip
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}\Z")


@attrs.define
class OpenAIAssistants:
    """One server. Its retries are off, redirects are not followed and proxies of the environment not used."""

    _config: ProviderConfig
    _client: "AsyncOpenAI | None" = attrs.field(default=None, init=False)

    async def get(self, assistant_id: str) -> Assistant | None:
        checked_id(assistant_id)
        return await self._call(
            lambda client, headers: client.beta.assistants.retrieve(assistant_id, extra_headers=headers),
            assistant_id=assistant_id,
        )

    async def create(self, *, name: str, instructions: str, model: str) -> Assistant:
        made = await self._call(
            lambda client, headers: client.beta.assistants.create(
                name=name, instructions=instructions, model=model, extra_headers=headers
            ),
            assistant_id=None,
        )
        if made is None:
            raise garbage(self._where)
        return made

    async def update(self, assistant_id: str, *, instructions: str) -> Assistant:
        checked_id(assistant_id)
        updated = await self._call(
            lambda client, headers: client.beta.assistants.update(
                assistant_id, instructions=instructions, extra_headers=headers
            ),
            assistant_id=assistant_id,
        )
        if updated is None:
            raise garbage(self._where)
        return updated

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def _where(self) -> str:
        return self._config.base_url or OPENAI_BASE_URL

    async def _call(
        self, ask: "Callable[[AsyncOpenAI, dict[str, Any]], Awaitable[object]]", *, assistant_id: str | None
    ) -> Assistant | None:
        """The assistant that a call answers with; None where the server says that it has none of that id."""
        import openai

        client = self._opened()
        # The SDK insists on a key; a server without one is sent no header at all.
        headers: dict[str, Any] = {} if self._config.api_key else {"Authorization": openai.Omit()}
        total_s = min(_TOTAL_S, self._config.timeouts.total_s)
        try:
            async with asyncio.timeout(total_s):
                with warnings.catch_warnings():
                    # The SDK marks the API as deprecated, which the docs of `prompt sync` say better. The call
                    # only makes the coroutine, so that nothing else runs with warnings off.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    asked = ask(client, headers)
                answer = await asked
        except TimeoutError as error:
            raise no_answer_in_time(self._where, total_s) from error
        except Exception as error:  # whatever an SDK raises of its own, the port promises two errors
            failure = failure_of(error, where=self._where, assistant_id=assistant_id)
            if failure is None:
                return None
            # `from None`: the SDK's errors hold the server's text, and some of them the request with its key.
            raise failure from None
        assistant = self._read(answer)
        if assistant_id is not None and assistant.id != assistant_id:
            raise another(self._where, asked=assistant_id, answered=assistant.id)
        return assistant

    def _read(self, answer: object) -> Assistant:
        """The SDK checks nothing of what it parses: HTML comes as a string, any JSON as an `Assistant`."""
        found_id = getattr(answer, "id", None)
        instructions = getattr(answer, "instructions", None)
        if (
            getattr(answer, "object", None) != "assistant"
            or not isinstance(found_id, str)
            or _ID.match(found_id) is None
            or not (instructions is None or isinstance(instructions, str))
            or len(instructions or "") > _MAX_TEXT
        ):
            raise garbage(self._where)
        return Assistant(
            id=found_id,
            name=_text(answer, "name"),
            instructions=instructions or "",
            model=_text(answer, "model"),
            description=_text(answer, "description"),
            left_over=_left_over(answer),
        )

    def _opened(self) -> "AsyncOpenAI":
        if self._client is None:
            from adapters.assistants.sdk_client import open_client

            self._client = open_client(self._config, base_url=self._where)
        return self._client


def checked_id(text: str) -> str:
    """
    Raises:
        InvalidRequest: no assistant can have `text` for an id.
    """
    if _ID.match(text) is None:
        raise InvalidRequest.of(
            Fault(
                path="assistant_id",
                message="is no assistant's id; it looks like `asst_abc123`: letters, digits, `_`, `-` and `.`",
            )
        )
    return text


def _left_over(answer: object) -> tuple[str, ...]:
    document: dict[str, JSONValue] = {}
    for field in _OTHER_FIELDS:
        value = getattr(answer, field, None)
        is_plain = value is None or isinstance(value, str | int | float | list | dict)
        # What is left is an object of the SDK's, which may be empty.
        document[field] = value if is_plain else dict.fromkeys(getattr(value, "model_fields_set", ("",)))
    return left_over(document)


def _text(answer: object, field: str) -> str | None:
    value = getattr(answer, field, None)
    return value if isinstance(value, str) and value else None
