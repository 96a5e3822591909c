"""What a preview of a thread's memory looks like, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject
from entrypoints.http.openapi_answers import LEFT_OUT_REASON
from entrypoints.http.schema_parts import (
    choice,
    count,
    flag,
    list_of,
    nullable,
    record,
    ref,
    ref_or_null,
    text,
    uuid_text,
)

_PLACE: Final[Mapping[str, JSONObject]] = {
    "id": uuid_text("The message."),
    "position": count("Its place in the thread, from 0 on."),
    "role": choice(("system", "user", "assistant", "tool"), "Who said it."),
}

MEMORY_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "MemoryPreview": record(
        "What the next chat would remember of a thread, before the model's window is looked at.",
        {
            "thread_id": uuid_text("The thread."),
            "context_depth": count("The depth that was looked at."),
            "memory": choice(("window", "summary"), "How the thread is remembered."),
            "messages": list_of(ref("RememberedMessage"), "Whole exchanges, oldest first."),
            "left_out": list_of(ref("ForgottenMessage"), "Those within the depth that would stay out."),
            "summary": ref_or_null(
                "ThreadSummary", "What was said before them; null without one, and with `window`."
            ),
            "would_summarise_up_to": nullable(
                "integer",
                "The position of the last message that the next chat would have summarised before it is sent; null "
                "where it would not.",
            ),
            "context": ref("ContextUse", "The same in figures."),
        },
    ),
    "RememberedMessage": record(
        "A message that would be injected.",
        {
            **_PLACE,
            "content": text("Its text."),
            "pinned": flag("Whether its exchange is pinned."),
            "token_count": nullable("integer", "Its stored token count; null where it was never needed."),
        },
    ),
    "ForgottenMessage": record("A message that would stay out.", {**_PLACE, "reason": LEFT_OUT_REASON}),
    "ThreadSummary": record(
        "The older part of a thread, as a model put it.",
        {
            "text": text("The summary."),
            "up_to": count("The position of the last message that it covers."),
            "token_count": nullable("integer", "Its tokens; null where the provider did not count them."),
            "model": text("The model that wrote it.", example="openai:gpt-5-mini"),
            "created_at": text("When, RFC 3339."),
        },
    ),
}
