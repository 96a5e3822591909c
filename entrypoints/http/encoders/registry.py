"""Which protocol a reader wants its events in."""

from functools import cache
from typing import Final

from aiohttp import web
from aiohttp.hdrs import ACCEPT

from domain.errors import Fault, InvalidRequest
from domain.suggestion import shown
from entrypoints.http.encoders.protocol import EncoderFactory, StreamEncoder
from entrypoints.plugins import load, names

NATIVE: Final = "lor3"
_EVENTS: Final = "text/event-stream"


def encoder_for(request: web.Request, *, protocol: str = NATIVE) -> StreamEncoder:
    """A new encoder of the protocol with that name."""
    encoder: StreamEncoder = _factory(protocol)(request)
    return encoder


@cache
def _factory(protocol: str) -> EncoderFactory:
    """Looking an entry point up takes as long as parsing the request's body."""
    factory: EncoderFactory = load("lor3.stream_encoders", protocol, path="protocol")
    return factory


def accepts_events(request: web.Request) -> bool:
    """Whether the header `Accept` asks for events."""
    return _parameters(request) is not None


def accepted_encoder(request: web.Request) -> StreamEncoder:
    """A new encoder of the protocol that `Accept: text/event-stream; protocol=NAME` names; lor3's own without.

    Raises:
        InvalidRequest: there is no such protocol.
    """
    parameters = _parameters(request)
    if not parameters or "protocol" not in parameters:
        return encoder_for(request)
    protocol = parameters["protocol"]
    installed = names("lor3.stream_encoders")
    if protocol not in installed:
        message = f"there is no stream protocol `{shown(protocol)}`; name one of {', '.join(installed)}"
        raise InvalidRequest.of(Fault(path="Accept", message=message))
    return encoder_for(request, protocol=protocol)


def _parameters(request: web.Request) -> dict[str, str] | None:
    """Those of the media range `text/event-stream` (RFC 9110, section 12.5.1); None where it is not accepted."""
    for header in request.headers.getall(ACCEPT, ()):
        if _EVENTS not in header.lower():
            continue
        for media_range in header.split(","):
            kind, *rest = (part.strip() for part in media_range.split(";"))
            if kind.lower() == _EVENTS:
                parameters = dict(_parameter(each) for each in rest)
                return None if _is_zero(parameters.get("q", "1")) else parameters
    return None


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _is_zero(quality: str) -> bool:
    return quality.rstrip("0") in ("", "0.", ".")
