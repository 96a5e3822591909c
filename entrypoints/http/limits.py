"""Rate limits at the door: what a request is counted under, and what its caller is told.

The settings are looked up for each request, so that another configuration counts from the next one on.
"""

from collections.abc import Iterable
from math import ceil
from typing import Final

from aiohttp import web
from multidict import istr

from application.ports.rate_limiter import Allowance, RateDemand, RateState
from application.use_cases.chat_command import SendChatCommand
from domain.access import Caller
from domain.errors import RateLimited
from domain.json_value import JSONValue
from domain.limits.rate import RateDemands, RateLimits
from domain.message import ImagePart, Message, TextPart
from domain.telemetry import RateRefused
from domain.values import evolve
from entrypoints.application import Application
from entrypoints.http.caller_demands import key_limits
from entrypoints.http.client_address import client_address
from entrypoints.http.response_headers import RATE_HEADERS
from entrypoints.http.state import CALLER, REQUEST_ID, STATE, ServerState
from entrypoints.settings import Settings

COUNTED: Final = web.RequestKey("counted", bool)
"""Set once a chat's limits were asked."""
_BYTES_PER_TOKEN: Final = 4
_ANSWER_TOKENS: Final = 1_024
"""What an answer is taken to have where nobody has said how long it may be."""
_IMAGE_TOKENS: Final = 1_024

# Headers compare their names without regard to case, which these have done beforehand.
_LIMIT_REQUESTS: Final = istr("x-ratelimit-limit-requests")
_REMAINING_REQUESTS: Final = istr("x-ratelimit-remaining-requests")
_RESET_REQUESTS: Final = istr("x-ratelimit-reset-requests")
_LIMIT_TOKENS: Final = istr("x-ratelimit-limit-tokens")
_REMAINING_TOKENS: Final = istr("x-ratelimit-remaining-tokens")
_RESET_TOKENS: Final = istr("x-ratelimit-reset-tokens")


async def allow_chat(request: web.Request, state: ServerState, command: SendChatCommand) -> SendChatCommand:
    """The command, which is given what it may take; as it is where no limit applies, or something was let through before.

    Raises:
        RateLimited: a limit does not allow it now. Nothing was taken.
    """
    if command.allowance is not None:
        return command
    allowance = await chat_allowance(
        request, state, command.caller, command.user, command.messages, command.max_tokens
    )
    return command if allowance is None else evolve(command, allowance=allowance)


async def chat_allowance(
    request: web.Request,
    state: ServerState,
    caller: Caller,
    user: str | None,
    messages: Iterable[Message],
    max_tokens: int | None,
) -> Allowance | None:
    """What a chat may take of its key's, its user's and its address' limits; None where there are none.

    Args:
        messages: that are sent; those that the thread adds are not known yet.

    Raises:
        RateLimited: as `allow_chat`.
    """
    application = state.application
    request[COUNTED] = True
    limits = application.settings.limits
    address = None
    if not limits.address.is_empty:
        address = client_address(request, application.settings.server.trusted_proxies)
    demands = state.demands.of(caller, user, address, limits)
    if not demands:
        return None
    tokens = 0
    if demands.metered:
        tokens = estimated_tokens(messages, max_tokens or application.settings.chat.max_tokens)
    try:
        allowance = await application.rate_limiter.take(demands, tokens=tokens)
    except RateLimited as error:
        _tell(request, application, caller, error)
        raise
    headers = rate_headers(allowance.requests, allowance.tokens)
    if headers:
        request[RATE_HEADERS] = headers
    return allowance


async def allow_request(request: web.Request, limits: RateLimits) -> None:
    """Counts a request that is no chat: for its address alone, so that nobody floods what is cheap.

    Raises:
        RateLimited: too many came from there.
    """
    application = request.app[STATE].application
    address = client_address(request, application.settings.server.trusted_proxies)
    demand = RateDemand(
        kind="address", id=address, limits=RateLimits(requests_per_minute=limits.requests_per_minute)
    )
    try:
        allowance = await application.rate_limiter.take(RateDemands((demand,)), tokens=0)
    except RateLimited as error:
        _tell(request, application, request.get(CALLER), error)
        raise
    headers = rate_headers(allowance.requests, allowance.tokens)
    if headers:
        request[RATE_HEADERS] = headers
    allowance.end()


async def allow_failed_chat(request: web.Request, limits: RateLimits) -> None:
    """Counts what was to be a chat and never came so far, as `allow_request` does: a body that can't be read, say.

    Raises:
        RateLimited: too many came from there.
    """
    if limits.requests_per_minute is not None and COUNTED not in request:
        request[COUNTED] = True
        await allow_request(request, limits)


def rate_limits_json(caller: Caller, settings: Settings) -> dict[str, JSONValue]:
    """What a chat of the caller's is counted against."""
    limits = settings.limits
    is_shown = (
        caller.key is not None and caller.user is None
    )  # its users share it, and are not told of one another
    return {
        "key": _limits_json(key_limits(caller, limits)) if is_shown else None,
        "user": _limits_json(limits.user),
        "address": _limits_json(limits.address),
    }


def _limits_json(limits: RateLimits) -> dict[str, JSONValue]:
    return {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
    }


def estimated_tokens(messages: Iterable[Message], max_tokens: int | None) -> int:
    """Of the prompt a quarter of its bytes, of the answer all that it may have."""
    size, images = 0, 0
    for message in messages:
        for part in message.parts:
            if isinstance(part, TextPart):
                text = part.text
                size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            elif isinstance(part, ImagePart):
                images += 1
    prompt = -(-size // _BYTES_PER_TOKEN) + images * _IMAGE_TOKENS
    return prompt + (max_tokens or _ANSWER_TOKENS)


def rate_headers(requests: RateState | None, tokens: RateState | None) -> dict[str, str]:
    """As OpenAI has them; of a kind of limit that there is not, none."""
    headers: dict[str, str] = {}
    if requests is not None:
        headers[_LIMIT_REQUESTS] = str(requests.limit)
        headers[_REMAINING_REQUESTS] = str(requests.remaining)
        headers[_RESET_REQUESTS] = duration(requests.reset_s)
    if tokens is not None:
        headers[_LIMIT_TOKENS] = str(tokens.limit)
        headers[_REMAINING_TOKENS] = str(tokens.remaining)
        headers[_RESET_TOKENS] = duration(tokens.reset_s)
    return headers


def duration(seconds: float) -> str:
    """As OpenAI writes one: `120ms`, `1s`, `6m0s`; never less than it is."""
    if seconds < 1:
        milliseconds = ceil(seconds * 1000 - 1e-6)
        if milliseconds < 1000:
            return f"{milliseconds}ms" if milliseconds > 0 else "0s"
    minutes, rest = divmod(ceil(seconds - 1e-6), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _tell(request: web.Request, application: Application, caller: Caller | None, error: RateLimited) -> None:
    refusal = error.refusal
    if refusal is None:
        return
    headers = rate_headers(refusal.requests, refusal.tokens)
    # OpenAI's SDKs look for it first: it spares them most of a second.
    headers["retry-after-ms"] = str(ceil(refusal.wait_s * 1000))
    request[RATE_HEADERS] = headers
    application.telemetry.emit(
        RateRefused(
            request_id=request[REQUEST_ID],
            tenant="" if caller is None else caller.tenant,
            key_id=None if caller is None else caller.key_id,
            subject=refusal.subject,
            limit=refusal.limit,
            retry_after_s=refusal.wait_s,
        )
    )
