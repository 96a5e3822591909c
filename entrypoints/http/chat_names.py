"""What a chat's body names that the configuration knows."""

from domain.json_value import JSONObject
from domain.values import frozen
from entrypoints.http.chat_body import CHAT


@frozen(kw_only=True)
class Names:
    """What of a body the configuration decides on: names of things, and a schema, which goes with a format."""

    format: str | None
    schema: JSONObject | None
    model: str | None
    fallbacks: tuple[str, ...] | None
    system_prompt: str | None
    variables: JSONObject | None
    """None where they, or the prompt that would take them, can't be read."""


def names_in(value: JSONObject) -> Names:
    """Those that can be read; for a body that has other faults, so that all are named at once."""
    format_name: str | None = CHAT.field("format", value)
    readable = format_name is not None or value.get("format") is None
    system_prompt: str | None = CHAT.field("system_prompt", value)
    variables_readable = (system_prompt is not None or value.get("system_prompt") is None) and (
        value.get("variables") is None or CHAT.field("variables", value) is not None
    )
    return Names(
        format=format_name,
        # Which format it is meant to go with is not known where that can't be read.
        schema=CHAT.field("schema", value) if readable else None,
        model=CHAT.field("model", value),
        fallbacks=CHAT.field("fallbacks", value),
        system_prompt=system_prompt,
        variables=(CHAT.field("variables", value) or {}) if variables_readable else None,
    )
