"""What a driver's exception means. None of its text goes on: it can hold rows, hosts and user names."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.persistence.batch_writer import (
    BatchFailure,
    Blocked,
    Collision,
    ConnectionLost,
    RefusedRows,
    StoreRefused,
)
from domain.errors import StorageUnavailable

# PostgreSQL's codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_FOREIGN_KEY_VIOLATION: Final = "23503"
_COLLISIONS: Final = frozenset(("40001", "40P01"))
_LOCK_NOT_AVAILABLE: Final = "55P03"
_AWAY: Final = {
    "25006": "the database is read-only",
    "53300": "the database has no free connection",
    "57P01": "the database is shutting down",
    "57P02": "the database crashed",
    "57P03": "the database is starting up",
}
_REFUSED: Final = {
    "42P01": "the database has no schema: run `lor3 db upgrade`",
    "42703": "the database's schema is old: run `lor3 db upgrade`",
    "53100": "the database's disk is full",
    "53200": "the database is out of memory",
    "57014": "the database took too long",
}


HINT: Final = "; try again shortly, `lor3 db check` looks closer"


def postgresql_failure(error: BaseException) -> BatchFailure:
    """Sorts an error of psycopg, or one of SQLAlchemy around it, by what to do about it."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlstate", None)
    if code is None:
        if isinstance(cause, (psycopg.DataError, psycopg.NotSupportedError)):
            return RefusedRows("the chat holds a value that the database can't take")
        return ConnectionLost("the database is away")
    if code in _AWAY:
        return ConnectionLost(_AWAY[code])
    if code in _COLLISIONS:
        return Collision("other transactions were in the way")
    if code == _LOCK_NOT_AVAILABLE:
        return Blocked("the thread is locked by another transaction")
    if code in _REFUSED:
        return StoreRefused(_REFUSED[code])
    if code.startswith("08"):
        return ConnectionLost("the connection to the database was lost")
    if code.startswith(("22", "23", "54")):
        return RefusedRows(
            f"the database refused the chat's rows (SQLSTATE {code})", orphan=code == _FOREIGN_KEY_VIOLATION
        )
    if code.startswith("28"):
        return ConnectionLost("the database refused lor3's user or password")
    if code.startswith("3D"):
        return ConnectionLost("the database does not exist")
    return StoreRefused(f"the database refused (SQLSTATE {code})")


def sqlite_failure(error: BaseException) -> BatchFailure:
    """The same for the driver of SQLite. Its codes: https://www.sqlite.org/rescode.html"""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(cause, "sqlite_errorname", "")
    if isinstance(cause, sqlite3.IntegrityError):
        return RefusedRows(f"the database refused the chat's rows ({name})", orphan="FOREIGNKEY" in name)
    if isinstance(
        cause, (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError)
    ):
        return RefusedRows("the chat holds a value that the database can't take")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ConnectionLost("another process holds the database file")
    if name == "SQLITE_FULL":
        return StoreRefused("the disk of the database file is full")
    if name.startswith("SQLITE_READONLY"):
        return StoreRefused("the database file is read-only")
    if name == "SQLITE_ERROR":
        return StoreRefused("the database file has no schema, or an old one: run `lor3 db upgrade`")
    return StoreRefused(f"the database file can't be used ({name or type(cause).__name__})")


@contextmanager
def translated() -> Iterator[None]:
    """Turns what a driver raises into `StorageUnavailable`.

    Raises:
        StorageUnavailable: the database is away, refuses, is too slow, or no connection came free in time.
    """
    try:
        yield
    except PoolTimeout as error:
        raise unavailable("the database's connections are all in use") from error
    except DBAPIError as error:
        sort = sqlite_failure if isinstance(error.orig, sqlite3.Error) else postgresql_failure
        raise unavailable(sort(error).reason) from error
    except (SQLAlchemyError, DisconnectionError, psycopg.Error) as error:
        raise unavailable(postgresql_failure(error).reason) from error
    except sqlite3.Error as error:
        raise unavailable(sqlite_failure(error).reason) from error
    except OSError as error:
        raise unavailable("the database can't be reached") from error


def unavailable(reason: str) -> StorageUnavailable:
    return StorageUnavailable(reason + HINT)
