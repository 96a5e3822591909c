"""The one middleware: request ids, shedding, errors, security headers and telemetry of every answer.

One function does all of it because each further middleware costs every request a call and a closure.
"""

import re
from typing import Final

from aiohttp import web
from aiohttp.hdrs import ORIGIN
from aiohttp.typedefs import Handler, Middleware
from multidict import istr

from application.services.request_scope import RequestScope, enter
from domain.access import USER_SCOPES, Caller, Scope
from domain.errors import Forbidden, LorError, NotFound, Overloaded, RateLimited, Unauthenticated
from domain.telemetry import KeyRefused, RequestRefused, RequestServed
from entrypoints.http.breaking_off import CLIENT_GONE
from entrypoints.http.callers import authorization_of, demand_own
from entrypoints.http.client_address import client_address
from entrypoints.http.error_formats import ErrorFormat, problem
from entrypoints.http.fault_log import log_unexpected
from entrypoints.http.json_answer import JSONAnswer
from entrypoints.http.limits import allow_failed_chat, allow_request
from entrypoints.http.problems import (
    HTTPFault,
    expectation_failed,
    idempotency_unsupported,
    internal_error,
    problem_type,
    retry_after,
    shutting_down,
)
from entrypoints.http.request import Request
from entrypoints.http.response_headers import decorate
from entrypoints.http.routes.table import OWNED, POLICIES, SCOPE_OF, TAKE_KEYS, error_format
from entrypoints.http.state import BROKEN_OFF, CALLER, REQUEST_ID, ROUTE, ServerState

# Headers compare their names without regard to case, which these have done beforehand.
_ID: Final = istr("X-Request-ID")
_TRACE: Final = istr("traceparent")
_KEY: Final = istr("Idempotency-Key")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_INVALID: Final = 'Bearer error="invalid_token"'
"""Of every credential that is none, expired ones too, so that who holds one knows to get another. RFC 6750, section 3."""
UNMATCHED: Final = "unmatched"
"""The route of a request that no template matches: one label, whatever paths are tried."""
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_WRITING: Final = frozenset(("POST", "PUT", "PATCH", "DELETE"))


def boundary(state: ServerState) -> Middleware:
    """The middleware around all handlers. Only what outlives a reload is taken from the application at once."""
    application = state.application
    new_id = application.ids.new
    monotonic = application.clock.monotonic
    emit = application.telemetry.emit
    answers = application.live_answers
    shares = state.shares
    recall, authenticate = application.key_ring.recall, application.key_ring.authenticate

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = monotonic()
        headers = request.headers
        given = headers.get(_ID)
        request_id = given if given is not None and _REQUEST_ID.fullmatch(given) else new_id()
        request[REQUEST_ID] = request_id
        template = request.template if type(request) is Request else None
        route = template_of(request) if template is None else template
        request[ROUTE] = route
        whose = RequestScope(request_id=request_id, traceparent=headers.get(_TRACE))
        enter(whose)
        counts = POLICIES.get(route) != "ops"
        status = CLIENT_GONE
        generation, cors = state.generation, state.cors
        holder: str | None = None
        capacity = state.capacity
        is_full = counts and state.load >= capacity
        is_before = True
        if counts:
            state.in_flight += 1
            generation.in_flight += 1
        try:
            if cors.enabled and ORIGIN in headers and (preflight := cors.preflight(request, route)):
                response: web.StreamResponse = preflight
            elif counts and state.draining:
                raise shutting_down()
            elif _KEY in headers and writes(request) and route not in TAKE_KEYS:
                raise idempotency_unsupported()
            else:
                scope = SCOPE_OF.get(route)
                if scope is None and is_full:
                    raise full()
                if scope is not None:
                    given_key = authorization_of(request)
                    server = state.application.settings.server
                    caller = recall(given_key)
                    if caller is None:
                        if is_full:  # who is known has a part of what there is, whoever else came
                            raise full()
                        address = client_address(request, server.trusted_proxies)
                        caller = await authenticate(given_key, address=address)
                    whose.tenant, whose.key_id = caller.tenant, caller.key_id
                    wants = caller.key_id or client_address(request, server.trusted_proxies)
                    others = state.in_flight + answers.unread - 1
                    if not shares.enter(wants, in_flight=others, capacity=capacity):
                        raise holds_its_part(caller)
                    holder = wants
                    if scope not in caller.scopes:
                        raise lacks_scope(scope, caller)
                    request[CALLER] = caller
                    if caller.user is not None:
                        method = "GET" if request.method == "HEAD" else request.method
                        await demand_own(
                            state.application, request, caller, scope, OWNED.get((method, route))
                        )
                if route not in TAKE_KEYS and counts:  # chats see to it themselves, with their tokens
                    of_address = state.application.settings.limits.address
                    if of_address.requests_per_minute is not None:
                        await allow_request(request, of_address)
                is_before = False
                response = await handler(request)
            kind = type(response)
            if kind is JSONAnswer:  # to ask it would make an ordinary response of it
                status = 200
            else:
                status = response.status
                if kind is not web.Response:  # nothing else has begun here, and so none was cut
                    status = request.get(BROKEN_OFF, status)
        except Exception as exc:  # the last place before aiohttp's own page: everything becomes a problem
            if request.writer.output_size > 0:  # too late for another answer: the connection has to end
                log_unexpected(exc, request_id=request_id, route=route)
                raise ConnectionResetError("the answer had begun") from None
            is_gone = isinstance(exc, ConnectionError) and request.transport is None
            if counts_for_address(exc) if is_before else route in TAKE_KEYS:
                try:
                    await allow_failed_chat(request, state.application.settings.limits.address)
                except RateLimited as limited:
                    exc = limited
            if is_gone:
                status = CLIENT_GONE
                raise  # whoever left in the midst of a body can't be told of it
            if isinstance(exc, Unauthenticated | Forbidden):
                emit(
                    KeyRefused(
                        request_id=request_id,
                        route=route,
                        code=exc.code,
                        tenant=whose.tenant,
                        key_id=whose.key_id,
                    )
                )
            elif is_before and (code := turned_away(exc)) is not None:
                state.refused += isinstance(exc, Overloaded)
                emit(
                    RequestRefused(
                        request_id=request_id,
                        route=route,
                        code=code,
                        tenant=whose.tenant,
                        key_id=whose.key_id,
                    )
                )
            errors = error_format(route, request.path)
            response = problem_response(exc, request_id=request_id, route=route, errors=errors)
            status = response.status
        finally:
            if counts:
                state.in_flight -= 1
                state.ended += status != 503
                if holder is not None:
                    shares.leave(holder)
                generation.in_flight -= 1
            method = request.method if request.method in _METHODS else "OTHER"
            emit(
                RequestServed(
                    request_id=request_id,
                    route=route,
                    method=method,
                    status=status,
                    duration_s=monotonic() - started,
                )
            )
            whose.ended = True
        if not response.prepared:
            decorate(request, response, state)
        return response

    return guard


