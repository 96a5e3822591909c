"""Finds payment card numbers in a text, however their digits are grouped and whatever digits stand beside them.

A card is 12 to 19 digits whose last is Luhn's check digit (ISO/IEC 7812-1). Digits are taken in runs of groups, a few
spaces, dashes, dots or underscores apart. A card begins and ends with a group, so that what stands beside it in the
run, such as its date, its check value or a number of pieces, hides nothing. Of a whole run any grouping is a card; of a
part only one that cards have, with a first digit that cards have: else most tables of numbers would hold one.

Takes linear time: of each group at most as many windows are tried as there are groupings.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

_BETWEEN: Final = r"(?:[^\S\r\n]|[-._\u00b7\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212])"
_RUN: Final = re.compile(rf"\d+(?:{_BETWEEN}{{1,3}}\d+)*")
_GROUP: Final = re.compile(r"\d+")
_LENGTHS: Final = range(12, 20)
_FIRST: Final = re.compile(r"[3-6]|2[2-7]|81|9792")
"""American Express to Discover and Maestro; Mastercard and Mir; UnionPay; Troy. No year begins so."""
_GROUPINGS: Final = (
    (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 4, 1), (4, 4, 4, 4), (4, 4, 4, 3), (4, 4, 4, 2), (4, 4, 4, 1),
    (4, 6, 5), (4, 6, 4), (4, 5, 6), (6, 13), (6, 10), (8, 8), (4, 12), (12, 4), (8, 4, 4), (4, 8, 4), (4, 4, 8),
    (4, 3, 3, 3),
)  # fmt: skip
"""The longest first: a window that is one by chance takes a check value too, and leaves no digit of a card."""
_MOST_GROUPS: Final = max(map(len, _GROUPINGS))


def without_cards(text: str, instead: str) -> str:
    """`text` with `instead` in the place of each card number."""

    def mask(run: re.Match[str]) -> str:
        if len(run[0]) < _LENGTHS[0]:
            return run[0]
        kept, at = [], 0
        for start, end in _cards(run[0]):
            kept += [run[0][at:start], instead]
            at = end
        return "".join([*kept, run[0][at:]])

    return _RUN.sub(mask, text)


def _cards(run: str) -> Iterator[tuple[int, int]]:
    """Where each begins and ends, from left to right."""
    groups = [group.span() for group in _GROUP.finditer(run)]
    found = False
    number = 0
    while number < len(groups):
        size = _size(run, groups, number)
        if size:
            found = True
            yield groups[number][0], groups[number + size - 1][1]
        number += size or 1
    if not found and len(groups) > 1 and _is_card(run, groups) and not _is_fraction(run, groups[1][0]):
        yield 0, len(run)


def _size(run: str, groups: Sequence[tuple[int, int]], number: int) -> int:
    """Of how many groups the card is that begins with that one; 0 where none does."""
    start = groups[number][0]
    if _FIRST.match(run, start):
        near = groups[number : number + _MOST_GROUPS]
        lengths = tuple(end - start for start, end in near)
        for grouping in _GROUPINGS:
            size = len(grouping)
            if lengths[:size] == grouping and _is_card(run, near[:size]):
                return size
    return int(_is_card(run, groups[number : number + 1]) and not _is_fraction(run, start))


def _is_fraction(run: str, start: int) -> bool:
    """Whether the group that begins there is what stands behind a decimal point."""
    return start >= 2 and run[start - 1] == "." and run[start - 2].isdigit()


def _is_card(run: str, groups: Sequence[tuple[int, int]]) -> bool:
    if sum(end - start for start, end in groups) not in _LENGTHS:
        return False
    digits = [int(digit) for start, end in groups for digit in run[start:end]]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0 and any(digits)
