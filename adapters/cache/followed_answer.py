"""An answer of another process that is read into a sink of this one."""

import asyncio
from typing import Final, TypeAlias

import attrs

from adapters.cache.event_codec import Unreadable, decode_entry
from application.ports.event_log import PortionSink
from domain.errors import AnswerInterrupted, AnswerUnknown, LorError
from domain.live_answer import Ending, Portion, after, rest_of

Entry: TypeAlias = tuple[bytes, object]
"""Its id and its value."""
START: Final = b"0-0"
"""Before the first entry."""
_GONE: Final = (
    "the server that made the answer is gone, and nothing of it is stored; send the request again:"
    " with the same Idempotency-Key that is safe"
)
_MAY_BE_STORED: Final = "it may still be made and stored: read it again in a while"
AWAY: Final = f"the rest of the answer can't be had, since Redis is away; {_MAY_BE_STORED}"
UNREADABLE: Final = (
    f"the rest of the answer can't be had, since Redis holds what can't be read; {_MAY_BE_STORED}"
)
CLOSING: Final = f"the rest of the answer can't be had from this server, which stops; {_MAY_BE_STORED}"


@attrs.define(kw_only=True, eq=False)
class FollowedAnswer:
    key: str
    sink: PortionSink = attrs.field(repr=False)
    is_known: "asyncio.Future[bool | None]"
    """Set once all that there was of it has been handed on: whether there is such an answer; None where that could not
    be found out."""
    heard_at: float
    """The loop's time at which it was certain last that the answer is there."""
    cursor: bytes = START
    """The entry that was read last."""
    is_open: bool = True
    has_begun: bool = False
    """Whether anything of it was there."""

    def close(self) -> None:
        self.is_open = False
        if not self.is_known.done():
            self.is_known.set_result(False)

    def feed(self, entries: list[Entry], *, is_all: bool) -> None:
        """Hands on what the sink has not got yet; closes itself at the answer's end.

        Args:
            is_all: whether nothing more was there.
        """
        if not self.is_open:
            return  # since it was looked for
        self.has_begun |= bool(entries)
        try:
            for entry_id, value in entries:
                for said in decode_entry(value):
                    if isinstance(said, Ending):
                        self._end(said)
                        return
                    self._take(said)
                self.cursor = entry_id
        except Unreadable:
            self.lose(UNREADABLE)
            return
        if is_all and not self.is_known.done():
            self.is_known.set_result(self.has_begun)
            self.is_open = self.has_begun

    def interrupt(self) -> None:
        """Its process is gone, and left no end."""
        self._break_off(AnswerInterrupted(_GONE))

    def lose(self, why: str) -> None:
        """It can't be read on, whatever becomes of it."""
        self._break_off(AnswerUnknown(why))

    def _break_off(self, error: LorError) -> None:
        if not self.is_open:
            return
        self.is_open = False
        if self.is_known.done():
            self.sink.end(Ending(error=error, is_for_all=False))
        else:
            self.is_known.set_result(None)  # what can't be read from its beginning on is not begun with

    def _end(self, ending: Ending) -> None:
        self.is_open = False
        if not self.is_known.done():
            self.is_known.set_result(True)
        self.sink.end(ending)

    def _take(self, portion: Portion) -> None:
        """
        Raises:
            Unreadable: events between what the sink has and these are missing.
        """
        at, seen = portion.begins, self.sink.ends
        if at > seen:
            raise Unreadable
        if at == seen:
            if portion.events:
                self.sink.append(portion)
            return
        for index, event in enumerate(portion.events):
            rest = rest_of(event, at, seen)
            if rest is not None:
                self.sink.append(Portion(begins=max(at, seen), events=(rest, *portion.events[index + 1 :])))
                return
            at = after(at, event)
