"""New identifiers."""

from typing import Protocol


class IdGenerator(Protocol):
    def new(self) -> str:
        """A UUIDv7 in canonical form; later ones of one process sort after earlier ones."""

    def several(self, number: int) -> list[str]:
        """As many in ascending order, all after earlier ones: for less than that many calls of `new`."""
