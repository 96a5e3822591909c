"""Why PostgreSQL could not be connected to, in lor3's words.

libpq hands out no SQLSTATE before a connection stands, only the server's or its own text, so that is what is
searched. A server that speaks another language than English is known by the rest of what libpq says.
"""

import re
from typing import Final

NO_DATABASE: Final = "the database that database.url names does not exist: create it, or correct the name"
NO_ENTRY: Final = "the server refuses the user or password of database.url: correct them"
NO_CONNECTION_FREE: Final = (
    "the server has no free connection: raise its max_connections, or lower database.pool_size"
)
STARTING: Final = "the database is starting up: wait a moment"
STOPPING: Final = "the database is shutting down: start it again"
UNREACHABLE: Final = "no server answers at the host and port of database.url: start it, or correct them"

_SAID: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r'database ".*" does not exist', NO_DATABASE),
        (r'role ".*" does not exist|authentication failed|no password supplied', NO_ENTRY),
        (r"not permitted to log in", "the user of database.url may not log in: give its role LOGIN"),
        (
            r"pg_hba\.conf",
            "the server's pg_hba.conf does not let the user of database.url in from here: allow it there",
        ),
        (r"too many (connections|clients)|connection slots", NO_CONNECTION_FREE),
        (r"starting up|not yet accepting|not accepting connections|in recovery", STARTING),
        (r"shutting down", STOPPING),
        (
            r"failed to resolve host|could not translate host name",
            "the host of database.url is unknown: correct it, or how this machine resolves names",
        ),
        (
            r"on socket",
            "no server answers at the socket that database.url means: start it there, or name a host",
        ),
        (r"connection refused", UNREACHABLE),
        (
            r"timeout expired|timed out|no route to host|unreachable",
            "the host of database.url does not answer: is the address right, and no firewall between?",
        ),
        (
            r"unsupported startup parameter",
            "the pooler of database.url refuses lor3's limits: give PgBouncer `ignore_startup_parameters = options`",
        ),
        (r"\binvalid [a-z_ ]*(parameter|value|option|port|integer)", "database.url has a parameter that is not one of PostgreSQL's: correct it"),
        (r"\bSSL\b|certificate", "the server and database.url do not agree on TLS: correct `sslmode`, or the certificates"),
    )
)  # fmt: skip


def meaning_of(text: str) -> str | None:
    """What libpq's text says; None where it is not about connecting."""
    for pattern, meaning in _SAID:
        if pattern.search(text):
            return meaning
    return None
