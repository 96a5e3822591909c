"""Reads a request's body within limits of type, size and time, refusing by the headers wherever they tell."""

import asyncio
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_TYPE
from aiohttp.web_protocol import RequestPayloadError

from domain.errors import Fault, InvalidRequest
from entrypoints.http.problems import HTTPFault, expectation_failed
from entrypoints.settings import ServerSettings

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: web.Request, limits: ServerSettings) -> bytes:
    """The whole body.

    Raises:
        HTTPFault: 415 (type, compression), 413 before a byte past the limit is kept, 408.
        InvalidRequest: the transfer itself is broken.
    """
    body = complete_body(request, limits)
    if body is not None:
        return body
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            if "Expect" in request.headers:
                await request.writer.write(_CONTINUE)
                request.writer.output_size = 0  # an interim answer is not part of the answer
            return await _collect(request.content, limits.max_body_bytes)
    except TimeoutError:
        raise HTTPFault(
            "request_timeout",
            f"the body was not complete after {limits.body_timeout_s:g} s; send it faster, or less of it",
            retryable=True,
            close=True,
        ) from None
    except RequestPayloadError:
        raise _broken() from None


def complete_body(request: web.Request, limits: ServerSettings) -> bytes | None:
    """The whole body where it came along with the head, as nearly all do; None where it is to be waited for.

    Raises:
        HTTPFault, InvalidRequest: as `read_body`, by what is known yet.
    """
    headers = request.headers
    content_type = headers.get(CONTENT_TYPE, "")
    if content_type != "application/json" and not _is_json(content_type):
        raise HTTPFault(
            "unsupported_media_type", "send the body as `Content-Type: application/json`", close=True
        )
    if headers.get(CONTENT_ENCODING, "identity").lower() != "identity":
        # A few kilobytes of gzip can unfold to gigabytes.
        raise HTTPFault(
            "unsupported_media_type",
            "compressed bodies are not read; leave `Content-Encoding` out",
            close=True,
        )
    length = request.content_length
    if length is not None and length > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    content = request.content
    if not content.is_eof():
        return None
    try:
        body = content.read_nowait()
    except RequestPayloadError:
        raise _broken() from None
    if len(body) > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    return body


async def expect(request: web.Request) -> None:
    """Replaces aiohttp's handler, which invites a body before anybody looked at its length, and echoes."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise expectation_failed()


async def _collect(content: StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await content.readany():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    if media_type.strip().lower() != "application/json":
        return False
    charset = parameters.strip().lower().replace('"', "")
    return charset in ("", "charset=utf-8", "charset=utf8")


def _broken() -> InvalidRequest:
    return InvalidRequest.of(
        Fault(path="", message="the body's transfer is broken: its length or chunks don't add up")
    )


def _too_large(limit: int) -> HTTPFault:
    return HTTPFault("body_too_large", f"the body must have at most {limit:,} bytes", close=True)
