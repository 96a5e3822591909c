"""The length of a text in UTF-8, as both databases say it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class byte_length(GenericFunction[int]):  # noqa: N801 - read as the functions of `sa.func` are
    """PostgreSQL answers it without reading the text."""

    type = sa.Integer()
    inherit_cache = True


@compiles(byte_length, "postgresql")
def _on_postgresql(element: byte_length, compiler: SQLCompiler, **options: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **options)})"


@compiles(byte_length, "sqlite")
def _on_sqlite(element: byte_length, compiler: SQLCompiler, **options: Any) -> str:
    # Its `octet_length` came with 3.43.
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"
