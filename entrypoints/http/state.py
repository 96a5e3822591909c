"""What handlers share: the application, and what the server knows of itself."""

from typing import Final

import attrs
from aiohttp import web

from entrypoints.application import Application
from entrypoints.http.cors import CORSPolicy
from entrypoints.http.finishing import Finishing


@attrs.define(kw_only=True)
class ServerState:
    application: Application
    cors: CORSPolicy
    finishing: Finishing = attrs.field(factory=Finishing)
    in_flight: int = 0
    """Requests being answered, those of operations aside."""
    draining: bool = False
    """True from the signal to stop on: readiness fails, what is under way goes on."""


STATE: Final = web.AppKey("state", ServerState)
ROUTE: Final = web.RequestKey("route", str)
"""The template that matched; never the path."""
REQUEST_ID: Final = web.RequestKey("request_id", str)
