"""SQLite files with lor3's tables: copied from one that is migrated once a process, which is ten times as fast."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from adapters.persistence import schema
from adapters.persistence.engine import Database
from tests.support.records import store_config


def put_migrated(path: Path) -> None:
    """A file without rows, where there was none."""
    shutil.copy(_migrated(), path)


@functools.cache
def _migrated() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lor3-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "migrated.db"
    schema.upgrade(Database.of(store_config(f"sqlite:///{path}")))
    return path
