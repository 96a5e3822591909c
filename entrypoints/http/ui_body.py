"""The body of `POST /ui/chat`, as `DefaultChatTransport` of Vercel's AI SDK sends it.

lor3's own options stand in its field `lor3` (the transport's option `body`), checked as those of `POST /chat` are.
"""

from typing import Any, Final, Literal, cast

import attrs

from application.use_cases.chat_command import SendChatCommand
from application.use_cases.continue_chat_command import Continuation, ContinueChatCommand
from domain.access import ANYBODY, Caller
from domain.chat import Tool, ToolChoice
from domain.clean_text import clean
from domain.client_chat import MAX_CHAT_ID
from domain.errors import Fault, InvalidRequest
from domain.idempotency import IdempotencyKey
from domain.ids import SessionId
from domain.json_value import JSONObject
from domain.message import Message
from domain.values import frozen
from entrypoints.http.callers import user_of
from entrypoints.http.chat_body import AnswerOptions, options_of, read_tools
from entrypoints.http.checks import Choice, Faults, ListOf, Text, UUIDText, fault
from entrypoints.http.records import Record, given
from entrypoints.http.ui_parts import SentMessages, UIMessageBody, UIMessageCheck

_UI_MESSAGE: Final = UIMessageCheck()
_MOST_SENT: Final = 20_000
"""The SDK sends the whole chat with each message; of one that lor3 knows the last one counts."""


