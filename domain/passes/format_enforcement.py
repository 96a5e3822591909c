"""Asks the target model for the wanted format, in the way that this model understands."""

import json
from collections.abc import Mapping
from typing import Final

import attrs

from domain.chat import ChatRequest, OutputConstraint
from domain.json_value import JSONObject, JSONValue
from domain.output.strict_schema import strict_schema
from domain.passes.compiler_pass import Rewrite, Target, rewritten
from domain.values import frozen

_JSON_INSTRUCTION: Final = "Answer with a single JSON value and nothing else."
"""For a formatter that wants JSON and has no words of its own."""


@frozen
class FormatEnforcement:
    """Native structured output where the model has it, instructions in the system prompt where not.

    With a schema that both vendors' strict modes can express (`domain/output/strict_schema.py`) and a model that
    has `json_schema`, the schema is sent natively, so an adapter may always ask for strictness. Any other schema
    goes into the instructions, together with `json_object` where the model has that and the schema wants an
    object. OpenAI answers 400 to `json_object` unless a message contains the word JSON, so the instruction is
    added then too. Running it twice changes nothing more; `format` and `schema` are kept for the formatter.
    """

    name: str = attrs.field(default="format-enforcement", init=False)

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        formatter = target.formatter
        if formatter.wants_json:
            return _enforce_json(request, target)
        if formatter.instruction is None:
            if not target.explains:
                return rewritten(request)
            return Rewrite(request=request, notes=(f"`{formatter.name}` asks nothing of the model.",))
        asked = _instruct(request, formatter.instruction)
        return Rewrite(
            request=asked,
            notes=(f"Asked for `{formatter.name}` in the system prompt: models have no native mode for it.",),
        )


def _enforce_json(request: ChatRequest, target: Target) -> Rewrite:
    spec, schema = target.spec, request.schema
    notes: list[str] = []
    output: OutputConstraint | None = None
    needs_instruction = True
    if schema is not None and spec.can("json_schema"):
        strict = strict_schema(schema)
        if strict.schema is None:
            notes.append(f"The schema can't be sent natively: {strict.reason}.")
        else:
            output = OutputConstraint(kind="json_schema", schema=strict.schema)
            needs_instruction = strict.lossy
            notes.append(f"`{spec.ref}` has native structured output: sent the schema.")
            if strict.lossy:
                notes.append(
                    "Left out keywords that strict modes refuse; the whole schema is in the instructions."
                )
    if output is None and spec.can("json_object") and _allows_object(schema):
        output = OutputConstraint(kind="json_object")
        notes.append(f"Turned on the JSON mode of `{spec.ref}`, which wants the word JSON in the prompt.")
    if output is None:
        notes.append(f"`{spec.ref}` has no native mode for this: the system prompt asks for JSON.")
    request = request if request.output == output else attrs.evolve(request, output=output)
    if needs_instruction:
        instruction = target.formatter.instruction or _JSON_INSTRUCTION
        if "json" not in instruction.lower():
            instruction = f"{instruction} {_JSON_INSTRUCTION}"
        if schema is not None:
            instruction = f"{instruction}\nIt must be valid against this JSON Schema:\n{_text(schema)}"
            notes.append("Put the schema into the system prompt.")
        request = _instruct(request, instruction)
    return Rewrite(request=request, notes=tuple(notes))


def _allows_object(schema: JSONObject | None) -> bool:
    """JSON mode always makes an object, so a schema for a list must do without it."""
    if schema is None:
        return True
    types = schema.get("type", "object")
    return types == "object" or (isinstance(types, list | tuple) and "object" in types)


def _instruct(request: ChatRequest, instruction: str) -> ChatRequest:
    system = request.system
    if not system:
        return attrs.evolve(request, system=instruction)
    if system == instruction or system.endswith(f"\n\n{instruction}"):
        return request
    return attrs.evolve(request, system=f"{system}\n\n{instruction}")


def _text(schema: JSONObject) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> JSONValue:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
