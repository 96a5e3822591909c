"""The engine without the ORM, and the ORM for who asks for it."""

import subprocess
import sys


def test_the_orm_is_not_imported_and_can_be_afterwards() -> None:
    """A plugin may use SQLAlchemy's sessions: they work on the very classes that lor3 has."""
    code = """
import sys
from adapters.persistence.async_engine import AsyncEngine

assert "sqlalchemy.orm" not in sys.modules
import sqlalchemy.ext.asyncio

assert sqlalchemy.ext.asyncio.AsyncEngine is AsyncEngine
assert sqlalchemy.ext.asyncio.AsyncSession(sqlalchemy.ext.asyncio.create_async_engine("sqlite+aiosqlite://"))
"""

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
