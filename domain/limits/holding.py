"""How much of a budget one process may hold."""

from decimal import ROUND_DOWN, Decimal
from typing import Final

MOST_AT_ONCE: Final = Decimal(8)
"""Nobody takes more than this part of what is left beyond their need, so that the last of it is not held by one."""
_EXACT: Final = Decimal("1e-12")
_NOTHING: Final = Decimal(0)


def holding(
    *,
    limit_usd: Decimal | None,
    spent_usd: Decimal,
    others_usd: Decimal,
    mine_usd: Decimal,
    committed_usd: Decimal,
    keep_usd: Decimal,
    needed_usd: Decimal,
    wished_usd: Decimal,
) -> Decimal:
    """What a holder holds from now on; the arguments are those of `HoldRequest`.

    Args:
        mine_usd: what it holds so far; 0 where its lease is over.
    """
    held = max(committed_usd, min(keep_usd, mine_usd))
    if limit_usd is None:
        return held
    left = limit_usd - spent_usd - others_usd - held
    if left <= 0:
        return held
    share = (left / MOST_AT_ONCE).quantize(_EXACT, rounding=ROUND_DOWN)
    return held + max(_NOTHING, min(left, max(needed_usd, min(wished_usd, share))))
