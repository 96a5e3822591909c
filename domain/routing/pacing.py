"""Whether an answer that nobody streams is still fetched as a stream."""

import attrs


@attrs.define(kw_only=True)
class Pacing:
    """Watches how long a model's whole answers take, and asks for a stream once they take too long.

    An unstreamed call is silent until its answer is complete, so the first-token limit can't tell a dead
    provider from a long answer. It is much cheaper, though, and most models that answer short questions are
    done well inside the limit. So a model starts unstreamed; when an answer has used up half of the limit,
    or all of it, the model is fetched as a stream for a while, where the limit means what it says.
    """

    limit_s: float
    hold_s: float = 600.0
    _streamed_until: float = 0.0

    def wants_stream(self, now: float) -> bool:
        return now < self._streamed_until

    def answered(self, duration_s: float, now: float) -> None:
        """An answer, streamed or not, or a silence of `duration_s` has ended."""
        if duration_s >= self.limit_s / 2:
            self._streamed_until = now + self.hold_s
