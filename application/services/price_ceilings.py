"""What calls can cost at most, looked up once a day for each model."""

import datetime
from collections.abc import Mapping
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.price_book import Ceiling, PriceBook
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.values import frozen

SHORT: Final = 100_000
"""Tokens. Up to there one price is taken for all prompts: no vendor asks more for longer ones below."""
_MOST: Final = 1_024


@frozen(kw_only=True)
class PriceCeilings:
    """A price book takes ten microseconds for an answer, which is the same for most chats of a day."""

    _prices: PriceBook
    _clock: Clock
    _short: dict[ModelRef, tuple[datetime.date, Ceiling | None]] = attrs.field(factory=dict, init=False)

    def of(self, model: ModelRef, prompt_tokens: int, parameters: Mapping[str, JSONValue]) -> Ceiling | None:
        """Of a call that is made now; None where the price is unknown."""
        now = self._clock.now()
        if prompt_tokens > SHORT or parameters:
            return self._prices.ceiling(model, prompt_tokens, at=now, parameters=parameters)
        known, today = self._short.get(model), now.date()
        if known is not None and known[0] == today:
            return known[1]
        if len(self._short) >= _MOST:  # model names can come from callers
            self._short.clear()
        found = self._prices.ceiling(model, SHORT, at=now)
        self._short[model] = (today, found)
        return found
