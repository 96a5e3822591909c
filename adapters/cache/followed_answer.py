"""An answer of another process that is read into a sink of this one."""

import asyncio
from typing import Final, TypeAlias

import attrs

from adapters.cache.event_codec import Unreadable, decode_entry
from application.ports.event_log import PortionSink
from domain.errors import AnswerInterrupted
from domain.live_answer import Ending, Portion, after, rest_of

Entry: TypeAlias = tuple[bytes, object]
"""Its id and its value."""
START: Final = b"0-0"
"""Before the first entry."""
_INTERRUPTED: Final = (
    "the rest of the answer can't be had: the server that made it is gone, or shares it no longer;"
    " read the stored message in a while, or send the request again"
)


@attrs.define(kw_only=True, eq=False)
class FollowedAnswer:
    key: str
    sink: PortionSink = attrs.field(repr=False)
    is_known: "asyncio.Future[bool]"
    """Set once it was looked for: whether there is such an answer."""
    heard_at: float
    """The loop's time at which it was certain last that the answer is there."""
    cursor: bytes = START
    """The entry that was read last."""
    is_open: bool = True

    def close(self) -> None:
        self.is_open = False
        if not self.is_known.done():
            self.is_known.set_result(False)

    def feed(self, entries: list[Entry]) -> None:
        """Hands on what the sink has not got yet; closes itself at the answer's end."""
        if not self.is_open:
            return  # since it was looked for
        try:
            for entry_id, value in entries:
                for said in decode_entry(value):
                    if isinstance(said, Ending):
                        self._end(said)
                        return
                    self._take(said)
                self.cursor = entry_id
        except Unreadable:
            self.interrupt()
            return
        if not self.is_known.done():
            self.is_known.set_result(bool(entries))
            self.is_open = bool(entries)

    def interrupt(self) -> None:
        """What breaks off is said to; what can't be read from its beginning on is as good as not there."""
        if not self.is_open:
            return
        was_known = self.is_known.done()
        self.close()
        if was_known:
            self.sink.end(Ending(error=AnswerInterrupted(_INTERRUPTED)))

    def _end(self, ending: Ending) -> None:
        self.is_open = False
        self._found()
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
                self._hand_on(portion)
            return
        for index, event in enumerate(portion.events):
            rest = rest_of(event, at, seen)
            if rest is not None:
                self._hand_on(Portion(begins=max(at, seen), events=(rest, *portion.events[index + 1 :])))
                return
            at = after(at, event)

    def _hand_on(self, portion: Portion) -> None:
        self._found()
        self.sink.append(portion)

    def _found(self) -> None:
        if not self.is_known.done():
            self.is_known.set_result(True)
