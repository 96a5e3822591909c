"""What a driver's exception means. None of its text goes on: it can hold rows, hosts and user names."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.persistence import connect_failures
from adapters.persistence.batch_writer import (
    BatchFailure,
    Blocked,
    ClaimLost,
    Collision,
    ConnectionLost,
    NoConnectionFree,
    RefusedRows,
    SchemaBehind,
    StoreRefused,
)
from adapters.persistence.held_file import FILE_GONE, FileGone
from domain.errors import StorageUnavailable

# PostgreSQL's codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_FOREIGN_KEY_VIOLATION: Final = "23503"
_CHECK_VIOLATION: Final = "23514"
FORBIDDEN: Final = "42501"
_COLLISIONS: Final = frozenset(("40001", "40P01"))
_DIVISION_BY_ZERO: Final = "22012"
"""Nothing divides but the count of completed idempotency keys, in a batch that must not be stored without them."""
LOCK_NOT_AVAILABLE: Final = "55P03"
READ_ONLY: Final = "the database is read-only: it is a replica, or set so"
SILENT: Final = "the database does not answer: is it overloaded, or the way to it cut?"
_AWAY: Final = {
    "25006": READ_ONLY,
    "53300": connect_failures.NO_CONNECTION_FREE,
    "57P01": connect_failures.STOPPING,
    "57P02": "the database crashed: its own log says why",
    "57P03": connect_failures.STARTING,
}
NO_SCHEMA: Final = "the database has no schema: run `lor3 db upgrade`"
NO_PARTITION: Final = "no partition takes the rows, as a default partition is gone: run `lor3 db upgrade`"
NO_RIGHT: Final = (
    "the database's role lacks a right on the tables, or row security refuses its rows: "
    "`lor3 db check` names what is missing"
)
_BEHIND: Final = {
    "42P01": NO_SCHEMA,
    "42703": "the database's schema is old: run `lor3 db upgrade`",
}
_REFUSED: Final = {
    "53100": "the database's disk is full: make room",
    "53200": "the database is out of memory",
    "57014": "the database took too long",
}


def postgresql_failure(error: BaseException) -> BatchFailure:
    """Sorts an error of psycopg, or one of SQLAlchemy around it, by what to do about it."""
    import psycopg  # 60 ms that a command on SQLite does without

    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlstate", None)
    if code is None:
        if isinstance(cause, (psycopg.DataError, psycopg.NotSupportedError)):
            return RefusedRows("the chat holds a value that the database can't take")
        meaning = connect_failures.meaning_of(str(cause))
        return ConnectionLost(meaning or "the connection to the database ended")
    if code in _AWAY:
        return ConnectionLost(_AWAY[code])
    if code in _COLLISIONS:
        return Collision("other transactions were in the way")
    if code == LOCK_NOT_AVAILABLE:
        return Blocked("the thread is locked by another transaction; try again in a moment")
    if code == _CHECK_VIOLATION and isinstance(cause, psycopg.Error) and not cause.diag.constraint_name:
        # Not of a check of ours, but of the bounds of a partition.
        if not (cause.diag.table_name or "").endswith("_default"):
            return StoreRefused(NO_PARTITION)
        # The rows' month was made while they waited for the default partition: next time they go there.
        return Collision("the month of the chat's rows was being made")
    if code == FORBIDDEN:
        return StoreRefused(NO_RIGHT)
    if code in _BEHIND:
        return SchemaBehind(_BEHIND[code])
    if code in _REFUSED:
        return StoreRefused(_REFUSED[code])
    if code == _DIVISION_BY_ZERO:
        return ClaimLost("an idempotency key was taken over")
    if code.startswith("08"):
        return ConnectionLost("the connection to the database ended")
    if code.startswith(("22", "23", "54")):
        return RefusedRows(
            f"the database refused the chat's rows (SQLSTATE {code})", orphan=code == _FOREIGN_KEY_VIOLATION
        )
    if code.startswith("28"):
        return ConnectionLost(connect_failures.NO_ENTRY)
    if code.startswith("3D"):
        return ConnectionLost(connect_failures.NO_DATABASE)
    return StoreRefused(f"the database refused (SQLSTATE {code})")


def sqlite_failure(error: BaseException) -> BatchFailure:
    """The same for the driver of SQLite. Its codes: https://www.sqlite.org/rescode.html"""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(cause, "sqlite_errorname", "")
    if isinstance(cause, FileGone):
        return ConnectionLost(FILE_GONE)
    if isinstance(cause, sqlite3.IntegrityError):
        return RefusedRows(f"the database refused the chat's rows ({name})", orphan="FOREIGNKEY" in name)
    if isinstance(
        cause, (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError)
    ):
        return RefusedRows("the chat holds a value that the database can't take")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConnectionLost("another process holds the database file: end it, or let it finish")
    if name == "SQLITE_FULL":
        return StoreRefused("the disk of the database file is full: make room")
    if name.startswith("SQLITE_READONLY"):
        return StoreRefused("the database file or its folder is read-only: let lor3 write there")
    if name == "SQLITE_ERROR":
        return SchemaBehind("the database file has no schema, or an old one: run `lor3 db upgrade`")
    if name.startswith("SQLITE_NOTADB"):
        return StoreRefused(
            "the file that database.url names is no SQLite database: move it away, or name another"
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StoreRefused(
            "the database file can't be opened: its folder must exist, and lor3 be let read and write there"
        )
    return StoreRefused(f"the database file can't be used ({name or type(cause).__name__})")


def failure_of(error: BaseException) -> BatchFailure:
    """What an error means that `FAILURES` holds."""
    if isinstance(error, PoolTimeout):
        return NoConnectionFree("the database's connections are all in use: raise database.pool_size")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return sqlite_failure(cause)
    if isinstance(cause, OSError):
        return ConnectionLost(connect_failures.meaning_of(str(cause)) or connect_failures.UNREACHABLE)
    return postgresql_failure(error)


if TYPE_CHECKING:
    FAILURES: tuple[type[Exception], ...]
    """What a driver may raise. To be taken from this module each time, never imported by itself."""


def __getattr__(name: str) -> tuple[type[Exception], ...]:
    if name != "FAILURES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _failures()


def _failures() -> tuple[type[Exception], ...]:
    # An `except` asks for it only once something was raised: what is not imported by then has raised nothing.
    found: tuple[type[Exception], ...] = (SQLAlchemyError, DisconnectionError, sqlite3.Error, OSError)
    if "psycopg" in sys.modules:
        import psycopg

        found = (*found, psycopg.Error)
    return found


@contextmanager
def translated() -> Iterator[None]:
    """Turns what a driver raises into `StorageUnavailable`, in words for the caller of a chat.

    Raises:
        StorageUnavailable: the database is away, refuses, is too slow, or no connection came free in time.
    """
    try:
        yield
    except _failures() as error:
        raise unavailable(failure_of(error).told) from error


def unavailable(told: str) -> StorageUnavailable:
    return StorageUnavailable(told)
