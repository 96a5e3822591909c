"""How the tables of `lor3 observe` write numbers."""

import shutil
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.usage_report import RatingStatistics


def columns() -> int:
    return shutil.get_terminal_size().columns


def cost(amount: Decimal, unpriced: int) -> str:
    """What is known of it, and below how many answers have no known price."""
    if not unpriced:
        return dollars(amount)
    return f"{dollars(amount)}\n{unpriced:,} unpriced" if amount else f"{unpriced:,} unpriced"


def rating(ratings: "RatingStatistics") -> str:
    """`0.75 (0.72–0.77) of 1,200`."""
    from domain.usage_report import estimate

    found = estimate(ratings)
    if found is None:
        return "–"
    return f"{found.mean:.2f} ({found.low:.2f}–{found.high:.2f}) of {ratings.count:,}"


def plain_rating(ratings: "RatingStatistics") -> tuple[object, ...]:
    """Number of ratings, mean, and both ends of its interval."""
    from domain.usage_report import estimate

    found = estimate(ratings)
    if found is None:
        return (ratings.count, None, None, None)
    return (ratings.count, *(f"{each:.4f}" for each in (found.mean, found.low, found.high)))


def whole_ms(latency_ms: float | None) -> int | None:
    return None if latency_ms is None else round(latency_ms)


def short(count: int) -> str:
    """`812`, `9,999`, `12k`, `1.3M`."""
    if count < 10_000:
        return f"{count:,}"
    for unit, name in ((1_000_000_000, "G"), (1_000_000, "M")):
        if count >= unit:
            return f"{count / unit:,.1f}{name}"
    return f"{count / 1000:.0f}k"


def dollars(amount: Decimal) -> str:
    """To the cent, and less than a dollar to four digits that tell something."""
    from entrypoints.rendering import money

    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${money(Decimal(f'{amount:.4g}'))}"


def latency(*latencies_ms: float | None) -> str:
    """Each in the unit that suits it, which is said once where it suits all: `44 ms / 1.5 s`, `44 / 120 ms`."""
    told = [_time(each) for each in latencies_ms if each is not None]
    if not told:
        return "–"
    units = {unit for _, unit in told}
    if len(units) == 1:
        return f"{' / '.join(number for number, _ in told)} {units.pop()}"
    return " / ".join(f"{number} {unit}" for number, unit in told)


def _time(latency_ms: float) -> tuple[str, str]:
    if round(latency_ms) < 1000:
        return f"{latency_ms:.0f}", "ms"
    return f"{latency_ms / 1000:,.1f}", "s"
