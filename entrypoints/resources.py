"""Data files that ship with lor3: the same in a checkout and in an installed wheel."""

from importlib.resources import files
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def resource(name: str) -> Path:
    """The path of `config/…` or `migrations/…`, given relative to the project's root.

    Raises:
        FileNotFoundError: lor3 is installed incompletely.
    """
    for root in (_CHECKOUT, Path(str(files("lor3"))) / "data"):
        path = root / name
        if path.exists():
            return path
    raise FileNotFoundError(f"lor3's data file `{name}` is missing; reinstall lor3")
