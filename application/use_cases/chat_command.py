"""The command that SendChat and ExplainChat take."""

from collections.abc import Mapping
from typing import Final, Literal

from application.ports.rate_limiter import Allowance
from domain.access import ANYBODY, Caller
from domain.chat import NO_PARAMETERS, Tool, ToolChoice
from domain.chat_defaults import MemoryMode
from domain.idempotency import IdempotencyKey
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.json_value import JSONObject, JSONValue
from domain.message import Message
from domain.values import frozen

NO_VARIABLES: Final[Mapping[str, JSONValue]] = {}


@frozen(kw_only=True)
class SendChatCommand:
    """One chat as a caller asked for it. None means "as configured"."""

    request_id: str
    tenant: Tenant = DEFAULT_TENANT
    caller: Caller = ANYBODY
    """Whose `tenant` it is. A caller who is bound to a user is `user`, too: whoever makes the command sees to it."""
    allowance: Allowance | None = None
    """What the caller's rate limits have let through; the chat settles it. None where there is no limit."""
    messages: tuple[Message, ...] = ()
    """A single user turn (`prompt`), perhaps behind system turns that are for this answer alone; or the caller's own
    history ending in the turn to answer."""
    own_history: bool = False
    """True where the caller sent `messages`: then nothing is injected from the thread."""
    history_is_for_new: bool = False
    """With both `own_history` and `thread_id`: the history is for an empty thread. Where another chat is there first
    when this one's turn comes, only the last of `messages` goes on, behind what the thread gives."""
    thread_id: ThreadId | None = None
    session_id: SessionId | None = None
    user: str | None = None
    system_prompt: str | None = None
    """A reference to the Prompt Oven: `name`, `name:v3` or `name@label`."""
    variables: Mapping[str, JSONValue] = NO_VARIABLES
    model: str | None = None
    fallbacks: tuple[str, ...] | None = None
    format: str | None = None
    schema: JSONObject | None = None
    context_depth: int | None = None
    memory: MemoryMode | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    stream: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    on_disconnect: Literal["finish", "cancel"] = "finish"
    idempotency: IdempotencyKey | None = None
    may_reset: bool = True
    """Whether an answer that was shown in part may be made void and begun again. False for protocols that can't say so:
    then what would need it fails."""
    parameters: Mapping[str, JSONValue] = NO_PARAMETERS
    """Further fields of the provider's own wire."""
    regenerates: MessageId | None = None
    """The last answer of its thread, in whose place another one is asked for. `messages` is empty and `thread_id` not
    given then, they are those of that answer; a `session_id` or `user` that is given has to be its thread's."""

    @property
    def is_particular(self) -> bool:
        """Whether it says itself how it is to be answered, if only in part."""
        return (
            self.max_tokens is not None
            or self.temperature is not None
            or self.top_p is not None
            or self.seed is not None
            or self.schema is not None
            or self.tool_choice is not None
            or bool(self.stop or self.tools or self.parameters)
        )
