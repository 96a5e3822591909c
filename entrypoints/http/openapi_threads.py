"""The part of the OpenAPI document that is about sessions, threads and messages."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.memory_query import MemoryQuery
from entrypoints.http.openapi_operations import header_parameter, json_answer, json_body, operation
from entrypoints.http.query import parameters_of
from entrypoints.http.schema_parts import ref
from entrypoints.http.thread_body import (
    FORK,
    MESSAGE_PATCH,
    SESSION,
    THREAD,
    THREAD_PATCH,
    DeleteQuery,
    ExportQuery,
    MessagesQuery,
    SessionsQuery,
    SessionThreadsQuery,
    ThreadsQuery,
)

_EXAMPLE_ID: Final = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02"


def id_parameter(of: str) -> JSONObject:
    """`id` in a path. One that is no UUID is answered as one that nobody has."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": f"The {of}.",
        "schema": {"type": "string", "format": "uuid"},
        "example": _EXAMPLE_ID,
    }


_SESSION: Final = id_parameter("session")
_THREAD: Final = id_parameter("thread")
_MESSAGE: Final = id_parameter("message")
_IF_MATCH: Final = header_parameter(
    "If-Match",
    "ETags, one of which the thread must still have, or `*`; else 412 `precondition_failed`. It gets another one "
    "with each change and with each message.",
)
_ETAG: Final = {"ETag": "The thread's; it changes with each change and with each message."}
_MADE: Final = {**_ETAG, "Location": "The thread's path."}
_SESSION_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "user": ("For a user", {"user": "u-4711"}),
    "nobody": ("For nobody in particular", {}),
}
_THREAD_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "new": ("In a session of its own", {"user": "u-4711", "title": "Travel plans", "tags": ["travel"]}),
    "empty": ("Without anything", {}),
}
_PATCH_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "rename": ("Another title", {"title": "Plans for spring"}),
    "tag": ("Other tags, and no title", {"title": None, "tags": ["travel", "spring"]}),
}
_FORK_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "fork": ("At a message", {"message_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01", "title": "Another way"}),
}
_PIN_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "pin": ("Keep it in the memory", {"pinned": True}),
    "unpin": ("Let it age again", {"pinned": False}),
}


