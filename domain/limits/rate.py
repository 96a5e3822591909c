"""How much a caller may ask for in a time."""

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class RateLimits:
    """None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of prompts and answers together."""
    concurrency: int | None = None
    """Chats under way at a time."""

    @property
    def is_empty(self) -> bool:
        return (
            self.requests_per_minute is None and self.tokens_per_minute is None and self.concurrency is None
        )


NO_LIMITS: Final = RateLimits()
