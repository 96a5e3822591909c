"""The schemas of prompts as `entrypoints/prompt_rendering.py` writes them; a test compares the two."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.schema_parts import (
    TEXT,
    choice,
    count,
    flag,
    list_of,
    nullable,
    object_of,
    record,
    ref,
    text,
)

_NEXT: Final = nullable("string", "Send it as `cursor` for the next page; null on the last one.")
_VERSION: Final = text("The version.", example="v3")
_PROMPT_VERSION: Final = text("The version with its prompt's name.", example="support_agent:v3")
_HASH: Final = text("SHA-256 in hex over the source and the hashes of its fragments.")
_ETAG: Final = text("The prompt's ETag, to be sent as `If-Match`.", example='"7"')
_WEIGHTS: Final = object_of({"type": "integer", "minimum": 1}, "A rollout: versions with their shares.")
_PROTECTED: Final = flag("Whether it moves only by `force`.")
_POINTS: Final[Mapping[str, JSONValue]] = {
    "version": nullable("string", "The version that it points to; left out where it is a rollout."),
    "weights": _WEIGHTS,
}
_MOVED: Final[Mapping[str, JSONValue]] = {
    "protected": _PROTECTED,
    "moved_at": text("When it moved last, RFC 3339."),
    "moved_by": nullable("string", "Who moved it."),
}
_HEAD: Final[Mapping[str, JSONValue]] = {
    "name": text("The prompt's name.", example="support_agent"),
    "prompt_version": text(
        "In a list, the version that the bare name means; of one prompt, the version that is shown.",
        example="support_agent:v3",
    ),
    "latest": text("The newest version.", example="v4"),
    "labels": object_of(ref("PromptLabel"), "Its labels, by name."),
    "description": nullable("string", "What that version says it is for."),
    "source": choice(
        ("file", "database"), "Where it comes from: a file of the prompts' folder, or elsewhere."
    ),
    "file": nullable("string", "That file; null without one."),
    "assistant": nullable(
        "string", "The id of the assistant that it is kept in step with; null without one."
    ),
    "updated_at": text("When it last changed: a version, a label or a link. RFC 3339."),
}
_SNAPSHOT: Final[Mapping[str, JSONValue]] = {
    "name": text("The prompt's name.", example="support_agent"),
    "version": _VERSION,
    "prompt_version": _PROMPT_VERSION,
    "hash": _HASH,
    "template": text("The system text; left out of a chat template."),
    "messages": list_of(ref("TurnBody"), "The turns of a chat template; left out of a system text."),
    "variables": {
        "type": ["object", "null"],
        "additionalProperties": ref("VariableBody"),
        "description": "Its own declarations by name; null for a plain text, whose variables are declared by the "
        "prompts that include it.",
    },
    "description": nullable("string", "What it is for."),
    "fragments": list_of(ref("Pin"), "The fragments that it names, with the versions it was made with."),
    "made_by": choice(("file", "api", "cli", "import"), "What made it."),
    "author": nullable("string", "Who made it."),
    "message": nullable("string", "Why."),
    "created_at": text("When it was made, RFC 3339."),
}

PROMPT_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "PromptPage": record(
        "Some of the prompts, by name.",
        {"items": list_of(ref("Prompt"), "The prompts."), "next_cursor": _NEXT},
    ),
    "Prompt": record("A prompt.", _HEAD),
    "PromptLabel": record("Where a label points.", {**_POINTS, **_MOVED}, optional=("version", "weights")),
    "PromptDetail": record(
        "A prompt and one version of it.",
        {
            **_HEAD,
            **_SNAPSHOT,
            "prompt_version": _PROMPT_VERSION,
            "etag": _ETAG,
            "compiled": text("With `compiled`: the flat template, all fragments in place."),
            "needs": object_of(
                ref("VariableBody"),
                "With `compiled`: all variables that it needs, those of its fragments too; one without a type may be any value.",
            ),
            "includes": list_of(TEXT, "With `compiled`: every fragment in it, in order of first use."),
        },
        optional=("template", "messages", "compiled", "needs", "includes"),
    ),
    "PromptVersionPage": record(
        "Some versions of a prompt, newest first.",
        {"items": list_of(ref("PromptVersion"), "The versions."), "next_cursor": _NEXT},
    ),
    "PromptVersion": record(
        "An immutable snapshot. Its source can be posted again as it is.",
        _SNAPSHOT,
        optional=("template", "messages"),
    ),
    "Pin": record(
        "A fragment of a version.",
        {
            "written": text("As the template names it.", example="tone@staging"),
            "version": text("The version that it meant then, and means for good.", example="tone:v2"),
            "hash": text("That version's hash."),
        },
    ),
    "MadeVersion": record(
        "The version that holds what was posted.",
        {
            "name": text("The prompt's name.", example="support_agent"),
            "version": _VERSION,
            "prompt_version": _PROMPT_VERSION,
            "hash": _HASH,
            "created": flag("False where the newest version had this very content already."),
            "kept_by": list_of(
                TEXT,
                "Newest versions of other prompts that include an older version of this one, and keep it.",
            ),
            "warnings": list_of(
                TEXT, "What compiles and is hardly meant, such as lines that run into one another; not kept."
            ),
            "etag": _ETAG,
        },
    ),
    "MovedLabel": record(
        "A label after it moved.",
        {
            "name": text("The prompt's name.", example="support_agent"),
            "label": text("The label.", example="production"),
            **_POINTS,
            **_MOVED,
            "before": {
                "oneOf": [ref("LabelPosition"), {"type": "null"}],
                "description": "Where it pointed before; null for a new one.",
            },
            "etag": _ETAG,
        },
        optional=("version", "weights"),
    ),
    "LabelPosition": record("What a label pointed to.", _POINTS, optional=("version", "weights")),
    "PromptLabelDetail": record(
        "A label and its history.",
        {
            "name": text("The prompt's name.", example="support_agent"),
            "label": text("The label.", example="production"),
            **_POINTS,
            **_MOVED,
            "etag": _ETAG,
            "history": list_of(ref("LabelMove"), "Its moves, newest first."),
        },
        optional=("version", "weights"),
    ),
    "LabelMove": record(
        "One move of a label. `version` is null where it was taken away.",
        {
            **_POINTS,
            "author": nullable("string", "Who moved it."),
            "message": nullable("string", "Why."),
            "moved_at": text("When, RFC 3339."),
        },
        optional=("version", "weights"),
    ),
    "RenderedPrompt": record(
        "A prompt with its variables filled in.",
        {
            "prompt_version": nullable("string", "The version; null for a draft."),
            "hash": _HASH,
            "text": text("All in one: the system text, or each turn of a chat template under its role."),
            "system": nullable("string", "All system turns, joined by blank lines; null without any."),
            "messages": list_of(ref("RenderedTurn"), "The user's and the assistant's turns, in order."),
            "fragments": list_of(TEXT, "Every fragment in it, in order of first use."),
            "bytes": count("The size of all turns in UTF-8."),
        },
    ),
    "RenderedTurn": record(
        "A turn of a chat template.",
        {
            "role": choice(("user", "assistant"), "Whose turn it is."),
            "content": text("Its text."),
        },
    ),
}