def thread_paths(schemas: Schemas) -> dict[str, JSONValue]:
    """The routes of conversations; the schemas of their bodies are added to `schemas`."""
    session, thread, patch, fork, pin = (
        body.schema(schemas) for body in (SESSION, THREAD, THREAD_PATCH, FORK, MESSAGE_PATCH)
    )
    return {
        "/sessions": {
            "get": operation(
                "listSessions",
                "List the sessions",
                "Newest first; of all users, or of one.",
                "threads",
                json_answer("A page.", ref("SessionPage")),
                parameters=parameters_of(SessionsQuery),
            ),
            "post": operation(
                "createSession",
                "Open a session",
                "A chat or a thread that names no session makes one of its own.",
                "threads",
                {},
                request_body=json_body(session, _SESSION_EXAMPLES),
                others={
                    "201": json_answer(
                        "The session.", ref("Session"), headers={"Location": "The session's path."}
                    )
                },
            ),
        },
        "/sessions/{id}": {
            "get": operation(
                "getSession",
                "Show a session",
                "Its user, and since when it is.",
                "threads",
                json_answer("The session.", ref("Session")),
                parameters=[_SESSION],
            )
        },
        "/sessions/{id}/threads": {
            "get": operation(
                "listSessionThreads",
                "List a session's threads",
                "Newest first, by when they were opened or last written to.",
                "threads",
                json_answer("A page.", ref("ThreadPage")),
                parameters=[_SESSION, *parameters_of(SessionThreadsQuery)],
            )
        },
        "/threads": {
            "get": operation(
                "listThreads",
                "List the threads",
                "Newest first; of all, or of one session, one user, one tag.",
                "threads",
                json_answer("A page.", ref("ThreadPage")),
                parameters=parameters_of(ThreadsQuery),
            ),
            "post": operation(
                "createThread",
                "Open a thread",
                "An empty one, which a chat continues as `thread_id`. A chat that names none makes one of its own.",
                "threads",
                {},
                request_body=json_body(thread, _THREAD_EXAMPLES),
                others={"201": json_answer("The thread.", ref("Thread"), headers=_MADE)},
            ),
        },
        "/threads/{id}": {
            "get": operation(
                "getThread",
                "Show a thread",
                "Without its messages.",
                "threads",
                json_answer("The thread.", ref("Thread"), headers=_ETAG),
                parameters=[_THREAD],
            ),
            "patch": operation(
                "changeThread",
                "Rename and tag a thread",
                "What is left out stays; null takes away. What changes nothing writes nothing.",
                "threads",
                json_answer("The thread as it is now.", ref("Thread"), headers=_ETAG),
                parameters=[_THREAD, _IF_MATCH],
                request_body=json_body(patch, _PATCH_EXAMPLES),
            ),
            "delete": operation(
                "deleteThread",
                "Delete a thread",
                "It is absent at once, with its messages; what it holds goes with retention, or at once with `purge`.",
                "threads",
                {},
                parameters=[_THREAD, *parameters_of(DeleteQuery)],
                others={"204": {"description": "It is gone."}},
            ),
        },
        "/threads/{id}/messages": {
            "get": operation(
                "listMessages",
                "List a thread's messages",
                "By position, either way round, whatever their status. A page costs the same wherever it is.",
                "threads",
                json_answer("A page.", ref("MessagePage")),
                parameters=[_THREAD, *parameters_of(MessagesQuery)],
            )
        },
        "/threads/{id}/fork": {
            "post": operation(
                "forkThread",
                "Fork a thread",
                "Makes a thread of the same session that begins as a copy of this one, up to a message and with it; at "
                "most 10,000 messages. Copies keep everything but their id and their feedback, and cost nothing.",
                "threads",
                {},
                parameters=[_THREAD],
                request_body=json_body(fork, _FORK_EXAMPLES),
                others={"201": json_answer("The new thread.", ref("Thread"), headers=_MADE)},
            )
        },
        "/threads/{id}/memory": {
            "get": operation(
                "previewMemory",
                "Preview a thread's memory",
                "What the next chat would remember of the thread, and what not and why. No model is asked and nothing "
                "is stored, so a summary that is due is not made; the model's window is not looked at.",
                "threads",
                json_answer("The memory.", ref("MemoryPreview")),
                parameters=[_THREAD, *parameters_of(MemoryQuery)],
            )
        },
        "/threads/{id}/export": {
            "get": operation(
                "exportThread",
                "Export a thread",
                "The whole of it, streamed, whatever its length; what is added meanwhile is left out. Where it can't "
                "be finished the transfer is cut. In Markdown all that somebody wrote stands in quotations.",
                "threads",
                {
                    "description": "The thread, as a file.",
                    "headers": {
                        "Content-Disposition": {"description": "A file's name.", "schema": {"type": "string"}}
                    },
                    "content": {
                        "application/json": {"schema": ref("ThreadExport")},
                        "text/markdown": {"schema": {"type": "string"}},
                    },
                },
                parameters=[_THREAD, *parameters_of(ExportQuery)],
            )
        },
        "/messages/{id}": {
            "get": operation(
                "getMessage",
                "Show a message",
                "With the attempts that were made at it.",
                "threads",
                json_answer("The message.", ref("MessageDetail")),
                parameters=[_MESSAGE],
            ),
            "patch": operation(
                "pinMessage",
                "Pin a message",
                "Pins its whole exchange, or lets go of it: the memory keeps what is pinned whatever its age. At most "
                "100 messages of a thread are pinned; one more, or a message without a complete answer, is a 409 "
                "`conflict`.",
                "threads",
                json_answer("The message as it is now.", ref("StoredMessage")),
                parameters=[_MESSAGE],
                request_body=json_body(pin, _PIN_EXAMPLES),
            ),
        },
    }
