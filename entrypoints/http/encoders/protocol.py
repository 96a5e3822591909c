"""The door for wire protocols of streamed answers. A further one is one file and one entry point."""

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

from domain.errors import LorError
from domain.live_answer import Portion


class StreamEncoder(Protocol):
    """Writes the events of one answer for one reader, in one protocol. Not shared; may keep state.

    It is given every event from where the reader begins, in order. Nothing that a model or a caller writes may start a
    line or end an event of its own.
    """

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the response; `Content-Type` is one of them."""

    @property
    def keep_alive(self) -> bytes:
        """What is written where nothing happens for a while; means nothing to any client."""

    @property
    def may_reset(self) -> bool:
        """Whether the protocol can say that all so far is void: an answer is made accordingly."""

    def encode(self, portion: Portion) -> bytes:
        """All of it, for one write. Empty where the protocol has no word for any of it; or where there is none, which
        says where the answer's end stands."""

    def close(self, failure: LorError | None, *, request_id: str, has_place: bool = True) -> bytes:
        """The last bytes: `failure` ended the answer; without one it is whole, or was stopped, as `ChatDone` said.

        Args:
            has_place: False where only this reader is cut off, and the error is no event of the answer.
        """


class EncoderFactory(Protocol):
    """What an entry point of the group `lor3.stream_encoders` points at."""

    def __call__(self, request: web.Request) -> StreamEncoder: ...
