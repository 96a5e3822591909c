"""The URLs of the database, of Redis and of browser origins, and networks. No message quotes one: it may hold a password."""

import ipaddress
from urllib.parse import urlsplit

from entrypoints.configuration.findings import Findings, Path, did_you_mean


def database_url(text: str, path: Path, stores: frozenset[str], findings: Findings) -> str:
    """`text` as stores take it: hosting platforms write `postgres://`, SQLAlchemy users name a driver."""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.partition("+")[0]
    scheme = "postgresql" if scheme == "postgres" else scheme
    if not separator:
        findings.add(path, "must be a URL, such as sqlite:///lor3.db or postgresql://user@host/name")
    elif scheme not in stores:
        known = ", ".join(f"{store}://" for store in sorted(stores))
        findings.add(path, f"unknown kind of database{did_you_mean(scheme, stores)}; known: {known}")
    elif scheme != "sqlite" and not _has_usable_host(text):
        findings.add(path, "has a host or port that is none; write postgresql://user@host:5432/name")
    return f"{scheme}://{rest}"


def redis_url(text: str, path: Path, findings: Findings) -> str:
    scheme, separator, _ = text.partition("://")
    if scheme not in {"redis", "rediss", "unix"} or not separator or not _has_usable_host(text):
        findings.add(path, "must be a URL, such as redis://127.0.0.1:6379/0")
    return text


def _has_usable_host(text: str) -> bool:
    """False for a port that is no number and for brackets that are not closed."""
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def check_cors_origin(text: str, path: Path, findings: Findings) -> None:
    """Origins are compared as browsers send them, so they must be written that way."""
    try:
        url = urlsplit(text)
        fine = (
            url.scheme in {"http", "https"} and text == f"{url.scheme}://{url.netloc}" and bool(url.hostname)
        )
        fine = fine and url.username is None and text == text.lower()
    except ValueError:
        fine = False
    if text == "*":
        findings.add(
            path, "every origin is refused; list those that may call, such as https://app.example.com"
        )
    elif not fine:
        findings.add(path, "must be an origin as browsers send it, such as https://app.example.com")


def check_network(text: str, path: Path, findings: Findings) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        findings.add(path, "must be an address or a network, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8")
