"""Which version of Vercel's AI SDK reads the stream.

The SDK does not say: `HttpChatTransport` of 5.0.277, 6.0.326 and 7.0.173 sends no header but `content-type`, and no
field by which to tell them apart. So a client that wants more than all of them understand says so itself.
"""

import re
from typing import Final

from aiohttp import web

from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.checks import Faults, Text, fault
from entrypoints.http.query import read_query
from entrypoints.http.records import Record, given

HEADER: Final = "x-lor3-ai-sdk"
OLDEST: Final = 5
NEWEST: Final = 7
_RESETS_FROM: Final = (7, 0, 70)
_VERSION: Final = re.compile(r"(\d{1,4})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?(?:[-+].{0,64})?")


@frozen(kw_only=True)
class VersionQuery:
    """Who reads the stream."""

    version: str | None = given(
        Text(max_length=96),
        "As the header `x-lor3-ai-sdk`, for clients that can't set headers; the header goes before it.",
        example="7",
    )


VERSION: Final = Record(VersionQuery)


def protocol_of(request: web.Request, faults: Faults) -> str:
    """The name of the stream's encoder: the one that every version reads, where none is named."""
    query = read_query(request, VERSION, faults)
    header = request.headers.get(HEADER)
    version = header if header is not None or query is None else query.version
    if version is None:
        return protocol(OLDEST)
    path = HEADER if header is not None else "version"
    match = _VERSION.fullmatch(version.strip())
    if match is None or int(match[1]) < OLDEST:
        fault(
            faults,
            path,
            f"must be the version of the package `ai`, {OLDEST} or newer, such as `{NEWEST}` or `{NEWEST}.0.173`; it"
            f" is `{shown(version)}`",
        )
        return protocol(OLDEST)
    major = min(int(match[1]), NEWEST)
    # A bare `7` is the newest 7. The first ones of it read what 6 reads.
    exact = (int(match[1]), int(match[2] or 0), int(match[3] or 0))
    return protocol(6 if match[2] is not None and major == NEWEST and exact < _RESETS_FROM else major)


def protocol(major: int) -> str:
    return f"ai-sdk-{major}"
