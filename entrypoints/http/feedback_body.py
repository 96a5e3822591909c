"""The bodies and queries of the routes of feedback and usage, and the commands they become."""

import datetime
from typing import Final, cast

from application.use_cases.export_rated import ExportRatedCommand
from application.use_cases.rate_message import RateMessageCommand
from application.use_cases.report_usage import ReportUsageCommand
from domain.access import ANYBODY, Caller
from domain.errors import InvalidRequest
from domain.feedback import MAX_COMMENT, MAX_TAG, MAX_TAGS, MAX_USER, RATINGS, Rating
from domain.ids import DEFAULT_TENANT, MessageId, Tenant
from domain.json_value import JSONObject, JSONValue
from domain.model import ModelRef
from domain.prompt.reference import LABEL_PATTERN, LATEST, NAME_PATTERN, PromptReference
from domain.suggestion import shown
from domain.usage_report import GROUPS, UsageGroup
from domain.values import frozen
from entrypoints.http.callers import user_of
from entrypoints.http.checks import Choice, Faults, ListOf, Schemas, Text, fault, kind_of
from entrypoints.http.moments import MomentText
from entrypoints.http.records import Record, given

_ALLOWED: Final = "must be `thumbs_up`, `thumbs_down` or an integer from 1 to 5"
_THUMBS: Final = ("thumbs_up", "thumbs_down")
_STARS: Final = (1, 2, 3, 4, 5)
_FROM_DOC: Final = "A day, or an RFC 3339 time."


@frozen
class RatingValue:
    """A thumb or one to five stars, as JSON has them."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> Rating | None:
        # `True == 1` and `3.0 == 3` in Python, and neither is meant.
        if (type(value) is int and value in _STARS) or (type(value) is str and value in _THUMBS):
            return cast("Rating", value)
        if isinstance(value, str):
            digit = value.strip() in ("1", "2", "3", "4", "5")
            wrong = f'"{shown(value)}", a string' + ("; leave the quotes out" if digit else "")
        elif isinstance(value, bool):
            wrong = "true" if value else "false"
        elif isinstance(value, int | float):
            wrong = shown(repr(value))
        else:
            wrong = kind_of(value)
        fault(faults, path, f"{_ALLOWED}; it is {wrong}")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"enum": list(RATINGS)}


@frozen
class RatingText:
    """The same in a query, where everything is a text."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> Rating | None:
        for rating in RATINGS:
            if str(rating) == value:
                return rating
        fault(faults, path, f"{_ALLOWED}; it is `{shown(str(value))}`")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"enum": list(RATINGS)}


@frozen
class PromptText:
    """`name`, `name:v3` or `name@label`."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> PromptReference | None:
        try:
            reference = PromptReference.parse(str(value), path=path)
        except InvalidRequest as error:
            faults.extend(error.faults)
            return None
        if reference.label == LATEST:
            fault(
                faults, path, "no answer is kept as made by `latest`; name the version, or the prompt alone"
            )
            return None
        return reference

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "string", "pattern": f"^{NAME_PATTERN}(:v[0-9]{{1,10}}|@{LABEL_PATTERN})?$"}


@frozen
class ModelText:
    """`provider:model`."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> ModelRef | None:
        try:
            return ModelRef.parse(str(value), path=path)
        except InvalidRequest:
            fault(faults, path, f"`{shown(str(value))}` is no model; write `provider:model`")
            return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "string", "pattern": "^[^:]+:.+$"}


@frozen(kw_only=True)
class FeedbackBody:
    """What somebody thinks of an answer. It takes the place of what was said of it before."""

    rating: Rating = given(
        RatingValue(), "A thumb, or 1 to 5, of which 5 is best.", required=True, example="thumbs_up"
    )
    comment: str | None = given(Text(max_length=MAX_COMMENT), "Why.", example="It named the right paragraph.")
    tags: tuple[str, ...] | None = given(
        ListOf(item=Text(max_length=MAX_TAG, blank=False), max_items=MAX_TAGS),
        "Words to sort it by; kept in alphabetical order, each once.",
        example=["accurate"],
    )
    user: str | None = given(
        Text(min_length=1, max_length=MAX_USER), "The caller's opaque id of whoever rates.", example="u-4711"
    )


@frozen(kw_only=True)
class UsageReportQuery:
    """Which time, and in which groups."""

    since: datetime.datetime | None = given(
        MomentText(),
        f"The beginning: {_FROM_DOC} The hour 30 days before `to` where it is left out.",
        example="2026-11-01",
        name="from",
    )
    until: datetime.datetime | None = given(
        MomentText(),
        f"The end, not included: {_FROM_DOC} Now where it is left out.",
        example="2026-12-01T00:00:00Z",
        name="to",
    )
    group_by: UsageGroup | None = given(
        Choice(GROUPS),
        "One row for each; one for all where it is left out. `label` is the prompt's label by which its version was "
        "chosen, `key` the API key, whatever it was rotated to, `day` a day in UTC and `hour` one of its hours.",
        example="prompt_version",
    )


@frozen(kw_only=True)
class RatedQuery:
    """Which rated answers; all conditions hold together."""

    at_least: Rating | None = given(
        RatingText(),
        "This rating or a better one. Thumbs count as 5 and 1, so `at_least=4` has thumbs up in it.",
        example="thumbs_up",
    )
    at_most: Rating | None = given(RatingText(), "This rating or a worse one.", example=2)
    since: datetime.datetime | None = given(
        MomentText(), f"Answers made then or later. {_FROM_DOC}", example="2026-11-01", name="from"
    )
    until: datetime.datetime | None = given(
        MomentText(), f"Answers made before. {_FROM_DOC}", example="2026-12-01", name="to"
    )
    prompt: PromptReference | None = given(
        PromptText(),
        "A prompt in all its versions (`name`), one version (`name:v3`), or those chosen by a label (`name@label`).",
        example="support_agent",
    )
    model: ModelRef | None = given(ModelText(), "The model that answered.", example="demo:demo")


FEEDBACK: Final = Record(FeedbackBody)
USAGE: Final = Record(UsageReportQuery)
RATED: Final = Record(RatedQuery)


def read_feedback(
    value: JSONObject, *, message_id: MessageId, faults: Faults, caller: Caller = ANYBODY
) -> RateMessageCommand:
    """The command in a decoded body.

    Raises:
        InvalidRequest: with every fault at once, those in `faults` included.
    """
    body = FEEDBACK.read(value, "", faults)
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return RateMessageCommand(
        tenant=caller.tenant,
        message_id=message_id,
        rating=body.rating,
        comment=body.comment,
        tags=body.tags or (),
        user=user_of(caller, body.user or None),
    )


def usage_command(query: UsageReportQuery, *, tenant: Tenant = DEFAULT_TENANT) -> ReportUsageCommand:
    return ReportUsageCommand(tenant=tenant, since=query.since, until=query.until, group_by=query.group_by)


def rated_command(query: RatedQuery, *, tenant: Tenant = DEFAULT_TENANT) -> ExportRatedCommand:
    return ExportRatedCommand(
        tenant=tenant,
        at_least=query.at_least,
        at_most=query.at_most,
        since=query.since,
        until=query.until,
        prompt=query.prompt,
        model=query.model,
    )
