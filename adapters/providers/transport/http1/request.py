"""A request as bytes. Pure."""

import re
from collections.abc import Iterable
from typing import Final

import attrs
import yarl

from domain.errors import ProviderFailure
from domain.values import frozen

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_NOT_VISIBLE: Final = re.compile(r"[^\x21-\x7e]")


@frozen(cache_hash=True)
class Origin:
    """Where connections lead; requests to one origin share them."""

    host: str
    """A name in ASCII (IDNA) or an address, IPv6 without brackets."""
    port: int
    is_tls: bool


@frozen
class Prepared:
    """All of a request apart from its body, made once and sent many times."""

    origin: Origin
    _head: bytes = attrs.field(repr=False)
    """Up to and with the name of Content-Length."""
    _is_bodiless: bool

    def with_body(self, body: bytes) -> bytes:
        if self._is_bodiless and not body:
            return self._head + b"\r\n"
        return b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)


def prepare(method: str, url: str, headers: Iterable[tuple[str, str]]) -> Prepared:
    """Renders the head of a request; Host and Content-Length are added. HEAD and CONNECT are not supported.

    Raises:
        ProviderFailure: `connect`, the URL or a header can't be sent, now or later.
    """
    try:
        path = yarl.URL(url, encoded=True).raw_path_qs
        site = yarl.URL(url)  # the path is sent as given, the host in IDNA
        scheme, host, port, authority = site.scheme, site.raw_host, site.port, site.host_port_subcomponent
    except ValueError as exc:
        raise _no_url() from exc
    if host is None or port is None or authority is None or scheme not in ("http", "https"):
        raise _no_url()
    if _NOT_VISIBLE.search(path + authority) is not None:
        raise _no_url()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {authority}"]
    for name, value in headers:
        if _NAME.fullmatch(name) is None or _NO_VALUE.search(value) is not None:
            raise _unsendable("a header holds a line break or a control character; check the API key")
        lines.append(f"{name}: {value}")
    return Prepared(
        origin=Origin(host=host.rstrip("."), port=port, is_tls=scheme == "https"),
        head="\r\n".join([*lines, ""]).encode(),
        is_bodiless=method in ("GET", "DELETE", "OPTIONS"),
    )


def _no_url() -> ProviderFailure:
    return _unsendable("the URL is not http(s)://host/path; check base_url")


def _unsendable(detail: str) -> ProviderFailure:
    return ProviderFailure("connect", detail, should_retry=False)
