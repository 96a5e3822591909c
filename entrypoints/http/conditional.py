"""Answers with an ETag, and requests that hold only for one (RFC 9110, section 13)."""

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from domain.json_value import JSONValue
from entrypoints.http.checks import Faults, fault
from entrypoints.rendering import to_json

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e]*"'
_LIST: Final = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_TAGS: Final = re.compile(_TAG)


def if_match(request: web.Request, faults: Faults) -> tuple[str, ...] | None:
    """The ETags of `If-Match`, or `*` alone; None where the header is left out.

    Weak ones stay among them as they are written: they equal no ETag of ours, as the strong comparison demands.
    """
    return _tags(request, "If-Match", faults)


def if_none_match_any(request: web.Request, faults: Faults) -> bool:
    """Whether the request holds only for what does not exist yet (`If-None-Match: *`)."""
    tags = _tags(request, "If-None-Match", faults)
    if tags not in (None, ("*",)):
        fault(faults, "If-None-Match", "only `*` means something here; send ETags as `If-Match`")
    return tags == ("*",)


def tagged(
    request: web.Request,
    value: JSONValue,
    etag: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """`value` with its ETag; 304 without it where the caller who reads has that already."""
    if request.method in ("GET", "HEAD"):
        had = _tags(request, "If-None-Match", []) or ()
        if "*" in had or etag in [tag.removeprefix("W/") for tag in had]:
            return web.Response(status=304, headers={"ETag": etag})
    return web.Response(
        body=to_json(value),
        status=status,
        headers={"Content-Type": "application/json", "ETag": etag, **(headers or {})},
    )


def _tags(request: web.Request, name: str, faults: Faults) -> tuple[str, ...] | None:
    lines = request.headers.getall(name, None)
    if lines is None:
        return None
    text = ",".join(lines).strip()
    if text == "*":
        return ("*",)
    if _LIST.fullmatch(text) is None:
        fault(faults, name, 'must be `*`, or ETags with their quotes, such as `"3"`, separated by commas')
        return None
    return tuple(_TAGS.findall(text))
