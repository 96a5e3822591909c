"""A chat as server-sent events (WHATWG HTML, section 9.2).

Data is one line of JSON, in which every control character is escaped, so nothing that a model writes can
start a line; `id` and `event` are lor3's own.
"""

import asyncio
from typing import Final, assert_never

from aiohttp import web

from application.use_cases.chat_command import SendChatCommand
from application.use_cases.send_chat import SendChat
from domain.answer import ChatDone, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import LorError
from domain.json_value import JSONValue
from entrypoints.http.fault_log import log_unexpected
from entrypoints.http.paced_writing import write
from entrypoints.http.problems import internal_error, problem_json, shutting_down
from entrypoints.http.response_headers import REPLAYED, decorate
from entrypoints.http.state import REQUEST_ID, ROUTE, ServerState, cancel_when_lost
from entrypoints.rendering import (
    answer_json,
    reset_json,
    started_json,
    to_json,
    tool_call_delta_json,
    tool_call_json,
)

HOLD_S: Final = 5.0
"""How long the 200 waits for the first event, so that a failure before it is a plain problem."""
KEEP_ALIVE_S: Final = 15.0
STALL_S: Final = 5.0
"""How long before the answer goes on without it: others may be waiting for their turn in the thread."""
_MAX_PENDING: Final = 128 * 1024
"""Bytes that wait to be written before the answer itself has to wait."""
_KEEP_ALIVE: Final = b": keep-alive\n\n"


class FrameQueue:
    """Frames between the chat, which makes them, and the socket, which takes all there are at once."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._size = 0
        self._last_id = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self.failure: Exception | None = None
        """What ended the chat, where it was not its answer."""
        self.ended = False
        self.is_replay = False
        """Whether the events are those of an answer that was given before."""
        self._discards = False
        self._moved_at = 0.0
        """When the reader last took something."""
        self.left_behind = False
        """Whether the answer went on without the reader: what it has not got yet is lost to it."""

    @property
    def has_frames(self) -> bool:
        return bool(self._frames)

    @property
    def is_full(self) -> bool:
        return self._size > _MAX_PENDING

    def frame(self, event: str, data: JSONValue) -> bytes:
        """The next frame. `event` is a constant; `data` is written as one line."""
        self._last_id += 1
        return b"id: %d\nevent: %s\ndata: %s\n\n" % (self._last_id, event.encode(), to_json(data))

    def put(self, event: str, data: JSONValue) -> None:
        frame = self.frame(event, data)
        if self._discards:
            return
        self._frames.append(frame)
        self._size += len(frame)
        self._filled.set()

    def discard(self) -> None:
        """Nobody reads any more: the chat may go on without waiting."""
        self._discards = True
        self.take()

    async def room(self) -> None:
        """Returns when there is room again, or when the reader has taken nothing for `STALL_S`: then without it."""
        loop = asyncio.get_running_loop()
        self._room.clear()
        self._moved_at = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(self._moved_at + STALL_S):
                    await self._room.wait()
            except TimeoutError:
                if loop.time() >= self._moved_at + STALL_S:
                    self.left_behind = True
                    self.discard()
                    return
            else:
                return

    def moved(self) -> None:
        """The reader took something."""
        self._moved_at = asyncio.get_running_loop().time()

    def close(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.ended = True
        self._filled.set()

    async def filled(self, *, within_s: float) -> None:
        """Returns when there is something to write, at the end, or after `within_s`."""
        if self._filled.is_set():
            return
        try:
            async with asyncio.timeout(within_s):
                await self._filled.wait()
        except TimeoutError:
            return

    def take(self) -> bytes:
        taken = b"".join(self._frames)
        self._frames.clear()
        self._size = 0
        self._room.set()
        self._filled.clear()
        return taken


async def send_events(
    request: web.Request, state: ServerState, command: SendChatCommand
) -> web.StreamResponse:
    """Answers with events. Every frame has an increasing id.

    Raises:
        Exception: what ended the chat before its first event; nothing was sent yet.
    """
    queue = FrameQueue()
    # A task of its own for the chat: the writer can send keep-alives and gather frames meanwhile, and the
    # chat's context is left in the task that entered it, whether the caller stays or not.
    chat = state.finishing.start(_feed(queue, state.application.send_chat, command))
    response: web.StreamResponse | None = None
    try:
        with cancel_when_lost(request):
            await queue.filled(within_s=HOLD_S)
            if queue.failure is None or queue.has_frames:
                response = _new_response(is_replay=queue.is_replay)
                await _write(request, response, state, queue)
    except (ConnectionError, TimeoutError):
        # The reader is gone, or takes nothing.
        if request.transport is not None:
            request.transport.abort()
    finally:
        if not chat.done():
            queue.discard()
            if command.on_disconnect == "cancel":
                chat.cancel()
            state.finishing.abandon(chat, request_id=command.request_id, route=request[ROUTE])
    if response is None:
        assert queue.failure is not None  # noqa: S101 - by the condition above
        raise queue.failure
    return response


async def _feed(queue: FrameQueue, send_chat: SendChat, command: SendChatCommand) -> None:
    try:
        async with send_chat.stream(command) as events:
            async for event in events:
                if isinstance(event, ChatStarted):
                    queue.is_replay = event.is_replay
                queue.put(*_frame(event))
                # The last event leaves the thread and its key to the next one, whoever reads this one when.
                if queue.is_full and not isinstance(event, ChatDone):
                    await queue.room()
    except asyncio.CancelledError:
        queue.close(shutting_down())
        raise
    except Exception as exc:  # handed to the writer: raised here it would cancel the writer instead
        queue.close(exc)
    else:
        queue.close()


async def _write(
    request: web.Request, response: web.StreamResponse, state: ServerState, queue: FrameQueue
) -> None:
    decorate(request, response, state)
    await response.prepare(request)
    while True:
        if queue.left_behind:
            raise ConnectionResetError("the reader took nothing for too long")
        frames = queue.take()
        if queue.ended:
            if queue.failure is not None:
                frames += queue.frame("error", _problem(queue.failure, request))
            if frames:
                await write(response, frames, moved=queue.moved)
            return
        await write(response, frames or _KEEP_ALIVE, moved=queue.moved)
        await queue.filled(within_s=KEEP_ALIVE_S)


def _new_response(*, is_replay: bool) -> web.StreamResponse:
    headers = {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache, no-store",
        "X-Accel-Buffering": "no",  # nginx would hold the events back
    }
    if is_replay:
        headers |= REPLAYED
    return web.StreamResponse(headers=headers)


def _problem(failure: Exception, request: web.Request) -> dict[str, JSONValue]:
    request_id = request[REQUEST_ID]
    if not isinstance(failure, LorError):
        log_unexpected(failure, request_id=request_id, route=request[ROUTE])
        failure = internal_error()
    return problem_json(failure, request_id=request_id)


def _frame(event: ChatEvent) -> tuple[str, JSONValue]:
    match event:
        case Delta():
            return "delta", {"text": event.text}
        case ChatStarted():
            return "start", started_json(event)
        case ToolCallGrew():
            return "tool_call_delta", tool_call_delta_json(event)
        case ToolCalled():
            return "tool_call", tool_call_json(event.call)
        case Reset():
            return "reset", reset_json(event)
        case ChatDone():
            return "done", answer_json(event.answer)
    assert_never(event)
