"""Parts of a `UIMessage` that are there already, as chunks: for a client that resumes amid a message.

Such a client begins the message anew, and puts what it is told in its place. Its callback for tools must not hear of
calls that were run before, as it would of a `tool-input-available`: so their input comes as one that grows.
"""

import json
from collections.abc import Iterable

from domain.json_value import JSONObject, JSONValue


def chunks_of(parts: Iterable[JSONValue]) -> list[JSONObject]:
    """
    Args:
        parts: of steps that have ended, each of which begins with `step-start`.
    """
    chunks: list[JSONObject] = []
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            continue
        kind, state = str(part["type"]), part.get("state")
        if kind == "step-start":
            if chunks:
                chunks.append({"type": "finish-step"})
            chunks.append({"type": "start-step"})
        elif kind == "text":
            name = f"before-{index}"
            chunks += (
                {"type": "text-start", "id": name},
                {"type": "text-delta", "id": name, "delta": part["text"]},
                {"type": "text-end", "id": name},
            )
        elif kind.startswith("tool-") and state in ("output-available", "output-error"):
            call: JSONObject = {"toolCallId": part["toolCallId"]}
            given = part["input"] if isinstance(part["input"], str) else json.dumps(part["input"])
            chunks += (
                {"type": "tool-input-start", **call, "toolName": kind.removeprefix("tool-")},
                {"type": "tool-input-delta", **call, "inputTextDelta": given},
                {"type": "tool-output-error", **call, "errorText": part["errorText"]}
                if state == "output-error"
                else {"type": "tool-output-available", **call, "output": part["output"]},
            )
    if chunks:
        chunks.append({"type": "finish-step"})
    return chunks
