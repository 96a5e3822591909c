"""Whether the log's file can be written, told before the first line is lost."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from entrypoints.settings import Settings

WARNING: Final = "configuration warning"
"""The event under which a log tells of warnings; each has its `message`."""


def log_file_warnings(settings: "Settings") -> tuple[str, ...]:
    """What keeps lor3 from writing `log.file`, and what to do. Looks at the disk and changes nothing there."""
    if settings.log.file is None:
        return ()
    path = Path(settings.log.file.path)
    folder = path.parent
    if not folder.exists():
        return (f"log.file.path: the folder `{folder}` is not there; make it, else nothing is written",)
    if not folder.is_dir():
        return (f"log.file.path: `{folder}` is no folder; choose another path",)
    if path.is_dir():
        return (f"log.file.path: `{path}` is a folder; name a file in it",)
    # Files are set aside and made anew, so the right to the folder counts as well.
    for each in (folder, path):
        if each.exists() and not os.access(each, os.W_OK):
            return (
                f"log.file.path: `{each}` can't be written by this user; allow it, or choose another path",
            )
    return ()
