"""The database engine, from the URL of the settings."""

import os
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import NullPool

from adapters.persistence.async_engine import AsyncEngine, create_async_engine
from adapters.persistence.batch_writer import StoreRefused
from adapters.persistence.held_file import HeldFile
from adapters.persistence.json_codec import decode_json, encode_json
from adapters.persistence.sockets import was_spoken_to
from application.ports.store import StoreConfig
from domain.errors import ConfigurationError, Fault
from domain.values import frozen

Kind = Literal["postgresql", "sqlite"]

CONNECT_TIMEOUT_S: Final = 2
LOCK_TIMEOUT_S: Final = 0.5
"""How long one row that something else has locked may hold up a batch before the rest goes on without it."""


@frozen(kw_only=True)
class Database:
    """A checked database URL and what to open it with."""

    kind: Kind
    url: URL
    """Without a driver. Its `repr` masks the password; its `str` may not be logged all the same."""
    config: StoreConfig
    held: HeldFile = attrs.field(factory=lambda: HeldFile(""), eq=False, repr=False)
    """SQLite only: the file that `open_for_writing` opened, which every other connection keeps to."""

    @classmethod
    def of(cls, config: StoreConfig) -> "Database":
        """Reads the URL; no I/O.

        Raises:
            ConfigurationError: not a URL, a scheme that this store does not serve, or SQLite without a file.
        """
        try:
            url = make_url(config.url.reveal())
        except (ArgumentError, ValueError):
            raise _unusable(
                "is not a URL; write `postgresql://user@host/name` or `sqlite:///lor3.db`"
            ) from None
        scheme = url.drivername.partition("+")[0]
        if scheme in ("postgresql", "postgres"):
            if not (url.database or {"dbname", "service"} & url.query.keys()):
                raise _unusable("names no database; write `postgresql://user:password@host/name`")
            return cls(kind="postgresql", url=url.set(drivername="postgresql"), config=config)
        if scheme != "sqlite":
            raise _unusable(f"has the scheme `{scheme}`; this store serves `postgresql` and `sqlite`")
        if not url.database or url.database == ":memory:" or url.query:
            raise _unusable(
                "names no plain SQLite file; write `sqlite:///lor3.db` (relative) or `sqlite:////var/lib/lor3.db`"
            )
        return cls(kind="sqlite", url=url, config=config, held=HeldFile(str(Path(url.database).absolute())))

    @property
    def place(self) -> str:
        """Which database it is, for the operator: no password, nothing of the query."""
        url = self.url
        if self.kind == "sqlite":
            return f"file `{url.database}`"
        server = f"`{url.host}:{url.port or 5432}`" if url.host else "the local socket"
        user = f" as `{url.username}`" if url.username else ""
        return f"database `{url.database}` at {server}{user}"

    def is_missing(self) -> bool:
        """SQLite only: there is no file yet, and one could be made.

        Raises:
            StoreRefused: none could be made.
        """
        if self.kind != "sqlite" or Path(str(self.url.database)).exists():
            return False
        self.demand_folder()
        return True

    def demand_folder(self) -> None:
        """SQLite only, as opening a file says no more than that it can't be.

        Raises:
            StoreRefused: the file's folder is missing or read-only.
        """
        if self.kind != "sqlite":
            return
        folder = Path(str(self.url.database)).absolute().parent
        if not folder.is_dir():
            raise StoreRefused(
                "the folder of the database file does not exist: make it, or correct database.url"
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreRefused(
                "lor3 may not write to the folder of the database file: let it, or correct database.url"
            )

    def open(self) -> AsyncEngine:
        """The pool of the repositories (and, on PostgreSQL, of the commit queue). Connects when first used.

        Its connections commit each statement by itself. Under READ COMMITTED each statement of a transaction
        has its own snapshot anyway, so reads lose nothing and save the round trips of BEGIN and ROLLBACK, half
        of what they cost.
        """
        if self.kind == "sqlite":
            engine = create_async_engine(
                self.url.set(drivername="sqlite+aiosqlite"),
                pool_size=self.config.pool_size,
                max_overflow=0,
                pool_timeout=self.config.acquire_timeout_s,
                isolation_level="AUTOCOMMIT",
                skip_autocommit_rollback=True,
                hide_parameters=True,
                json_serializer=encode_json,
                json_deserializer=decode_json,
            )
            _prepare_sqlite(engine.sync_engine, self.config.statement_timeout_s)
            self._keep_to_file(engine.sync_engine)
            return engine
        engine = create_async_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_size=max(
                2, self.config.pool_size
            ),  # one of them always writes, so there must be one to read
            max_overflow=0,
            pool_timeout=self.config.acquire_timeout_s,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            connect_args=self._postgresql_options(),
            hide_parameters=True,  # or an error's text would show what people wrote
            json_serializer=encode_json,
            json_deserializer=decode_json,
            use_native_hstore=False,  # asking for its type costs a query at each connect
        )
        sa.event.listen(engine.sync_engine, "checkout", _refuse_closed)
        return engine

    def open_for_writing(self, *, checkout: bool = True) -> sa.Engine:
        """SQLite only: a synchronous engine for one writing thread. A transaction takes the write lock at once.

        Args:
            checkout: False where whoever writes looks by itself whether the file is still there; what the pool finds
                out costs it its connection.
        """
        engine = sa.create_engine(
            self.url.set(drivername="sqlite"),
            pool_size=1,
            max_overflow=0,
            connect_args={"check_same_thread": False},  # one thread writes; another may close
            hide_parameters=True,  # or an error's text would show what people wrote
            json_serializer=encode_json,
            json_deserializer=decode_json,
        )
        _prepare_sqlite(engine, self.config.statement_timeout_s, begin="BEGIN IMMEDIATE")
        self._keep_to_file(engine, checkout=checkout)
        return engine

    def _keep_to_file(self, engine: sa.Engine, *, checkout: bool = True) -> None:
        def refuse_other(*_: object) -> None:
            self.held.demand()  # opening a file that is not there would make it, empty

        sa.event.listen(engine, "do_connect", refuse_other)
        if checkout:
            sa.event.listen(engine, "checkout", refuse_other)

    def open_for_migration(self) -> sa.Engine:
        """A synchronous engine without a statement timeout and without a pool."""
        if self.kind == "sqlite":
            engine = sa.create_engine(self.url.set(drivername="sqlite"), poolclass=NullPool)
            _prepare_sqlite(engine, 60.0, begin="BEGIN EXCLUSIVE")
            return engine
        return sa.create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "lor3-migrate",
                "prepare_threshold": None,
            },
            use_native_hstore=False,
        )

    def _postgresql_options(self) -> dict[str, Any]:
        # libpq's `options` set the limits with the connection, without a round trip. PgBouncer refuses them unless
        # it has `ignore_startup_parameters = options`; then set both limits on the role (docs/storage.md).
        statement_ms = round(self.config.statement_timeout_s * 1000)
        lock_ms = min(round(LOCK_TIMEOUT_S * 1000), statement_ms)
        own = f"-c statement_timeout={statement_ms} -c lock_timeout={lock_ms}"
        theirs = self.url.query.get("options")
        options: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": f"{own} {theirs}" if isinstance(theirs, str) else own,
            # psycopg would prepare what it runs often, by names that another client's statements may have too:
            # behind a pooler one would then run the other's. It also plans for the months that are asked for.
            "prepare_threshold": None,
            # A host that vanished without a word ends the connection in seconds, not in TCP's fifteen minutes.
            "tcp_user_timeout": statement_ms + 3000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        }
        if "application_name" not in self.url.query:
            options["application_name"] = "lor3"
        return options


def _refuse_closed(dbapi_connection: Any, record: object, proxy: object) -> None:
    """Makes the pool replace a connection that its server closed while it lay idle, without a round trip."""
    if was_spoken_to(dbapi_connection.driver_connection.pgconn.socket):
        raise DisconnectionError


def _prepare_sqlite(engine: sa.Engine, busy_timeout_s: float, *, begin: str | None = None) -> None:
    def on_connect(dbapi_connection: Any, record: object) -> None:
        # The driver would begin a transaction before some statements and not before others.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {round(busy_timeout_s * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL syncs the log at each commit. With NORMAL an acknowledged answer could be lost with the power.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    sa.event.listen(engine, "connect", on_connect)
    if begin is not None:

        def on_begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        sa.event.listen(engine, "begin", on_begin)


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError.of(Fault(path="database.url", message=what))