def _always_streams(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    return [field for field in fields if field.name != "stream"]


@frozen(kw_only=True, field_transformer=_always_streams)
class UIOptions(AnswerOptions):
    """How an answer is made, as in `POST /chat`; whatever is left out is as configured."""

    session_id: str | None = given(
        UUIDText(), "Groups the chats of one user: of a new chat; a new session where it is left out."
    )
    user: str | None = given(
        Text(max_length=256),
        "The caller's opaque id of its end user; empty is none. Of a chat that has a user it has to be that one.",
        example="u-4711",
    )


UI_OPTIONS: Final = Record(UIOptions)


@frozen(kw_only=True)
class UIChatBody:
    """A chat, as the AI SDK sends it."""

    id: str = given(
        Text(min_length=1, max_length=MAX_CHAT_ID),
        "The client's own id of the chat, bound to a thread when it is first used. That of a thread is bound to it.",
        required=True,
        example="nS2gDWJmkMhR",
    )
    messages: tuple[UIMessageBody, ...] | None = given(
        ListOf(item=_UI_MESSAGE, max_items=_MOST_SENT),
        "All messages that the client has, oldest first. Of a chat that lor3 knows the last one is sent on, behind "
        "what the thread's memory gives; of a new one all of them are.",
    )
    message: UIMessageBody | None = given(_UI_MESSAGE, "In place of `messages`: the last one alone.")
    trigger: Literal["submit-message", "regenerate-message"] | None = given(
        Choice(("submit-message", "regenerate-message")),
        "`regenerate-message`: another answer in place of one that there is.",
        default="submit-message",
    )
    messageId: str | None = given(  # noqa: N815 - the wire's
        Text(max_length=256),
        "The message that is submitted in another form, whatever followed it; or the answer to make again, the last "
        "one where it is left out.",
    )
    lor3: UIOptions | None = given(UI_OPTIONS, "lor3's own options.")


UI_CHAT: Final = Record(UIChatBody)
_FIELDS: Final = frozenset(attribute.name for attribute in attrs.fields(UIChatBody))
_OPTIONS: Final = frozenset(attribute.name for attribute in attrs.fields(UIOptions))


@frozen(kw_only=True)
class UIChat:
    """A request that can be read."""

    chat_id: str
    messages: SentMessages
    body: UIChatBody
    tools: tuple[Tool, ...]
    tool_choice: ToolChoice | None
    caller: Caller = ANYBODY
    user: str | None = None
    """The body's, or the one that the caller is bound to."""
    kept_as: str = ""
    """The id by which the chat is kept; the client's own where it is empty."""

    @property
    def session_id(self) -> SessionId | None:
        return cast("SessionId | None", None if self.body.lor3 is None else self.body.lor3.session_id)

    @property
    def max_tokens(self) -> int | None:
        return None if self.body.lor3 is None else self.body.lor3.max_tokens

    @property
    def last_turn(self) -> tuple[Message, ...]:
        """The text that is new in a chat that is known; nothing where an answer is made again."""
        last = len(self.messages) - 1
        return () if last < 0 else (Message.of("user", self.messages.text(last)),)

    @property
    def goes_back(self) -> bool:
        """Whether the client gives up what it had: an answer, or all that came after an earlier message."""
        if self.body.trigger == "regenerate-message":
            return True
        last = len(self.messages) - 1
        return self.body.messageId is not None and self.messages[last].role != "assistant"

    def continues(self, key: IdempotencyKey | None) -> ContinueChatCommand:
        return ContinueChatCommand(
            tenant=self.caller.tenant,
            chat_id=self.kept_as or self.chat_id,
            messages=self.messages,
            is_whole=self.body.messages is not None,
            trigger=self.body.trigger or "submit-message",
            message_id=self.body.messageId or None,
            user=self.user,
            session_id=self.session_id,
            idempotency=key,
            goes_back=self.goes_back,
        )

    def sends(
        self, continuation: Continuation, key: IdempotencyKey | None, *, request_id: str
    ) -> SendChatCommand:
        options = self.body.lor3 or UIOptions()
        return SendChatCommand(
            request_id=request_id,
            tenant=self.caller.tenant,
            caller=self.caller,
            messages=continuation.messages,
            own_history=continuation.own_history,
            history_is_for_new=continuation.history_is_for_new,
            thread_id=continuation.thread_id,
            session_id=self.session_id,
            user=self.user,
            regenerates=continuation.regenerates,
            stream=True,
            tools=self.tools,
            tool_choice=self.tool_choice,
            idempotency=key,
            **options_of(options),
        )


def read_ui_chat(value: JSONObject, faults: Faults, *, caller: Caller = ANYBODY) -> UIChat:
    """
    Args:
        faults: what is wrong with the request besides.

    Raises:
        InvalidRequest: with every fault at once, each with its path.
        Forbidden: it is for another user than the caller is bound to.
    """
    known = {name: item for name, item in value.items() if name in _FIELDS or name not in _OPTIONS}
    for name in value:
        if name not in known:
            fault(faults, name, f'is an option of lor3: send it as `"lor3": {{"{name}": …}}`')
    body = UI_CHAT.read(known, "", faults)
    if value.get("messages") is not None and value.get("message") is not None:
        fault(faults, "message", "goes in place of `messages`; send one of them")
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    if body is not None and body.lor3 is not None:
        found: Faults = []
        tools, choice = read_tools(body.lor3.tools, body.lor3.tool_choice, found)
        for each in found:
            fault(faults, f"lor3.{each.path}", each.message)
    bodies = () if body is None else body.messages or ()
    if body is not None and body.message is not None:
        bodies = (body.message,)
    if body is not None and not bodies and body.trigger != "regenerate-message":
        fault(faults, "messages", "is required: the messages of the chat, or its last one as `message`")
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return UIChat(
        chat_id=clean(body.id),
        messages=SentMessages(bodies=bodies, path="messages" if body.message is None else "message"),
        body=body,
        tools=tools,
        tool_choice=choice,
        caller=caller,
        user=user_of(caller, (None if body.lor3 is None else body.lor3.user) or None, path="lor3.user"),
    )


def told_apart(error: InvalidRequest, sent: UIChat) -> InvalidRequest:
    """The same faults, with the paths that they have in this body."""
    faults = [_told_apart(each, sent) for each in error.faults]
    if faults == list(error.faults):
        return error
    if type(error) is InvalidRequest:
        return InvalidRequest.of(*faults)
    return type(error)(error.detail, tuple(faults))


def _told_apart(each: Fault, sent: UIChat) -> Fault:
    if each.path == "user" and "`thread_id`" in each.message:
        message = "the chat is not this user's; leave `user` out, or begin one of theirs under another `id`"
        return Fault(path="lor3.user", message=message)
    if each.path.partition("[")[0].partition(".")[0] in _OPTIONS:
        return attrs.evolve(each, path=f"lor3.{each.path}")
    if each.path.endswith(".tool_call_id"):
        last = "message" if sent.body.message is not None else f"messages[{len(sent.messages) - 1}]"
        return Fault(
            path=last,
            message="gives the output of a call that the chat's last answer does not wait for: it was answered"
            " already, or the chat went on; GET /ui/chat/{id}/messages has it as it is now",
        )
    return each
