"""Column types that mean the same on PostgreSQL and on SQLite."""

import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

Identifier = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
"""A UUID in canonical form: native on PostgreSQL, text on SQLite."""

JSONDocument = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

PromptNameText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorted by code points, as Python and SQLite do, whatever the database's locale."""


class Timestamp(TypeDecorator[datetime.datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, ISO 8601 text with microseconds on SQLite, where it sorts."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(32))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(datetime.UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value)
        moment: datetime.datetime = value
        return moment.astimezone(datetime.UTC)


class Money(TypeDecorator[Decimal]):
    """Exact USD: `numeric` without a scale on PostgreSQL, decimal text on SQLite, whose numbers are binary."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(40))
        return dialect.type_descriptor(sa.Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)
