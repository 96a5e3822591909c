"""From a command to the request all candidates are asked with: defaults, models, format, prompt, thread."""

import asyncio
import datetime
from collections.abc import Callable, Mapping

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.prompt_choice import PromptChoice
from application.services.run import Run
from application.use_cases.chat_command import SendChatCommand
from domain.catalogue import Catalogue
from domain.chat import ChatRequest
from domain.chat_defaults import ChatDefaults
from domain.errors import Fault, InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT, MessageId, Tenant
from domain.json_value import JSONObject, JSONValue
from domain.message import Message
from domain.model import ModelSpec
from domain.output.formatter import Formatter
from domain.routing.plan import Candidate, plan_candidates
from domain.thread import Session, StoredMessage, Thread

MAX_MEMORY_CHARACTERS = 2_000_000
"""Of a thread that are injected at most, whatever `context_depth` and the model's window allow."""
SchemaCheck = Callable[[JSONObject], tuple[Fault, ...]]


@attrs.frozen(kw_only=True)
class Assembly:
    """A request ready to be compiled, with where it belongs."""

    request: ChatRequest
    candidates: tuple[Candidate, ...]
    formatter: Formatter
    session: Session | None
    """None for a new one."""
    thread: Thread | None
    new_turns: tuple[Message, ...]
    """The caller's messages that are not stored yet."""
    remembered: int
    """How many of `request.history` came from the thread."""
    warnings: tuple[str, ...]
    parent: MessageId | None = None
    """The stored turn that the answer, or the first of `new_turns`, follows; None where nothing is stored of it."""
    runs_before: tuple[Run, ...] = ()
    """Calls that were made, and are to be paid, to assemble the request: a summary, for one."""

    @property
    def prompt_version(self) -> str | None:
        """Such as `support_agent:v3`; None where no prompt is used."""
        prompt = self.request.prompt
        return None if prompt is None else str(prompt.ref)

    @property
    def prompt_label(self) -> str | None:
        """The label by which that version was chosen, if by one."""
        prompt = self.request.prompt
        return None if prompt is None else prompt.label


