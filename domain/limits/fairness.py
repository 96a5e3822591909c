"""What one caller may hold of a server that is nearly full, so that the others find room.

A holder is whoever requests are counted for: a key, or an address where there is none. As long as half the server is
free nobody is refused. Beyond, whoever holds a fair part (what there is, divided by those who hold something) or more gets
no more; the last eighth is for those who hold less, so that who floods an empty server can't fill it.
"""

from typing import Final

import attrs

FREE_SHARE: Final = 0.5
"""Up to here nobody is refused."""
LOOK_SHARE: Final = 0.25
"""From here on it is looked at who comes: what came before, in the same turn, can't be so much that its holder has
`LONE_SHARE` without being known to."""
LONE_SHARE: Final = 0.875
"""What a single holder may have."""


def may_enter(*, held: int, in_flight: int, holders: int, capacity: float) -> bool:
    """Whether a holder gets one more.

    Args:
        held: by this one.
        in_flight: by all, this one's included.
        holders: who hold something, this one included whether it does or not.
        capacity: what the server takes.
    """
    if in_flight < capacity * FREE_SHARE:
        return True
    if in_flight >= capacity:
        return False
    if held < capacity / max(holders, 2):
        return True
    return holders == 1 and in_flight < capacity * LONE_SHARE


@attrs.define
class Shares:
    """Who holds how many requests now."""

    _held: dict[str, int] = attrs.field(factory=dict, init=False)

    @property
    def holders(self) -> int:
        return len(self._held)

    def held(self, holder: str) -> int:
        return self._held.get(holder, 0)

    def enter(self, holder: str, *, in_flight: int, capacity: float) -> bool:
        """Counts one more request of the holder's, unless it has its part.

        Args:
            in_flight: without this one.
        """
        held = self._held.get(holder, 0)
        if in_flight >= capacity * FREE_SHARE and not may_enter(
            held=held,
            in_flight=in_flight,
            holders=len(self._held) + (held == 0),
            capacity=capacity,
        ):
            return False
        self._held[holder] = held + 1
        return True

    def leave(self, holder: str) -> None:
        held = self._held[holder] - 1
        if held:
            self._held[holder] = held
        else:
            del self._held[holder]
