"""A command line that can't be meant so, whatever is stored: exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import Fault, InvalidRequest


class Misused(InvalidRequest):
    """An option or an argument has a value that it can't have. Every fault's path is its name."""


def misused(path: str, message: str) -> InvalidRequest:
    return Misused.of(Fault(path=path, message=message))


@contextmanager
def as_misuse() -> Iterator[None]:
    """Raises as `Misused` what is refused inside: the reading of a value."""
    try:
        yield
    except InvalidRequest as error:
        raise Misused.of(*error.faults) from error