@attrs.frozen(kw_only=True)
class RequestAssembly:
    defaults: ChatDefaults
    catalogue: Catalogue
    unavailable: Mapping[str, str]
    """Provider name → why it can't be called."""
    formatters: Mapping[str, Formatter]
    words_for_schema: bool
    check_schema: SchemaCheck
    unit_of_work: UnitOfWorkFactory
    prompts: PromptChoice

    async def assemble(
        self, command: SendChatCommand, *, now: datetime.datetime, new_thread: str, use_prompt: bool
    ) -> Assembly:
        """Reads the thread, if one is continued, in one round trip.

        Args:
            new_thread: the id of the thread that is begun where none is continued.
            use_prompt: True where the chat is sent: its prompt's version can't be deleted from then on.

        Raises:
            InvalidRequest: a model, format, schema, prompt, variable or the like can't be used; all faults at once.
            ConfigurationError: the configured prompt is not there.
            NotFound: there is no such thread or session.
            StorageUnavailable: a thread is continued, or a prompt is not at hand, and the database is away.
        """
        today = now.date()
        formatter, specs = await self._resolve(command, today)
        session, thread, memory = await self._conversation(command)
        prompt = None
        if command.system_prompt is not None or self.prompts.default is not None or command.variables:
            user = command.user if session is None else session.user
            prompt = await self.prompts.render(
                command.system_prompt,
                command.variables,
                tenant=command.tenant,
                # The user's, and the thread's where there is none: neither changes while a thread lives.
                key=user or command.thread_id or new_thread,
                use=use_prompt,
            )
        history, turns = memory, command.messages
        if command.own_history:
            history, turns = _split(command.messages)
        defaults = self.defaults
        request = ChatRequest(
            messages=turns,
            history=history,
            prompt=prompt,
            system=defaults.system,
            model=specs[0].ref,
            fallbacks=tuple(spec.ref for spec in specs[1:]),
            format=formatter.name,
            schema=command.schema,
            max_tokens=command.max_tokens if command.max_tokens is not None else defaults.max_tokens,
            temperature=command.temperature if command.temperature is not None else defaults.temperature,
            top_p=command.top_p if command.top_p is not None else defaults.top_p,
            stop=command.stop or defaults.stop,
            seed=command.seed if command.seed is not None else defaults.seed,
            tools=command.tools,
            tool_choice=command.tool_choice,
            user=command.user,
        )
        candidates = plan_candidates(
            request, specs, unavailable=self.unavailable, words_for_schema=self.words_for_schema
        )
        return Assembly(
            request=request,
            candidates=candidates,
            formatter=formatter,
            session=session,
            thread=thread,
            new_turns=_after_last_answer(command.messages) if thread is not None else command.messages,
            remembered=0 if command.own_history else len(memory),
            warnings=_lifecycle_warnings(candidates, today),
        )

    async def name_faults(
        self,
        *,
        format: str | None,  # noqa: A002 - the field's name
        schema: JSONObject | None,
        model: str | None,
        fallbacks: tuple[str, ...] | None,
        today: datetime.date,
        system_prompt: str | None = None,
        variables: Mapping[str, JSONValue] | None = None,
        tenant: Tenant = DEFAULT_TENANT,
    ) -> tuple[Fault, ...]:
        """What is wrong with these alone, for a request that has other faults already. None is "as configured".

        Args:
            variables: None where they can't be read, and so can't be judged.
        """
        faults = (await self._look_up(format, schema, model, fallbacks, today))[2]
        return faults + await self.prompts.name_faults(system_prompt, variables, tenant=tenant)

    async def _resolve(
        self, command: SendChatCommand, today: datetime.date
    ) -> tuple[Formatter, tuple[ModelSpec, ...]]:
        formatter, specs, faults = await self._look_up(
            command.format, command.schema, command.model, command.fallbacks, today
        )
        if faults or formatter is None:
            others = await self.prompts.name_faults(
                command.system_prompt, command.variables, tenant=command.tenant
            )
            raise InvalidRequest.of(*faults, *others)
        return formatter, specs

    async def _look_up(
        self,
        format_name: str | None,
        schema: JSONObject | None,
        model: str | None,
        fallbacks: tuple[str, ...] | None,
        today: datetime.date,
    ) -> tuple[Formatter | None, tuple[ModelSpec, ...], tuple[Fault, ...]]:
        faults: list[Fault] = []
        format_name = format_name or self.defaults.format
        formatter = self.formatters.get(format_name)
        if formatter is None:
            known = ", ".join(sorted(self.formatters))
            faults.append(Fault(path="format", message=f"unknown format `{format_name}`; known: {known}"))
        if schema is not None:
            if formatter is not None and not formatter.wants_json:
                faults.append(
                    Fault(path="schema", message='goes with `"format": "json"` only; add it or drop `schema`')
                )
            # A hostile schema keeps the check busy for a third of a second.
            faults.extend(await asyncio.to_thread(self.check_schema, schema))
        names = [("model", model or self.defaults.primary)]
        others = fallbacks if fallbacks is not None else self.defaults.fallbacks
        names += [(f"fallbacks[{index}]", name) for index, name in enumerate(others)]
        specs: list[ModelSpec] = []
        for path, name in names:
            try:
                specs.append(self.catalogue.resolve(name, today=today, path=path))
            except InvalidRequest as error:
                faults.extend(error.faults)
        return formatter, tuple(specs), tuple(faults)

    async def _conversation(
        self, command: SendChatCommand
    ) -> tuple[Session | None, Thread | None, tuple[Message, ...]]:
        if command.thread_id is None and command.session_id is None:
            return None, None, ()
        depth = command.context_depth if command.context_depth is not None else self.defaults.context_depth
        session: Session | None = None
        thread: Thread | None = None
        stored: tuple[StoredMessage, ...] = ()
        async with self.unit_of_work(command.tenant) as work:
            if command.thread_id is not None:
                thread = await work.threads.get(command.thread_id)
                if thread is None:
                    raise NotFound(
                        f"there is no thread {command.thread_id}; leave `thread_id` out to start one"
                    )
                if depth and not command.own_history:
                    stored = await work.messages.tail(command.thread_id, limit=depth)
            session_id = thread.session_id if thread is not None else command.session_id
            if session_id is not None:
                session = await work.sessions.get(session_id)
            if session is None:
                raise NotFound(f"there is no session {session_id}; leave `session_id` out to start one")
        if thread is not None and command.session_id not in (None, thread.session_id):
            raise InvalidRequest.of(
                Fault(
                    path="session_id", message="the thread belongs to another session; leave `session_id` out"
                )
            )
        return session, thread, _whole_turns(stored)


def _whole_turns(stored: tuple[StoredMessage, ...]) -> tuple[Message, ...]:
    """What can be injected: exchanges that begin with the user and were answered.

    Failed and cut answers are not among `stored`, so the turns before one show by the gap in the positions.
    """
    kept: list[StoredMessage] = []
    pending: list[StoredMessage] = []
    for each in stored:
        if pending and each.position != (pending[-1].position or 0) + 1:
            pending = []
        if pending or each.message.role == "user":
            pending.append(each)
        if each.message.role == "assistant" and not each.message.tool_calls:
            kept += pending
            pending = []
    room = MAX_MEMORY_CHARACTERS
    for index in range(len(kept) - 1, -1, -1):
        room -= len(kept[index].message.text)
        if room < 0:
            # From the next question on: a model whose window is unknown sets no other bound.
            kept = kept[index + 1 :]
            kept = kept[
                next((at for at, each in enumerate(kept) if each.message.role == "user"), len(kept)) :
            ]
            break
    return tuple(
        attrs.evolve(each.message, token_count=None if each.usage is None else each.usage.output_tokens)
        for each in kept
    )


def _split(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The caller's own history, and the turns after the last answer: a tool's results stay with their call."""
    index = len(messages) - 1
    while index > 0 and messages[index - 1].role not in ("assistant", "system"):
        index -= 1
    if messages[index].role == "tool":
        index -= 1
        while index > 0 and messages[index - 1].role == "user":
            index -= 1
    return messages[: max(index, 0)], messages[max(index, 0) :]


def _after_last_answer(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """What a continued thread does not hold yet."""
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages


def _lifecycle_warnings(candidates: tuple[Candidate, ...], today: datetime.date) -> tuple[str, ...]:
    return tuple(
        f"{spec.ref} was switched off on {spec.retired_on}"
        + (f"; use {spec.replaced_by}" if spec.replaced_by is not None else "")
        for spec in (candidate.spec for candidate in candidates)
        if spec.is_retired(today)
    )
