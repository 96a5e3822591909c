"""Identifiers that a test can foretell."""

import attrs


@attrs.define
class SequentialIds:
    """`00000000-0000-7000-8000-000000000001`, then …2: valid UUIDv7s in ascending order."""

    _last: int = 0

    def new(self) -> str:
        self._last += 1
        return f"00000000-0000-7000-8000-{self._last:012x}"

    def several(self, number: int) -> list[str]:
        return [self.new() for _ in range(number)]
