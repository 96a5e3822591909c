"""Which protocol a reader wants its events in."""

from aiohttp import web

from entrypoints.http.encoders.protocol import StreamEncoder
from entrypoints.plugins import load


def encoder_for(request: web.Request, *, protocol: str = "lor3") -> StreamEncoder:
    """A new encoder of the protocol with that name."""
    encoder: StreamEncoder = load("lor3.stream_encoders", protocol, path="protocol")(request)
    return encoder
