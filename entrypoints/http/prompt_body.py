"""The bodies of the routes of prompts: what they may hold, and the commands they become."""

from collections.abc import Callable
from typing import Final, get_args

from application.use_cases.label_prompt import LabelPromptCommand
from application.use_cases.render_prompt import RenderPromptCommand, TryPromptCommand
from application.use_cases.version_prompt import VersionPromptCommand
from domain.errors import InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.json_value import JSONObject, JSONValue
from domain.prompt.document import (
    MAX_DESCRIPTION,
    MAX_ENUM_VALUES,
    MAX_TURNS,
    MAX_VARIABLES,
    read_source,
)
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.source import PromptSource, TurnRole, VariableType
from domain.prompt.template import MAX_TEMPLATE_BYTES
from domain.prompt.version import Weights
from domain.values import frozen
from entrypoints.http.checks import (
    AnyObject,
    Boolean,
    Choice,
    Faults,
    ListOf,
    Schemas,
    Text,
    UUIDText,
    fault,
)
from entrypoints.http.prompt_checks import LABEL_TEXT, VersionText, WeightMap
from entrypoints.http.records import Record, given

_TEMPLATE: Final = Text(max_length=MAX_TEMPLATE_BYTES)
_DESCRIPTION: Final = Text(max_length=MAX_DESCRIPTION)
AUTHOR: Final = Text(min_length=1, max_length=256)
WHY: Final = Text(max_length=2000)
_TYPE: Final = Choice(get_args(VariableType))


@frozen
class AsWritten:
    """Kept as it is for `read_source`, which names the faults, as it does in files; here it is documented only."""

    documented: Callable[[Schemas], JSONObject]

    def read(self, value: JSONValue, path: str, faults: Faults) -> JSONValue:
        return value

    def schema(self, schemas: Schemas) -> JSONObject:
        return self.documented(schemas)


@frozen(kw_only=True)
class TurnBody:
    """One message of a chat template."""

    role: TurnRole = given(Choice(get_args(TurnRole)), "Whose turn it is.", required=True)
    content: str = given(_TEMPLATE, "The turn's template.", required=True, example="{{question}}")


@frozen(kw_only=True)
class VariableBody:
    """A variable's declaration; one without `default` has to be given."""

    type: VariableType | None = given(
        _TYPE, "What its values are. `enum` is understood where `values` are given.", default="string"
    )
    default: JSONValue = given(AsWritten(lambda _: {}), "Stands in where it is left out; may be null.")
    values: tuple[str, ...] | None = given(
        ListOf(item=_TEMPLATE, max_items=MAX_ENUM_VALUES, min_items=1), "What an `enum` may be."
    )
    enum: tuple[str, ...] | None = given(
        ListOf(item=_TEMPLATE, max_items=MAX_ENUM_VALUES, min_items=1),
        "The same as `values`, which may be left out then.",
    )
    description: str | None = given(_DESCRIPTION, "What it is for.")


def _declarations(schemas: Schemas) -> JSONObject:
    declaration: JSONObject = {"oneOf": [_TYPE.schema(schemas), Record(VariableBody).schema(schemas)]}
    return {"type": "object", "maxProperties": MAX_VARIABLES, "additionalProperties": declaration}


@frozen(kw_only=True)
class DraftBody:
    """A prompt as written. Exactly one of `template` and `messages` is given."""

    template: JSONValue = given(
        AsWritten(_TEMPLATE.schema),
        "A system text: `{{variable}}`, `{{> fragment}}`, `{{#section}}…{{/section}}`.",
        example="You help {{name}}.",
    )
    messages: JSONValue = given(
        AsWritten(ListOf(item=Record(TurnBody), min_items=1, max_items=MAX_TURNS).schema),
        "A chat template, turn by turn.",
    )
    variables: JSONValue = given(
        AsWritten(_declarations),
        "The variables that it uses, by name: a type, or a declaration.",
        example={"name": {"type": "string", "description": "The customer's first name."}},
    )
    description: JSONValue = given(AsWritten(_DESCRIPTION.schema), "What the prompt is for.")