def template_of(request: web.Request) -> str:
    """Of the route that the application's router found."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical


def full() -> Overloaded:
    return Overloaded("as many requests are being answered as can be; try again shortly")


def holds_its_part(caller: Caller) -> Overloaded:
    who = "address" if caller.key is None else "key"
    return Overloaded(
        f"the server is busy, and this {who} has its part of it; send fewer requests at a time, or try again shortly"
    )


def turned_away(exc: Exception) -> str | None:
    """The code of a refusal that nothing else tells of."""
    if isinstance(exc, Overloaded) or (isinstance(exc, HTTPFault) and exc.code == "shutting_down"):
        return exc.code
    return exc.code if isinstance(exc, RateLimited) and exc.refusal is None else None


def counts_for_address(exc: Exception) -> bool:
    """Whether what was refused before its handler is one request more of its address; its limit was not asked yet."""
    if isinstance(exc, Unauthenticated | RateLimited | Overloaded):
        return False  # these have limits of their own, or are one
    return isinstance(exc, Forbidden | NotFound) or (
        isinstance(exc, HTTPFault) and exc.code == "idempotency_unsupported"
    )


def lacks_scope(scope: Scope, caller: Caller) -> Forbidden:
    if caller.user is None:
        return Forbidden(
            f"this key lacks the scope `{scope}`: use one that has it, or make one with `--scopes`"
        )
    if scope in USER_SCOPES:
        return Forbidden(f"this user's token lacks the scope `{scope}`; ask your backend for one that has it")
    return Forbidden(f"a user's token can't have the scope `{scope}`; let your backend do this with its key")


def writes(request: web.Request) -> bool:
    """Whether it came to a route, and by a method that may change something."""
    return request.method in _WRITING and request.match_info.http_exception is None


def problem_response(
    exc: BaseException, *, request_id: str, route: str, errors: ErrorFormat = problem
) -> web.Response:
    """The answer to whatever a handler raised. An unexpected exception is logged and shows nothing."""
    error = _translate(exc)
    if error is None:
        log_unexpected(exc, request_id=request_id, route=route)
        error = internal_error()
    answer = errors(error, request_id=request_id)
    headers = dict(answer.headers)
    wait = retry_after(error)
    if wait is not None:
        headers["Retry-After"] = wait
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = _INVALID if error.was_sent else "Bearer"
    if isinstance(exc, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(exc.allowed_methods))
    response = web.Response(
        body=answer.body,
        status=problem_type(error.code).status,
        content_type=answer.content_type,
        headers=headers,
    )
    if isinstance(error, HTTPFault) and error.close:
        response.force_close()
    return response


def _translate(exc: BaseException) -> LorError | None:
    """The error that a caller may see; None for a fault of ours."""
    if isinstance(exc, LorError):
        return exc
    if isinstance(exc, web.HTTPNotFound):
        return NotFound(
            "there is no such route; GET /docs lists all of them. Clients that speak OpenAI's API want /v1 at the end of "
            "their base URL"
        )
    if isinstance(exc, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(exc.allowed_methods))
        return HTTPFault("method_not_allowed", f"this route allows {allowed}")
    if isinstance(exc, web.HTTPRequestEntityTooLarge):
        return HTTPFault("body_too_large", "the body is too large", close=True)
    if isinstance(exc, web.HTTPExpectationFailed):
        return expectation_failed()
    if isinstance(exc, web.HTTPClientError):
        return HTTPFault("malformed_request", "the request can't be understood", close=True)
    return None
