"""The ranges and lengths that `document.py` states, applied to a value."""

from typing import Any

from entrypoints.configuration.document import Length, Range


class Unfit(ValueError):
    """A value does not fit its field. The message never quotes the value: it may be a misplaced key."""


def check(value: Any, rule: object) -> None:
    """
    Raises:
        Unfit: `value` breaks `rule`, a `Range` or a `Length`.
    """
    if isinstance(rule, Range):
        _check_range(value, rule)
    elif isinstance(rule, Length):
        _check_length(value, rule)


def _check_range(number: Any, rule: Range) -> None:
    if rule.above is not None and not number > rule.above:
        raise Unfit(f"must be more than {rule.above:g}")
    low, high = rule.minimum, rule.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        if low is not None and high is not None:
            raise Unfit(f"must be between {_show(low)} and {_show(high)}")
        raise Unfit(f"must be at least {_show(low)}" if low is not None else f"must be at most {_show(high)}")


def _check_length(value: Any, rule: Length) -> None:
    unit = "characters" if isinstance(value, str) else "entries"
    if len(value) < rule.minimum:
        raise Unfit("must not be empty")
    if len(value) > rule.maximum:
        raise Unfit(f"must have at most {rule.maximum} {unit}")


def _show(number: float | None) -> str:
    return (
        f"{number:,.0f}".replace(",", "")
        if number is not None and float(number).is_integer()
        else f"{number:g}"
    )
