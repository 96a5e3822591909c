"""SQLAlchemy's asynchronous engine without its ORM.

`sqlalchemy.ext.asyncio` imports the ORM for its sessions: 6 MB and 60 ms in every process, for classes that lor3
does not use. The engine itself needs none of it, so it is imported from beneath a package that has only its path.
The real package takes its place again at once, for whoever imports it later.
"""

import sys
from importlib.util import find_spec, module_from_spec
from typing import Final

_PACKAGE: Final = "sqlalchemy.ext.asyncio"

_spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
if _spec is not None:
    sys.modules[_PACKAGE] = module_from_spec(_spec)  # found, not executed
try:
    from sqlalchemy.ext.asyncio.engine import AsyncConnection, AsyncEngine, create_async_engine
finally:
    if _spec is not None:
        del sys.modules[_PACKAGE]

__all__ = ["AsyncConnection", "AsyncEngine", "create_async_engine"]
