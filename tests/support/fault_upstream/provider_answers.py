"""Rows 1 to 17 and 52: what a provider says when it does not answer."""

from collections.abc import Iterable

from tests.support.fault_upstream import wire
from tests.support.fault_upstream.exchange import Exchange
from tests.support.fault_upstream.registry import fault
from tests.support.fault_upstream.wire import PROVIDER_TEXT_CANARY


async def _limit(exchange: Exchange, headers: Iterable[tuple[str, str]] = ()) -> None:
    await exchange.refuse(429, ("requests", "rate_limit_exceeded"), "rate_limit_error", headers)


@fault("f01-limit")
async def limit_with_retry_after(exchange: Exchange) -> None:
    await _limit(exchange, [("Retry-After", "2")])


@fault("f02-limit")
async def limit_without_header(exchange: Exchange) -> None:
    await _limit(exchange)


ODD_RETRY_AFTER = {
    "f03-3600": ("Retry-After", "3600"),
    "f03-date": ("Retry-After", "Wed, 21 Oct 2099 07:28:00 GMT"),
    "f03-past-date": ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
    "f03-date-without-clock": ("Retry-After", "Wed, 21 Oct 2099 07:28:00 GMT"),
    "f03-negative": ("Retry-After", "-1"),
    "f03-nan": ("Retry-After", "NaN"),
    "f03-infinite": ("Retry-After", "inf"),
    "f03-abc": ("Retry-After", "abc"),
    "f03-digits": ("Retry-After", "9" * 400),
    "f03-ms": ("retry-after-ms", "250"),
}


@fault(*ODD_RETRY_AFTER)
async def odd_retry_after(exchange: Exchange) -> None:
    headers = [ODD_RETRY_AFTER[exchange.fault]]
    if exchange.fault in ("f03-date", "f03-past-date"):
        headers.append(("Date", "Sun, 22 Nov 2026 12:00:00 GMT"))
    await _limit(exchange, headers)


@fault("f04-quota")
async def money_gone(exchange: Exchange) -> None:
    await exchange.refuse((429, 402), ("insufficient_quota", "insufficient_quota"), "billing_error")


@fault("f05-overloaded")
async def overloaded(exchange: Exchange) -> None:
    await exchange.refuse((503, 529), ("service_unavailable_error", None), "overloaded_error")


@fault("f06-500")
async def server_error(exchange: Exchange) -> None:
    await exchange.refuse(500, ("server_error", None), "api_error")


@fault("f07-502", "f07-504", "f07-520", "f07-413")
async def html_from_a_cdn(exchange: Exchange) -> None:
    page = f"<!DOCTYPE html><html><body><h1>Bad gateway</h1>{PROVIDER_TEXT_CANARY}</body></html>"
    status = int(exchange.fault.split("-")[1])
    await exchange.respond(status, page.encode(), content_type="text/html; charset=UTF-8")


@fault("f09-401")
async def bad_key(exchange: Exchange) -> None:
    """The message echoes the key that came, as OpenAI's does in part."""
    headers = exchange.attempt.headers
    key = headers.get("x-api-key") or headers.get("authorization", "")
    await exchange.refuse(
        401,
        ("invalid_request_error", "invalid_api_key"),
        "authentication_error",
        message=f"Incorrect key: {key}.",
    )


@fault("f10-403")
async def forbidden(exchange: Exchange) -> None:
    await exchange.refuse(
        403, ("invalid_request_error", "unsupported_country_region_territory"), "permission_error"
    )


@fault("f11-404")
async def unknown_model(exchange: Exchange) -> None:
    await exchange.refuse(404, ("invalid_request_error", "model_not_found"), "not_found_error")


@fault("f12-400")
async def bad_parameter(exchange: Exchange) -> None:
    await exchange.refuse(400, ("invalid_request_error", None), "invalid_request_error")


@fault("f13-context")
async def context_too_long(exchange: Exchange) -> None:
    if exchange.is_openai:
        await exchange.refuse(400, ("invalid_request_error", "context_length_exceeded"), "")
    else:
        await exchange.refuse(
            400,
            (None, None),
            "invalid_request_error",
            message="prompt is too long: 215000 tokens > 200000 maximum",
        )


@fault("f14-policy")
async def prompt_refused(exchange: Exchange) -> None:
    """OpenAI alone refuses a prompt with a status; Anthropic answers 200 with a refusal."""
    await exchange.refuse(400, ("invalid_request_error", "content_policy_violation"), "invalid_request_error")


@fault("f14-filtered")
async def answer_filtered(exchange: Exchange) -> None:
    body = wire.answer(exchange.wire, exchange.attempt.model)
    if exchange.is_openai:
        body["choices"][0]["finish_reason"] = "content_filter"
        frames = wire.openai_stream(exchange.attempt.model, finish="content_filter")
    else:
        body["stop_reason"] = "refusal"
        frames = wire.anthropic_stream(exchange.attempt.model, finish="refusal")
    if exchange.attempt.stream:
        await exchange.stream(frames)
    else:
        await exchange.answer(body)


@fault("f15-408")
async def request_timeout(exchange: Exchange) -> None:
    await exchange.refuse(408, ("timeout", None), "timeout_error")


@fault("f15-409")
async def conflict(exchange: Exchange) -> None:
    await exchange.refuse(409, ("conflict", None), "invalid_request_error")


@fault("f15-504")
async def gateway_timeout(exchange: Exchange) -> None:
    await exchange.refuse(504, ("timeout", None), "timeout_error")


@fault("f16-no")
async def server_error_not_to_retry(exchange: Exchange) -> None:
    await exchange.refuse(500, ("server_error", None), "api_error", [("x-should-retry", "false")])


@fault("f16-yes")
async def bad_request_to_retry(exchange: Exchange) -> None:
    await exchange.refuse(
        400, ("invalid_request_error", None), "invalid_request_error", [("x-should-retry", "true")]
    )


@fault("f17-301", "f17-302", "f17-303", "f17-307", "f17-308")
async def redirect(exchange: Exchange) -> None:
    status = int(exchange.fault.split("-")[1])
    await exchange.respond(status, b"", [("Location", exchange.upstream.canary.url)])


@fault("f52-outage")
async def outage(exchange: Exchange) -> None:
    """503 or 529 until the test says that the upstream is well."""
    if exchange.upstream.healthy:
        await exchange.answer()
    else:
        await overloaded(exchange)
