"""Tools in a body, in OpenAI's shape."""

from typing import Final, Literal

from domain.chat import Tool, ToolChoice
from domain.json_value import JSONObject
from domain.values import frozen
from entrypoints.http.checks import AnyObject, Boolean, Choice, Faults, Text, TextOr, fault
from entrypoints.http.records import Record, given

# Both OpenAI and Anthropic refuse other names.
FUNCTION_NAME: Final = Text(
    max_length=64, pattern="[A-Za-z0-9_-]{1,64}", hint="1 to 64 letters, digits, `_` or `-`"
)
# Of a call that was made: models invent names that no tool has, and a history that holds one must not be lost.
CALLED_NAME: Final = Text(min_length=1, max_length=1_000_000)
_FUNCTION_TYPE: Final = Choice(("function",))


@frozen(kw_only=True)
class FunctionBody:
    """A function that the model may call."""

    name: str = given(FUNCTION_NAME, "Its name.", required=True, example="get_weather")
    description: str | None = given(Text(max_length=16_384), "What it does and when to call it.")
    parameters: JSONObject | None = given(AnyObject(), "A JSON Schema of its arguments, an object.")
    strict: bool | None = given(
        Boolean(), "Whether arguments must fit the schema exactly, where a provider can."
    )


@frozen(kw_only=True)
class ToolBody:
    """A tool."""

    type: Literal["function"] = given(_FUNCTION_TYPE, "Always `function`.", required=True)
    function: FunctionBody = given(Record(FunctionBody), "The function.", required=True)


@frozen(kw_only=True)
class FunctionNameBody:
    """Names one of the tools."""

    name: str = given(FUNCTION_NAME, "The function's name.", required=True)


@frozen(kw_only=True)
class ToolChoiceBody:
    """One function that the model must call."""

    type: Literal["function"] = given(_FUNCTION_TYPE, "Always `function`.", required=True)
    function: FunctionNameBody = given(Record(FunctionNameBody), "Which one.", required=True)


_MODES: Final = ("auto", "none", "required")
TOOL: Final = Record(ToolBody)
TOOL_CHOICE: Final = TextOr(
    text=Text(max_length=16, pattern="auto|none|required", hint="`auto`, `none`, `required` or a function"),
    other=Record(ToolChoiceBody),
)


def to_tools(bodies: tuple[ToolBody, ...], faults: Faults) -> tuple[Tool, ...]:
    seen: set[str] = set()
    tools: list[Tool] = []
    for index, body in enumerate(bodies):
        function = body.function
        if function.name in seen:
            fault(faults, f"tools[{index}].function.name", f"`{function.name}` is given twice")
        seen.add(function.name)
        tools.append(
            Tool(
                name=function.name,
                description=function.description,
                parameters=function.parameters,
                strict=function.strict,
            )
        )
    return tuple(tools)


def to_tool_choice(body: str | ToolChoiceBody, tools: tuple[Tool, ...], faults: Faults) -> ToolChoice | None:
    if isinstance(body, ToolChoiceBody):
        name = body.function.name
        if all(tool.name != name for tool in tools):
            known = ", ".join(f"`{tool.name}`" for tool in tools) or "none"
            fault(faults, "tool_choice.function.name", f"`{name}` is not among `tools`; given are: {known}")
        return ToolChoice(mode="function", name=name)
    if not tools and body != "none":
        fault(faults, "tool_choice", f"`{body}` needs `tools`; send them, or leave `tool_choice` out")
    for mode in _MODES:
        if mode == body:
            return ToolChoice(mode=_mode(mode))
    return None


def _mode(text: str) -> Literal["auto", "none", "required"]:
    return "auto" if text == "auto" else "none" if text == "none" else "required"
