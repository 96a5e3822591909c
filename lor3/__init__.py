"""lor3: the stable import path. `lor3.testing` holds the fakes and the contract suites."""

from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def _refuse_intruders() -> None:
    """lor3's packages have plain names: another project's `domain` on the path would be imported instead.

    Raises:
        ImportError: one of them is not ours; the message says where it is.
    """
    for name in ("domain", "application", "adapters", "entrypoints"):
        spec = find_spec(name)
        origin = spec.origin if spec is not None else None
        if origin is None or Path(origin).resolve().parent.parent != _ROOT:
            found = origin or "a folder without an __init__.py, or nothing"
            raise ImportError(
                f"lor3 needs its own package `{name}` from {_ROOT}, but Python finds {found}; "
                "take that off PYTHONPATH and out of the working directory, or install lor3 in an environment of its own"
            )


_refuse_intruders()
