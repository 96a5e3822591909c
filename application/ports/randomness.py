"""Chance, for jitter."""

from typing import Protocol


class Randomness(Protocol):
    def fraction(self) -> float:
        """Uniform in [0, 1)."""
