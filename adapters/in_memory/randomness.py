"""Chance without surprise."""

import itertools
from collections.abc import Iterable, Iterator

import attrs


def _cycle(fractions: Iterable[float]) -> Iterator[float]:
    return itertools.cycle(tuple(fractions) or (0.5,))


@attrs.define
class FixedRandomness:
    """Repeats `fractions` (each in [0, 1)) for ever; 0.5 by default."""

    _fractions: Iterator[float] = attrs.field(default=(0.5,), converter=_cycle)

    def fraction(self) -> float:
        return next(self._fractions)
