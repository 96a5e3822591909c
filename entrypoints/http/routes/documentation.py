"""`/openapi.json`, and `/docs`, which draws it. All of it comes from the package; nothing is fetched elsewhere."""

from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from entrypoints.rendering import to_json

_STATIC: Final = Path(__file__).resolve().parent.parent / "static"
_CSP: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
)


async def openapi(request: web.Request) -> web.StreamResponse:
    return web.Response(body=_document(), content_type="application/json")


async def page(request: web.Request) -> web.StreamResponse:
    return _asset("docs.html", "text/html")


async def script(request: web.Request) -> web.StreamResponse:
    return _asset("app.js", "text/javascript")


async def style(request: web.Request) -> web.StreamResponse:
    return _asset("style.css", "text/css")


@cache
def _document() -> bytes:
    # More than a megabyte of descriptions, which few servers are ever asked for.
    from entrypoints.http.openapi import document

    return to_json(document())


@cache
def _read(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


def _asset(name: str, content_type: str) -> web.Response:
    return web.Response(
        body=_read(name),
        headers={"Content-Type": f"{content_type}; charset=utf-8", "Content-Security-Policy": _CSP},
    )
