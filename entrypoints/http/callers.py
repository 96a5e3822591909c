"""What a caller may do here: whose things it sees, as whom it speaks, and what of an answer is not its to choose.

The boundary asks `demand_own` before each handler that a bound caller reaches, by what the route table says the path
names. Handlers ask for what stands in their bodies and queries, and `demand_chat` for a whole chat.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, TypeAlias

from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION

from application.services.ownership import Ownership, user_digest
from application.use_cases.chat_command import SendChatCommand
from domain.access import USER_SCOPES, Caller, Scope
from domain.clean_text import clean
from domain.errors import Forbidden
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from entrypoints.application import Application
from entrypoints.http.state import CALLER, STATE
from entrypoints.settings import CHAT_RIGHTS, AuthSettings, ChatRight

Owned: TypeAlias = Literal["session", "thread", "message", "answer", "own", "all"]
"""What a bound caller gets of a route. `session`, `thread`, `message`, `answer`: the thing that its path names, if it is
theirs. `own`: the handler keeps to what is theirs, as lists and chats do. `all`: it shows nothing that is anybody's.
A route that says none of these is not for bound callers."""

_NOT_FOR_USERS: Final = "this route is not for a user's token: it shows or changes what is others'; let your backend ask, with its key"


def authorization_of(request: web.Request) -> str | None:
    """The header; several are one that nobody has: which of them counts is not to depend on who reads them."""
    given = request.headers.getall(AUTHORIZATION, ())
    if len(given) == 1:
        return given[0]
    return ", ".join(given) if given else None


def caller_of(request: web.Request) -> Caller:
    return request[CALLER]


def tenant_of(request: web.Request) -> Tenant:
    return request[CALLER].tenant


def user_of(caller: Caller, given: str | None, *, path: str = "user") -> str | None:
    """The user as whom the caller speaks, or of whom it asks.

    Args:
        given: what the request says.
        path: where it says so.

    Raises:
        Forbidden: the caller is bound to another one.
    """
    if caller.user is None:
        return given
    if given is not None and clean(given) != clean(caller.user):
        raise Forbidden(
            f"`{path}` is not the user that this token is for; leave it out, or let your backend ask, with its key"
        )
    return caller.user


async def demand_own(
    application: Application, request: web.Request, caller: Caller, scope: Scope, owned: Owned | None
) -> None:
    """Refuses a bound caller what is not its own.

    Raises:
        Forbidden: nothing of the route is for bound callers.
        NotFound: what the path names is absent, or another user's.
    """
    if owned is None or scope not in USER_SCOPES:
        raise Forbidden(_NOT_FOR_USERS)
    check = _CHECKS.get(owned)
    if check is not None:
        await check(application.ownership, caller, request.match_info)


async def demand_chat(application: Application, command: SendChatCommand) -> None:
    """Whether the caller may send this, as far as its key says.

    Raises:
        Forbidden: it chooses what the configuration leaves to others.
        NotFound: it names a thread or a session that is absent, or another user's.
    """
    demand_rights(application.settings.auth, command)
    await demand_thread(application.ownership, command)


async def demand_thread(ownership: Ownership, command: SendChatCommand) -> None:
    """Whether the thread or session that the command names is its caller's.

    Raises:
        NotFound: as `demand_chat`.
    """
    caller = command.caller
    if caller.user is None:
        return
    # Before the chat takes its place in the thread's queue, and its name: neither is another user's to take.
    if command.thread_id is not None:
        await ownership.thread(caller, command.thread_id, for_chat=True)
    elif command.session_id is not None:
        await ownership.session(caller, command.session_id, for_chat=True)


def demand_rights(auth: AuthSettings, command: SendChatCommand) -> None:
    """
    Raises:
        Forbidden: names what the command may not choose, and the setting that would let it.
    """
    bound = command.caller.user is not None
    rights = auth.users_may if bound else auth.keys_may
    if len(rights) == len(CHAT_RIGHTS):
        return
    for right, what in _taken(command):
        if right not in rights:
            whose = "a user's token" if bound else "a key"
            setting = "auth.users_may" if bound else "auth.keys_may"
            raise Forbidden(
                f"{what} is not for {whose} to send; leave it out, or allow `{right}` in `{setting}`"
            )


def may(application: Application, caller: Caller, right: ChatRight) -> bool:
    auth = application.settings.auth
    return right in (auth.keys_may if caller.user is None else auth.users_may)


async def own_chat_id(request: web.Request, chat_id: str) -> str:
    """The id by which the caller's chat of that name is kept."""
    return await request.app[STATE].application.ownership.client_chat(request[CALLER], chat_id)


def own_key(caller: Caller, key: str) -> str:
    """The Idempotency-Key under which the caller's request is kept: users have their own."""
    if caller.user is None:
        return key
    # A key that is sent has no space in it, so none that anybody else sends can be the same.
    return f"user {user_digest(clean(caller.user))} {key}"


def _taken(command: SendChatCommand) -> list[tuple[ChatRight, str]]:
    """What of the configuration's the command takes into its own hands."""
    taken: list[tuple[ChatRight, str]] = []
    roles = {message.role for message in command.messages}
    if "system" in roles:
        taken.append(("system", "a message of role `system`"))
    if command.system_prompt is not None:
        taken.append(("system_prompt", "`system_prompt`"))
    if command.variables:
        taken.append(("variables", "`variables`"))
    if command.tools or command.tool_choice is not None:
        taken.append(("tools", "`tools`"))
    elif "tool" in roles:
        taken.append(("tools", "a message of role `tool`"))
    if command.parameters:
        names = ", ".join(f"`{name}`" for name in command.parameters)
        taken.append(("parameters", f"the provider's own parameter {names}"))
    return taken


_Check: TypeAlias = Callable[[Ownership, Caller, Mapping[str, str]], Awaitable[None]]


async def _session(ownership: Ownership, caller: Caller, path: Mapping[str, str]) -> None:
    await ownership.session(caller, SessionId(path["id"]))


async def _thread(ownership: Ownership, caller: Caller, path: Mapping[str, str]) -> None:
    await ownership.thread(caller, ThreadId(path["id"]))


async def _message(ownership: Ownership, caller: Caller, path: Mapping[str, str]) -> None:
    await ownership.message(caller, MessageId(path["id"]))


async def _answer(ownership: Ownership, caller: Caller, path: Mapping[str, str]) -> None:
    await ownership.answer(caller, MessageId(path["message_id"]))


_CHECKS: Final[Mapping[Owned, _Check]] = {
    "session": _session,
    "thread": _thread,
    "message": _message,
    "answer": _answer,
}
