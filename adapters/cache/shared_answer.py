"""What this process has yet to tell Redis of one answer."""

from typing import Final

import attrs

from adapters.cache.event_codec import FIELD
from adapters.cache.live_answer_keys import APPEND, FIRST, KEPT_S, LEASE_S, NAME, RENEW_S
from application.ports.event_log import AnswerAddress
from domain.values import frozen

PART_BYTES: Final = 64 * 1024
"""Of one entry, unless a single line is longer: so much is read at once, at least."""
_TIMES: Final = 3
"""An answer is told again so often: a Redis without memory may throw it out each time."""
_LEASE_MS: Final = round(LEASE_S * 1000)
_KEPT_MS: Final = round(KEPT_S * 1000)


@attrs.define(kw_only=True, eq=False)
class SharedAnswer:
    key: str
    address: AnswerAddress
    name_keys: tuple[str, ...]
    lines: list[bytes] = attrs.field(repr=False)
    """Not known to be in Redis, in order."""
    pending_bytes: int
    """Of `lines`."""
    total_bytes: int
    """Of all there ever were."""
    said_at: float
    """The loop's time at which its lease was renewed last, or at which it began."""
    said: list[bytes] | None = attrs.field(factory=list, repr=False)
    """What Redis took, to be told again if it loses it; None where that is too much to keep."""
    said_bytes: int = 0
    is_begun: bool = False
    """Whether Redis took its first entry."""
    times_lost: int = 0
    is_ended: bool = False
    """Whether nothing is added to `lines` any more."""

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        self.pending_bytes += len(line)
        self.total_bytes += len(line)

    def forget(self) -> None:
        """Keeps no longer what Redis has."""
        self.said, self.said_bytes = None, 0

    def begin_again(self) -> bool:
        """All of it is to be told once more; False where that can't be done, or was done too often."""
        if self.said is None or self.times_lost == _TIMES:
            return False
        self.lines[:0] = self.said
        self.pending_bytes += self.said_bytes
        self.said, self.said_bytes = [], 0
        self.is_begun = False
        self.times_lost += 1
        return True

    def part(self, now: float) -> "Part":
        """As much as one entry holds, and whether the lease is to be renewed with it."""
        count = size = 0
        for line in self.lines:
            if count and size + len(line) > PART_BYTES:
                break
            count, size = count + 1, size + len(line)
        is_last = self.is_ended and count == len(self.lines)
        is_due = is_last or not count or not self.is_begun or now - self.said_at >= RENEW_S / 2
        value = self.lines[0] if count == 1 else b"\n".join(self.lines[:count])
        return Part(answer=self, count=count, value=value, is_last=is_last, is_due=is_due)


@frozen(kw_only=True)
class Part:
    answer: SharedAnswer
    count: int
    """Of its first lines."""
    value: bytes = attrs.field(repr=False)
    is_last: bool
    is_due: bool

    @property
    def command(self) -> tuple[str | bytes | int, ...]:
        """What `took` is to be given the reply of."""
        answer = self.answer
        if not self.is_due:
            return ("XADD", answer.key, "NOMKSTREAM", "*", FIELD, self.value)
        first = "" if answer.is_begun else FIRST
        return ("EVAL", APPEND, 1, answer.key, self._lives_ms, FIELD, self.value, first)

    @property
    def name_commands(self) -> list[tuple[str | bytes | int, ...]]:
        """Their replies are of no interest."""
        answer = self.answer
        if not (self.is_due and answer.name_keys):
            return []
        value = answer.address.message_id.encode("utf-8", "replace")
        if answer.is_begun or answer.times_lost:
            return [("EVAL", NAME, 1, name, value, self._lives_ms) for name in answer.name_keys]
        return [("SET", name, value, "PX", self._lives_ms) for name in answer.name_keys]

    def took(self, reply: object, now: float) -> bool:
        """Notes that Redis has it; False where the stream is lost.

        Raises:
            ValueError: the reply is none of the command's.
        """
        if self.is_due:
            if reply == 0:
                return False
            if reply != 1:
                raise ValueError("not a reply to the script")
        elif reply is None:
            return False
        elif not isinstance(reply, bytes):
            raise ValueError("not a reply to XADD")
        answer = self.answer
        del answer.lines[: self.count]
        answer.pending_bytes -= len(self.value) - max(self.count - 1, 0)
        if answer.said is not None and self.count:
            answer.said.append(self.value)
            answer.said_bytes += len(self.value)
        answer.is_begun = True
        if self.is_due:
            answer.said_at = now
        return True

    @property
    def _lives_ms(self) -> int:
        return _KEPT_MS if self.is_last else _LEASE_MS
