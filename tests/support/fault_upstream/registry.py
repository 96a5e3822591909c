"""Which fault a model's name stands for."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from tests.support.fault_upstream.exchange import Exchange

Fault: TypeAlias = Callable[[Exchange], Awaitable[None]]
FAULTS: Final[dict[str, Fault]] = {}

_TIMES: Final = {"-once": 1, "-twice": 2}


def fault(*names: str) -> Callable[[Fault], Fault]:
    """Registers a fault under its model names.

    Raises:
        ValueError: a name is taken.
    """

    def register(function: Fault) -> Fault:
        for name in names:
            if name in FAULTS:
                raise ValueError(f"two faults are called `{name}`; rename one")
            FAULTS[name] = function
        return function

    return register


def fault_for(model: str, number: int) -> Fault:
    """What to do to the request number `number` (from 0) for a model.

    Raises:
        KeyError: there is no such fault, and the name does not start with `ok`.
    """
    if model.startswith("ok"):
        return healthy
    for suffix, times in _TIMES.items():
        if model.endswith(suffix):
            return FAULTS[model.removesuffix(suffix)] if number < times else healthy
    return FAULTS[model]


async def healthy(exchange: Exchange) -> None:
    await exchange.answer()