@frozen
class Draft:
    """An object that `read_source` reads."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> PromptSource | None:
        try:
            return read_source(value, path=path)
        except InvalidRequest as error:
            for each in error.faults:
                fault(faults, each.path, each.message)
            return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return Record(DraftBody).schema(schemas)


@frozen(kw_only=True)
class VersionBody(DraftBody):
    """A version of a prompt. Exactly one of `template` and `messages` is given."""

    message: str | None = given(WHY, "Why this version is made.", example="Ask for the order's number.")
    author: str | None = given(AUTHOR, "Who makes it.", example="ada@example.com")


@frozen(kw_only=True)
class LabelBody:
    """Where a label points: `version`, or `weights`; neither where only its protection changes."""

    version: int | None = given(VersionText(), "The version that it points to.", example="v2")
    weights: Weights | None = given(
        WeightMap(),
        "A rollout: versions with their shares, whatever these add up to. Each user keeps to one of them, and "
        "each thread where there is no user.",
        example={"v3": 90, "v4": 10},
    )
    protected: bool | None = given(
        Boolean(), "Whether it moves only by `force`; left out, that stays as it is."
    )
    force: bool | None = given(Boolean(), "Moves a protected label.", default=False)
    message: str | None = given(WHY, "Why it moves.")
    author: str | None = given(AUTHOR, "Who moves it.")


@frozen(kw_only=True)
class RenderBody:
    """What to fill a prompt in with. At most one of `version`, `label` and `draft`; none beside one in the path."""

    variables: JSONObject | None = given(AnyObject(), "The prompt's variables.", example={"name": "Ada"})
    version: int | None = given(VersionText(), "A version.", example="v3")
    label: str | None = given(LABEL_TEXT, "The version that this label points to, or `latest`.")
    draft: PromptSource | None = given(
        Draft(),
        "A text to try in place of a version, as the next one would be made of it; it is not stored.",
    )
    user: str | None = given(
        Text(max_length=256), "Chooses among the versions of a rollout, as it does for this user's chats."
    )
    thread_id: str | None = given(UUIDText(), "Chooses where there is no `user`.")


VERSION: Final = Record(VersionBody)
LABEL: Final = Record(LabelBody)
RENDER: Final = Record(RenderBody)
SOURCE: Final = ("template", "messages", "variables", "description")
"""The fields of a body that are a prompt's source."""


def read_version(
    value: JSONObject,
    *,
    name: PromptName,
    if_match: tuple[str, ...] | None,
    if_none_match: bool,
    faults: Faults,
    tenant: Tenant = DEFAULT_TENANT,
) -> VersionPromptCommand:
    """The command in a decoded body.

    Raises:
        InvalidRequest: with every fault at once, those in `faults` included.
    """
    body = VERSION.read(value, "", faults)
    source = _source(value, faults)
    if body is None or source is None or faults:
        raise InvalidRequest.of(*faults)
    return VersionPromptCommand(
        tenant=tenant,
        name=name,
        source=source,
        made_by="api",
        author=body.author,
        message=body.message,
        if_match=if_match,
        if_none_match=if_none_match,
    )


def read_label(
    value: JSONObject,
    *,
    name: PromptName,
    label: str,
    if_match: tuple[str, ...] | None,
    faults: Faults,
    tenant: Tenant = DEFAULT_TENANT,
) -> LabelPromptCommand:
    """As `read_version`."""
    body = LABEL.read(value, "", faults)
    chosen = [field for field in ("version", "weights") if value.get(field) is not None]
    if len(chosen) == 2:
        fault(faults, "weights", "give `version` or `weights`, not both")
    elif not chosen and value.get("protected") is None:
        fault(faults, "version", "is required: give `version`, `weights`, or `protected` alone")
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return LabelPromptCommand(
        tenant=tenant,
        name=name,
        label=label,
        weights=((body.version, 1),) if body.version is not None else body.weights,
        protected=body.protected,
        force=bool(body.force),
        author=body.author,
        message=body.message,
        if_match=if_match,
    )


def read_render(
    body: RenderBody, reference: PromptReference, *, tenant: Tenant = DEFAULT_TENANT
) -> RenderPromptCommand:
    """The command for a version that is stored."""
    return RenderPromptCommand(
        tenant=tenant,
        reference=reference,
        variables=body.variables or {},
        key=body.user or body.thread_id or "",
    )


def read_draft(
    source: PromptSource, body: RenderBody, name: PromptName, *, tenant: Tenant = DEFAULT_TENANT
) -> TryPromptCommand:
    """The command for a draft."""
    return TryPromptCommand(tenant=tenant, name=name, source=source, variables=body.variables or {})


def source_in(value: JSONObject, fields: tuple[str, ...] = SOURCE) -> PromptSource:
    """What `read_source` makes of those of its fields; null for one of them counts as left out.

    Raises:
        InvalidRequest: as `read_source` does.
    """
    return read_source({field: value[field] for field in fields if value.get(field) is not None})


def _source(value: JSONObject, faults: Faults) -> PromptSource | None:
    try:
        return source_in(value)
    except InvalidRequest as error:
        for each in error.faults:
            fault(faults, each.path, each.message)
        return None
