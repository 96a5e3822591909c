"""Rows of many ids, looked up by their key."""

from typing import Any

import sqlalchemy as sa


def among(database: str, column: sa.Column[Any], values: list[str]) -> sa.ColumnElement[bool]:
    """
    Args:
        database: `postgresql` or `sqlite`.
        values: read before. Of a subquery PostgreSQL may join whole months with it instead.
    """
    if database != "postgresql":
        return column.in_(values)
    # One parameter: partitions are chosen by it, and each is read by its key.
    return column == sa.any_(sa.cast(values, sa.ARRAY(column.type)))
