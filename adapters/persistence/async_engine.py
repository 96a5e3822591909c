"""SQLAlchemy's asynchronous engine without its ORM.

`sqlalchemy.ext.asyncio` imports the ORM for its sessions: 6 MB and 60 ms in every process, for classes that lor3
does not use. The engine itself needs none of it, so it is imported from beneath a package that has only its path.
The real package takes its place again at once, for whoever imports it later.
"""

import importlib
import importlib.util
import sys
from typing import Final

_PACKAGE: Final = "sqlalchemy.ext.asyncio"


def _import_engine_alone() -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    if _PACKAGE in sys.modules or spec is None:
        return  # imported by something else, so there is nothing left to save
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)  # found, not executed
    try:
        importlib.import_module(f"{_PACKAGE}.engine")
    finally:
        del sys.modules[_PACKAGE]


_import_engine_alone()

from sqlalchemy.ext.asyncio.engine import AsyncConnection, AsyncEngine, create_async_engine  # noqa: E402

__all__ = ["AsyncConnection", "AsyncEngine", "create_async_engine"]
