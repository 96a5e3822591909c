"""Routes whose path is one text: found by it at once, without a look at all the others."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from domain.values import frozen


@frozen
class KnownRoute:
    told: UrlMappingMatchInfo
    """What a request is told of its route, the same for each."""
    handler: Handler
    template: str


def known_routes(app: web.Application) -> Mapping[tuple[str, str], KnownRoute]:
    """By method and path. What is not here, as a path with a query is not, is for the application's own router.

    Args:
        app: one of `create_app`, which has no other app inside.
    """
    known: dict[tuple[str, str], KnownRoute] = {}
    for route in app.router.routes():
        if isinstance(route.resource, web.PlainResource):
            told = UrlMappingMatchInfo({}, route)
            told.add_app(app)
            told.freeze()
            known[route.method, route.resource.canonical] = KnownRoute(
                told, route.handler, route.resource.canonical
            )
    return known
