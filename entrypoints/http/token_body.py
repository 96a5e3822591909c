"""The body of `POST /tokens`, and the command it becomes."""

from typing import Final

from application.use_cases.make_token import MadeToken, MakeTokenCommand
from domain.access import USER_SCOPES, Caller, Scope
from domain.browser_token import DEFAULT_TTL_S, MOST_TTL_S, MOST_USER, moment_of
from domain.errors import InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.model_pattern import MOST_MODELS, MOST_NAME
from domain.secret import Secret
from domain.values import frozen
from entrypoints.http.checks import Choice, Faults, Integer, ListOf, Text
from entrypoints.http.records import Record, given
from entrypoints.prompt_rendering import time_text

_SCOPES: Final[tuple[Scope, ...]] = tuple(sorted(USER_SCOPES))


@frozen(kw_only=True)
class TokenBody:
    """For whom a token is, and what it opens."""

    user: str = given(
        Text(max_length=MOST_USER, min_length=1, blank=False),
        "Your own id for the end user: the token sees and does nothing but what is theirs.",
        required=True,
        example="u-4711",
    )
    ttl_s: int | None = given(
        Integer(minimum=1, maximum=MOST_TTL_S),
        "How long it lets them in, in seconds.",
        default=DEFAULT_TTL_S,
        example=600,
    )
    scopes: tuple[Scope, ...] | None = given(
        ListOf(item=Choice(_SCOPES), max_items=len(_SCOPES), min_items=1),
        "What it may do; by default what the key may do, as far as a user can.",
        example=["chat", "threads"],
    )
    models: tuple[str, ...] | None = given(
        ListOf(item=Text(max_length=MOST_NAME, min_length=1), max_items=MOST_MODELS, min_items=1),
        "Which of the key's models it may ask: names or patterns with `*`; by default all of them.",
        example=["openai:gpt-5-mini"],
    )


TOKEN: Final = Record(TokenBody)


def read_token_request(
    value: JSONObject, *, caller: Caller, credential: Secret, faults: Faults
) -> MakeTokenCommand:
    body = TOKEN.read(value, "", faults)
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return MakeTokenCommand(
        caller=caller,
        credential=credential,
        user=body.user,
        ttl_s=body.ttl_s or DEFAULT_TTL_S,
        scopes=caller.scopes & USER_SCOPES if body.scopes is None else frozenset(body.scopes),
        models=body.models or (),
    )


def token_json(made: MadeToken) -> dict[str, JSONValue]:
    claims = made.claims
    return {
        "token": made.token.reveal(),
        "expires_at": time_text(moment_of(claims.expires_at_s)),
        "user": claims.user,
        "scopes": sorted(claims.scopes),
    }
